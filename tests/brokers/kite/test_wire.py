"""Orders in Kite's words, and Kite's rows in ours."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.instrument import Instrument
from brokers.kite.settings import KiteSettings
from brokers.kite.wire import KiteWire, book_order_from_update, order_parameters
from brokers.wire import BookOrder, BookPosition, BookTrade, OrderRequest
from feeds.clock import IST
from feeds.errors import BrokerError

FUTURE = Instrument(14_000_002, "NIFTY26NOVFUT", "NFO", dt.date(2026, 11, 24), 65, 0.1)
SETTINGS = KiteSettings()
COMMON = {
    "exchange": "NFO", "tradingsymbol": "NIFTY26NOVFUT", "quantity": 130, "product": "MIS", "validity": "DAY",
    "tag": "mu0000000001",
}  # fmt: skip


def request(kind, size=130, price=0.0) -> OrderRequest:
    return OrderRequest("mu0000000001", size, kind, price, is_exit=False)


@pytest.mark.parametrize(
    ("asked", "settings", "expected"),
    [
        (request("market"), {}, {"transaction_type": "BUY", "order_type": "MARKET", "market_protection": -1}),
        (
            request("market", -130),
            {"market_protection": 2.5},
            {"transaction_type": "SELL", "order_type": "MARKET", "market_protection": 2.5},
        ),
        (
            request("limit", -130, 24_650.3),
            {},
            {"transaction_type": "SELL", "order_type": "LIMIT", "price": 24_650.3},
        ),
        (
            request("stop", -130, 24_500.0),
            {},
            {"transaction_type": "SELL", "order_type": "SL", "trigger_price": 24_500.0, "price": 24_255.0},
        ),
        (
            request("stop", 130, 24_700.2),
            {"stop_limit_percent": 0},
            {"transaction_type": "BUY", "order_type": "SL", "trigger_price": 24_700.2, "price": 24_700.2},
        ),
        (
            request("stop", 130, 24_700.2),
            {"stop_order": "SL-M"},
            {
                "transaction_type": "BUY",
                "order_type": "SL-M",
                "trigger_price": 24_700.2,
                "market_protection": -1,
            },
        ),
        (
            request("stop_limit", 130, 24_700.2)._replace(limit=24_705.0),
            {"stop_order": "SL-M"},
            {"transaction_type": "BUY", "order_type": "SL", "trigger_price": 24_700.2, "price": 24_705.0},
        ),
    ],
)
def test_orders_in_kites_words(asked, settings, expected):
    settings = SETTINGS.model_copy(update=settings)
    assert order_parameters(asked, FUTURE, settings) == COMMON | expected


@given(
    st.integers(1000, 2_000_000),
    st.sampled_from([0.05, 0.1, 0.2]),
    st.sampled_from([-65, 65]),
    st.floats(0, 20),
)
def test_the_limit_of_a_stop_lies_beyond_its_trigger_on_the_tick(steps, tick, size, percent):
    trigger = round(steps * tick, 10)
    settings = SETTINGS.model_copy(update={"stop_limit_percent": percent})
    order = order_parameters(request("stop", size, trigger), FUTURE._replace(tick=tick), settings)
    side = 1 if size > 0 else -1
    beyond = side * (order["price"] - trigger)
    assert trigger * percent / 100 - 1e-5 <= beyond < trigger * percent / 100 + tick
    assert order["price"] == pytest.approx(round(order["price"] / tick) * tick, abs=1e-9)
    assert order["price"] == round(order["price"], 2)


# -- rows --------------------------------------------------------------------------------------------------


def row(**changes: Any) -> dict[str, Any]:
    return {
        "order_id": "2611020000000000001", "status": "OPEN", "status_message": None,
        "status_message_raw": None, "tradingsymbol": "NIFTY26NOVFUT", "transaction_type": "SELL",
        "product": "MIS", "quantity": 130,
        "filled_quantity": 65, "pending_quantity": 65, "cancelled_quantity": 0, "average_price": 24_600.5,
        "tag": "mu1", "tags": ["mu1", "mktp", "mktp:2.00"], **changes,
    }  # fmt: skip


def test_an_order_row():
    assert book_order_from_update(row()) == BookOrder(
        "2611020000000000001",
        ("mu1", "mktp", "mktp:2.00"),
        "NIFTY26NOVFUT",
        "MIS",
        -130,
        65,
        24_600.5,
        "open",
    )


@pytest.mark.parametrize(
    ("status", "filled", "state"),
    [
        ("PUT ORDER REQ RECEIVED", 0, "pending"),
        ("VALIDATION PENDING", 0, "pending"),
        ("OPEN PENDING", 0, "pending"),
        ("MODIFY VALIDATION PENDING", 0, "pending"),
        ("MODIFY PENDING", 0, "pending"),
        ("MODIFIED", 0, "pending"),
        ("NOT MODIFIED", 0, "pending"),
        ("CANCEL PENDING", 0, "pending"),
        ("AMO REQ RECEIVED", 0, "pending"),
        ("something new", 0, "pending"),
        ("UPDATE", 0, "pending"),
        ("UPDATE", 65, "open"),
        ("TRIGGER PENDING", 0, "waiting"),
        ("OPEN", 0, "open"),
        ("OPEN", 65, "open"),
        ("COMPLETE", 130, "complete"),
        ("CANCELLED", 65, "cancelled"),
        ("REJECTED", 0, "rejected"),
    ],
)
def test_states(status, filled, state):
    order = book_order_from_update(row(status=status, filled_quantity=filled))
    assert (order.state, order.filled) == (state, filled)


@pytest.mark.parametrize(
    ("changes", "tags"),
    [
        ({"tags": None, "tag": "mu1"}, ("mu1",)),
        ({"tags": ["mu1"], "tag": None}, ("mu1",)),
        ({"tags": [], "tag": None}, ()),
        ({"tags": ["autoslice", "autoslice:1"], "tag": None}, ("autoslice", "autoslice:1")),
    ],
)
def test_marks_come_from_either_field(changes, tags):
    assert book_order_from_update(row(**changes)).tags == tags


def test_updates_have_no_list_of_marks():
    payload = row(status="COMPLETE", filled_quantity=130, unfilled_quantity=0, checksum="x", app_id=1)
    del payload["tags"]
    assert book_order_from_update(payload).tags == ("mu1",)


def test_the_brokers_words_on_a_refusal():
    words = "Insufficient funds"
    assert book_order_from_update(row(status="REJECTED", status_message=words)).message == words
    assert book_order_from_update(row(status="REJECTED", status_message_raw="RMS:16")).message == "RMS:16"


@pytest.mark.parametrize(
    "changes",
    [{"quantity": None}, {"quantity": "many"}, {"quantity": 0.5}, {"filled_quantity": float("nan")},
     {"quantity": float("inf")}, {"average_price": float("nan")}, {"trigger_price": float("inf")},
     {"transaction_type": "HOLD"}, {"transaction_type": None}, {"tags": 5}],
)  # fmt: skip
def test_a_row_that_cannot_be_read_is_refused(changes):
    with pytest.raises(BrokerError, match="row of order 2611020000000000001"):
        book_order_from_update(row(**changes))


@pytest.mark.parametrize("field", ["order_id", "status", "quantity", "filled_quantity", "product"])
def test_a_row_that_lacks_a_field_is_refused(field):
    with pytest.raises(BrokerError, match=field):
        book_order_from_update({name: value for name, value in row().items() if name != field})


class Client:
    """The answers of a client, and what it was told."""

    def __init__(self, orders=(), trades=(), positions=()) -> None:
        self._orders, self._trades, self._positions = list(orders), list(trades), list(positions)
        self.placed: list[tuple[dict, bool]] = []
        self.cancelled: list[str] = []
        self.changed: list[tuple[str, dict]] = []

    def place(self, order, *, is_exit):
        self.placed.append((order, is_exit))
        return "1"

    def cancel(self, order_id):
        self.cancelled.append(order_id)

    def modify(self, order_id, changes):
        self.changed.append((order_id, dict(changes)))

    def orders(self):
        return self._orders

    def trades(self):
        return self._trades

    def positions(self):
        return self._positions


def test_the_wire_sends_through_the_client():
    client = Client()
    wire = KiteWire(client, FUTURE, SETTINGS)
    assert wire.place(request("limit", 130, 24_650.3)._replace(is_exit=True)) == "1"
    wire.cancel("1")
    assert client.placed == [
        (COMMON | {"transaction_type": "BUY", "order_type": "LIMIT", "price": 24_650.3}, True)
    ]
    assert client.cancelled == ["1"]


@pytest.mark.parametrize(
    ("size", "resized", "settings", "expected"),
    [
        (-130, False, {}, {"order_type": "SL", "trigger_price": 24_600.0, "price": 24_354.0}),
        (130, False, {}, {"order_type": "SL", "trigger_price": 24_600.0, "price": 24_846.0}),
        (
            -65,
            True,
            {"stop_limit_percent": 0},
            {"order_type": "SL", "trigger_price": 24_600.0, "price": 24_600.0, "quantity": 65},
        ),
        (
            65,
            True,
            {"stop_order": "SL-M"},
            {"order_type": "SL-M", "trigger_price": 24_600.0, "market_protection": -1, "quantity": 65},
        ),
    ],
)
def test_a_stop_is_changed_and_its_quantity_sent_only_where_it_changes(size, resized, settings, expected):
    client = Client()
    wire = KiteWire(client, FUTURE, SETTINGS.model_copy(update=settings))
    wire.modify("7", size=size, price=24_600.0, resized=resized)
    assert client.changed == [("7", expected)]


@pytest.mark.parametrize(
    ("trigger", "price", "expected"),
    [(24_600.0, 24_354.0, 24_600.0), (0, 24_650.3, 24_650.3), (None, None, 0.0), (24_600.0, 0, 24_600.0)],
)
def test_the_price_of_a_row_is_the_trigger_of_a_stop(trigger, price, expected):
    assert book_order_from_update(row(trigger_price=trigger, price=price)).price == expected


TRADE = {
    "trade_id": "10000000", "order_id": "1", "tradingsymbol": "NIFTY26NOVFUT", "transaction_type": "BUY",
    "quantity": 65, "average_price": 24_600.5, "fill_timestamp": dt.datetime(2026, 11, 2, 9, 16, 39),  # noqa: DTZ001
    "order_timestamp": "09:16:39", "exchange_timestamp": None,
}  # fmt: skip


def test_trades_have_the_exchanges_time():
    moment = dt.datetime(2026, 11, 2, 9, 16, 39, tzinfo=IST)
    expected = BookTrade("1", "10000000", "NIFTY26NOVFUT", 65, 24_600.5, moment)
    text = {**TRADE, "fill_timestamp": None, "exchange_timestamp": "2026-11-02 09:16:39"}
    sold = {**TRADE, "transaction_type": "SELL"}
    wire = KiteWire(Client(trades=[TRADE, text, sold]), FUTURE, SETTINGS)
    assert wire.trades() == [expected, expected, expected._replace(size=-65)]


@pytest.mark.parametrize("field", ["trade_id", "quantity", "average_price", "fill_timestamp"])
def test_a_trade_that_cannot_be_read_is_refused(field):
    with pytest.raises(BrokerError, match="row of trade"):
        KiteWire(
            Client(trades=[{**TRADE, field: None} if field != "trade_id" else {}]), FUTURE, SETTINGS
        ).trades()


def test_positions_that_are_flat_are_left_out():
    held = {"tradingsymbol": "NIFTY26NOVFUT", "product": "MIS", "quantity": -65, "average_price": 24_600.5}
    wire = KiteWire(Client(positions=[{**held, "quantity": 0}, held]), FUTURE, SETTINGS)
    assert wire.positions() == [BookPosition("NIFTY26NOVFUT", "MIS", -65, 24_600.5)]
    broken = KiteWire(Client(positions=[{**held, "quantity": None}]), FUTURE, SETTINGS)
    with pytest.raises(BrokerError, match="row of position NIFTY26NOVFUT"):
        broken.positions()


# -- what the official client makes of official answers -----------------------------------------------------


def official(shared_data, name: str) -> Any:
    from kiteconnect.connect import KiteConnect

    folder = shared_data / "kite/fixtures/gokiteconnect-mit/mock_responses"
    answer = json.loads((folder / name).read_text())["data"]
    return answer if name == "positions.json" else KiteConnect("key")._format_response(answer)


@pytest.mark.real_data
def test_official_rows_are_read(shared_data):
    orders, trades = official(shared_data, "orders.json"), official(shared_data, "trades.json")
    positions = official(shared_data, "positions.json")["net"]
    wire = KiteWire(Client(orders, trades, positions), FUTURE, SETTINGS)
    for given_, read in zip(orders, wire.orders(), strict=True):
        assert read.order_id == given_["order_id"]
        assert abs(read.size) == given_["quantity"]
        assert read.state == {"COMPLETE": "complete", "CANCELLED": "cancelled", "REJECTED": "rejected"}.get(
            given_["status"], read.state
        )
    assert [trade.trade_id for trade in wire.trades()] == [given_["trade_id"] for given_ in trades]
    assert all(trade.time.tzinfo is IST for trade in wire.trades())
    assert [position.size for position in wire.positions()] == [
        given_["quantity"] for given_ in positions if given_["quantity"]
    ]


@pytest.mark.real_data
def test_the_official_history_of_an_order_is_read(shared_data):
    rows = official(shared_data, "order_info.json")
    lacking = {"product": "MIS", "transaction_type": "BUY", "filled_quantity": 0}
    states = [book_order_from_update({**lacking, **row}).state for row in rows]
    assert states == ["pending"] * 3 + ["open", *["pending"] * 3, "open"]
