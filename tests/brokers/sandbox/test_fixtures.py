"""The sandbox's rows beside the official samples: same keys, same kinds of values, same nulls."""

from __future__ import annotations

import csv
import io
import json

import pytest

from brokers.sandbox.exchange import ExchangeError
from tests.brokers.sandbox.scene import LOT, NEAR, Scene, at, form

pytestmark = pytest.mark.real_data

DOTNET = "dotnetkiteconnect-mit/KiteConnectTest/responses"
GO = "gokiteconnect-mit/mock_responses"


@pytest.fixture
def official(shared_data):
    def read(folder, name):
        text = (shared_data / "kite" / "fixtures" / folder / name).read_text(encoding="utf-8-sig")
        return json.loads(text)["data"] if name.endswith(".json") else text

    return read


@pytest.fixture
def scene():
    """A day with a filled, a cancelled, a rejected, a changed and a waiting order."""
    made = Scene(cash=1_000_000.0)
    made.tick(0, 26_000.0)
    return made


def kind(value):
    if value is None or isinstance(value, (bool, str)):
        return type(value).__name__
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, list):
        return [kind(item) for item in value[:1]]
    return {name: kind(item) for name, item in value.items()}


def assert_holds(ours, theirs, *, besides=()):
    """Assert that ``ours`` has every field of ``theirs`` with the same kind of value, and no other field."""
    assert set(theirs) <= set(ours)
    assert set(ours) - set(theirs) <= set(besides)
    assert {name: kind(ours[name]) for name in theirs} == {name: kind(theirs[name]) for name in theirs}


NEWER = ("account_id", "modified", "validity_ttl", "guid", "tags")  # fields that newer samples have


def only(rows, status):
    return next(row for row in rows if row["status"] == status)


def test_a_cancelled_order(scene, official):
    theirs = official(DOTNET, "orders.json")[-1]
    order = scene.place(order_type="LIMIT", price=25_990)
    scene.advance(1)
    scene.cancel(order)
    scene.advance(2)
    ours = scene.row(order)
    assert_holds(ours, theirs)
    for name in ("status", "pending_quantity", "cancelled_quantity"):
        assert ours[name] == (theirs[name] if name == "status" else LOT)


def test_a_complete_order_with_a_tag(scene, official):
    theirs = official(DOTNET, "orders.json")[1]
    order = scene.place(order_type="LIMIT", price=25_990, tag="abc")
    scene.tick(1, 25_990.0)
    scene.advance(2)
    ours = scene.row(order)
    assert_holds({**ours, "guid": "X"}, theirs, besides=NEWER)
    assert ours["status"] == theirs["status"]
    assert (ours["pending_quantity"], ours["cancelled_quantity"]) == (0, 0)


def test_a_rejected_order(official):
    theirs = only(official(DOTNET, "orders.json"), "REJECTED")
    scene = Scene(cash=10.0)
    order = scene.place(order_type="LIMIT", price=25_990, tag="abc")
    scene.advance(1)
    ours = {**scene.row(order), "guid": "X"}
    assert_holds({**ours, "meta": theirs["meta"]}, theirs, besides=NEWER)
    for text in ("status_message", "status_message_raw"):
        assert ours[text].split(":")[0][:18] == theirs[text].split(":")[0][:18]


def test_the_eight_states_of_a_changed_order(scene, official):
    theirs = official(GO, "order_info.json")
    order = scene.place(order_type="LIMIT", price=25_990)
    scene.advance(1)
    scene.modify(order, price=25_990.1)
    scene.advance(2)
    ours = scene.exchange.order_history(order)
    assert [row["status"] for row in ours] == [row["status"] for row in theirs]
    for mine, sample in zip(ours, theirs, strict=True):
        assert_holds(mine, sample, besides=("market_protection",))
    assert [row["price"] == ours[0]["price"] for row in ours] == [
        row["price"] == theirs[0]["price"] for row in theirs
    ]


def test_a_rejected_orders_history(official):
    theirs = official(DOTNET, "orderinfo.json")
    scene = Scene(cash=10.0)
    order = scene.place(order_type="LIMIT", price=25_990)
    scene.advance(1)
    ours = scene.exchange.order_history(order)
    assert [row["status"] for row in ours] == [row["status"] for row in theirs]
    for mine, sample in zip(ours, theirs, strict=True):
        assert_holds(mine, sample)
        assert (mine["pending_quantity"] == 0) == (sample["pending_quantity"] == 0)


def test_trades(scene, official):
    order = scene.place()
    scene.tick(1, 26_001.0)
    scene.advance(2)
    (ours,) = scene.exchange.trades()
    (theirs,) = official(GO, "trades.json")
    assert_holds(ours, theirs, besides=("fill_timestamp",))
    assert len(ours["order_timestamp"]) == len(theirs["order_timestamp"]) == 8
    assert scene.exchange.order_trades(order) == [ours]
    (other,) = official(DOTNET, "trades.json")
    assert_holds(ours, {**other, "instrument_token": 22}, besides=("order_timestamp",))


def test_positions(scene, official):
    scene.place()
    scene.tick(1, 26_001.0)
    scene.advance(2)
    ours, theirs = scene.exchange.positions(), official(DOTNET, "positions.json")
    assert set(ours) == set(theirs)
    for side in theirs:
        for sample in theirs[side]:
            assert_holds(ours[side][0], sample)


def test_margins(scene, official):
    ours, theirs = scene.exchange.margins(), official(DOTNET, "margins.json")
    assert set(ours) == set(theirs)
    newer = ("opening_balance", "live_balance", "liquid_collateral", "stock_collateral", "delivery")
    for segment, sample in theirs.items():
        for part in ("available", "utilised"):
            assert_holds(ours[segment][part], sample[part], besides=newer)
        assert kind(ours[segment]["enabled"]) == kind(sample["enabled"])
        assert kind(ours[segment]["net"]) == kind(sample["net"])
    assert scene.exchange.margins("equity") == ours["equity"]
    with pytest.raises(ExchangeError):
        scene.exchange.margins("currency")


def test_order_and_basket_margins(scene, official):
    asked = [{name: value for name, value in form().items() if name != "variety"}] * 2
    ours = scene.exchange.order_margins(asked)
    assert_holds(ours[0], official(DOTNET, "order_margins.json")[0])
    compact = scene.exchange.order_margins(asked, compact=True)
    assert_holds(compact[0], official(DOTNET, "order_margins_compact.json")[0])
    basket, sample = scene.exchange.basket_margins(asked), official(DOTNET, "basket_margins.json")
    assert_holds(basket, sample, besides=("charges",))
    basket = scene.exchange.basket_margins(asked, compact=True)
    assert_holds(basket, official(DOTNET, "basket_margins_compact.json"))


def test_quotes(scene, official):
    key = f"NFO:{NEAR.symbol}"
    ours, theirs = scene.exchange.quote([key])[key], official(DOTNET, "quote.json")["NSE:ASHOKLEY"]
    assert_holds(ours, theirs)
    for side in ("buy", "sell"):
        assert len(ours["depth"][side]) == len(theirs["depth"][side])
    ohlc = scene.exchange.ohlc([key, str(NEAR.token), "NFO:OTHER"])
    assert list(ohlc) == [key, str(NEAR.token)]
    assert_holds(ohlc[key], official(DOTNET, "ohlc.json")["NSE:INFY"])
    assert_holds(scene.exchange.ltp([key])[key], official(DOTNET, "ltp.json")["NSE:INFY"])


def test_candles(scene, official, shared_data):
    theirs = official(DOTNET, "historical.json")["candles"][0]
    (ours,) = scene.exchange.candles(NEAR.token, "minute", at(), at(600))
    assert [kind(value) for value in ours] == [kind(value) for value in theirs]
    assert len(ours[0]) == len(theirs[0])
    assert ours[0][-5:] == theirs[0][-5:] == "+0530"
    sample = (
        shared_data / "kite/fixtures/pykiteconnect-mit/tests/mock_responses/historical_minute.json"
    ).read_text()
    (ours,) = scene.exchange.candles(NEAR.token, "minute", at(), at(600), oi=True)
    assert len(ours) == len(json.loads(sample)["data"]["candles"][0]) == 7


def test_instruments(scene, official):
    theirs = official(DOTNET, "instruments_all.csv").splitlines()
    ours = scene.exchange.instruments_csv().splitlines()
    assert ours[0] == theirs[0]
    row = next(csv.DictReader(io.StringIO("\n".join(ours))))
    assert row["instrument_type"] == "FUT"
    assert (row["lot_size"], row["tick_size"], row["expiry"]) == ("65", "0.1", "2026-11-23")
    assert int(row["instrument_token"]) == int(row["exchange_token"]) * 256 + 2
    assert scene.exchange.instruments_csv("NFO").splitlines() == ours
    assert scene.exchange.instruments_csv("NSE").splitlines() == ours[:1]


def test_profile(scene, official):
    assert_holds(scene.exchange.profile(), official(DOTNET, "profile.json"), besides=("user_id", "meta"))


def test_slices(official):
    scene = Scene(rate_limits=True, cash=1e12)
    for _ in range(8):
        scene.place(order_type="LIMIT", price=25_990)
    ours = scene.exchange.place_sliced("regular", form(lots=81))
    theirs = official(DOTNET, "autoslice_response.json")
    assert_holds(ours, theirs)
    error = next(child for child in theirs["children"] if "error" in child)
    assert kind(ours["children"][2]) == kind(error)
