"""The sandbox and the official fixtures, both read by the unmodified official client, look alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
from kiteconnect import KiteConnect

from brokers.sandbox.server import SandboxServer
from tests.brokers.sandbox_server.support import (
    NEAR,
    PRICE,
    WAIT,
    at,
    config_of,
    market_order,
    official_client,
)
from tests.contract.fixtures import SETS, fixture_client
from tests.contract.shapes import Shape

pytestmark = pytest.mark.real_data

KEY = f"NFO:{NEAR.symbol}"
ASKED = [
    {
        "exchange": "NFO", "tradingsymbol": NEAR.symbol, "transaction_type": side, "variety": "regular",
        "product": "NRML", "order_type": "MARKET", "quantity": NEAR.lot, "price": 0, "trigger_price": 0,
    }
    for side in ("BUY", "SELL")
]  # fmt: skip
RUPEES = (
    "price", "trigger_price", "average_price", "last_price", "close_price", "open", "high", "low", "close",
    "value", "pnl", "m2m", "unrealised", "realised", "buy_price", "buy_value", "buy_m2m", "sell_price",
    "sell_value", "sell_m2m", "day_buy_price", "day_buy_value", "day_sell_price", "day_sell_value",
    "net", "cash", "opening_balance", "live_balance", "debits", "exposure", "span", "m2m_realised",
    "m2m_unrealised", "total", "var", "transaction_tax", "exchange_turnover_charge", "sebi_turnover_charge",
    "brokerage", "stamp_duty", "igst", "cgst", "sgst", "tick_size", "lower_circuit_limit",
    "upper_circuit_limit",
)  # fmt: skip
"""Kite's JSON has 0 and 90 where another row has 90.5; these are no counts."""

Ask = Callable[[KiteConnect], Any]


class Endpoint(NamedTuple):
    """One call, the fixtures that answer it (newest first), and what may stand beside their fields."""

    ask: Ask
    fixtures: Sequence[str]
    optional: Sequence[str] = ()


# Documented fields of newer answers than these fixtures.
ORDER_FIELDS = ("account_id", "modified", "guid", "meta", "tags", "validity_ttl", "exchange_update_timestamp")
MARGIN_FIELDS = (
    "live_balance", "opening_balance", "liquid_collateral", "stock_collateral", "delivery", "turnover",
)  # fmt: skip

ENDPOINTS = {
    "orders": Endpoint(lambda kite: kite.orders(), ["net/orders.json", "go/orders.json"], ORDER_FIELDS),
    "order_history": Endpoint(
        lambda kite: [row for order in kite.orders() for row in kite.order_history(order["order_id"])],
        ["net/orderinfo.json", "go/order_info.json"],
    ),
    "trades": Endpoint(
        lambda kite: kite.trades(), ["go/trades.json", "go/order_trades.json"], ["fill_timestamp"],
    ),
    "order_trades": Endpoint(
        lambda kite: [row for order in kite.orders() for row in kite.order_trades(order["order_id"])],
        ["go/order_trades.json", "go/trades.json"],
        ["fill_timestamp"],
    ),
    "positions": Endpoint(lambda kite: kite.positions(), ["net/positions.json", "go/positions.json"]),
    "margins": Endpoint(lambda kite: kite.margins(), ["net/margins.json", "go/margins.json"], MARGIN_FIELDS),
    "margins_of_a_segment": Endpoint(
        lambda kite: kite.margins("equity"), ["net/equity_margins.json", "go/margins_equity.json"],
        MARGIN_FIELDS,
    ),
    "profile": Endpoint(
        lambda kite: kite.profile(), ["net/profile.json", "go/profile.json"], ["user_id", "meta"]
    ),
    "quote": Endpoint(lambda kite: kite.quote([KEY])[KEY], ["net/quote.json", "go/quote.json"]),
    "ohlc": Endpoint(lambda kite: kite.ohlc([KEY])[KEY], ["net/ohlc.json", "go/ohlc.json"]),
    "ltp": Endpoint(lambda kite: kite.ltp([KEY])[KEY], ["net/ltp.json", "go/ltp.json"]),
    "historical": Endpoint(
        lambda kite: kite.historical_data(NEAR.token, at("09:15"), at("15:40"), "minute"),
        ["net/historical.json", "go/historical_minute.json"],
    ),
    "instruments": Endpoint(
        lambda kite: kite.instruments(), ["net/instruments_all.csv", "go/instruments_all.csv"]
    ),
    "order_margins": Endpoint(
        lambda kite: kite.order_margins(ASKED), ["net/order_margins.json", "go/order_margins.json"]
    ),
    "order_margins_compact": Endpoint(
        lambda kite: kite._post(
            "order.margins", params=ASKED, is_json=True, query_params={"mode": "compact"}
        ),
        ["net/order_margins_compact.json"],
    ),
    "basket_margins": Endpoint(
        lambda kite: kite.basket_order_margins(ASKED), ["net/basket_margins.json"], ["charges"]
    ),
    "basket_margins_compact": Endpoint(
        lambda kite: kite.basket_order_margins(ASKED, mode="compact"), ["net/basket_margins_compact.json"]
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def kite():
    """A client of a sandbox with orders that were filled, cancelled, refused, changed, and that wait."""
    with SandboxServer(config_of(clock_start=at("09:15"))) as server:
        client = official_client(server)
        fill_the_book(server, client)
        yield client
        client.reqsession.close()


def fill_the_book(server: SandboxServer, kite: KiteConnect) -> None:
    limit = {"order_type": "LIMIT", "market_protection": None}
    stop = {"order_type": "SL", "market_protection": None, "trigger_price": PRICE - 50, "price": PRICE - 60}
    server.trade(PRICE)
    kite.place_order(**market_order(tag="filled"))
    kite.place_order(**market_order("SELL"))
    server.trade(PRICE, seconds=1)
    server.advance(1)
    changed = kite.place_order(**market_order(**limit, price=PRICE - 80))
    cancelled = kite.place_order(**market_order(**limit, price=PRICE - 90.5))
    kite.place_order(**market_order("SELL", **stop))
    kite.place_order(**market_order(quantity=27 * NEAR.lot))  # the margin does not suffice
    server.advance(1)
    kite.modify_order("regular", changed, price=PRICE - 70.5)
    kite.cancel_order("regular", cancelled)
    server.advance(1)
    assert sorted(row["status"] for row in kite.orders()) == [
        "CANCELLED", "COMPLETE", "COMPLETE", "OPEN", "REJECTED", "TRIGGER PENDING",
    ]  # fmt: skip


def fixture_answer(shared_data, endpoint: Endpoint, name: str) -> Any:
    """What the client makes of a fixture; of those that answer by key, one row."""
    asking = fixture_client(shared_data / "kite/fixtures", name)
    lists = {"orders": asking.orders, "trades": asking.trades}
    file = name.partition("/")[2].removesuffix(".json")
    if file in ("quote", "ohlc", "ltp"):
        return next(iter(getattr(asking, file)(["X"]).values()))
    if file in ("orderinfo", "order_info"):
        return asking.order_history("1")
    if file == "order_trades":
        return asking.order_trades("1")
    return lists[file]() if file in lists else endpoint.ask(asking)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_an_endpoint_answers_as_the_fixtures_do(shared_data, kite, name):
    endpoint = ENDPOINTS[name]
    examples = [fixture_answer(shared_data, endpoint, fixture) for fixture in endpoint.fixtures]
    answer = endpoint.ask(kite)
    assert answer, "nothing to compare"
    if isinstance(answer, list):
        newest = len(examples[0])
        shape = Shape([row for rows in examples for row in rows], newest=newest)
        rows = answer
    else:
        shape, rows = Shape(examples, newest=1), [answer]
    found = {fault for row in rows for fault in shape.faults(row, optional=endpoint.optional, rupees=RUPEES)}
    assert sorted(found) == []


def test_a_changed_order_goes_through_the_states_of_the_fixture(shared_data, kite):
    example = fixture_client(shared_data / "kite/fixtures", "go/order_info.json")
    changed = next(row["order_id"] for row in kite.orders() if row["status"] == "OPEN")
    assert [row["status"] for row in kite.order_history(changed)] == [
        row["status"] for row in example.order_history("1")
    ]


def test_the_answer_to_a_sliced_order_is_that_of_the_fixture(shared_data, kite):
    example = fixture_client(shared_data / "kite/fixtures", "net/autoslice_response.json")
    shape = Shape([example.place_autoslice_order(**market_order())])
    answer = kite.place_autoslice_order(**market_order(quantity=60 * NEAR.lot))
    assert list(shape.faults(answer)) == []
    assert len(answer["children"]) == 3


def test_placing_answers_with_an_order_id(shared_data, kite):
    example = fixture_client(shared_data / "kite/fixtures", "go/order_response.json")
    order_id = kite.place_order(**market_order())
    assert type(order_id) is type(example.place_order(**market_order()))
    assert order_id.isdigit()
    assert len(order_id) == 19


def test_a_refusal_has_the_form_of_the_fixture(shared_data, kite):
    path = shared_data / "kite/fixtures" / SETS["net"] / "error.json"
    example = json.loads(path.read_text(encoding="utf-8-sig"))
    answer = kite.reqsession.get(kite.root + "/nowhere", timeout=WAIT).json()
    assert answer.keys() == example.keys()
    assert (answer["status"], answer["data"]) == (example["status"], example["data"])


def test_a_contract_note_has_the_charges_of_an_order_margin(kite):
    orders = [{**order, "order_id": "1", "average_price": PRICE} for order in ASKED]
    notes, margins = kite.get_virtual_contract_note(orders), kite.order_margins(ASKED)
    assert [note["transaction_type"] for note in notes] == ["BUY", "SELL"]
    assert [set(note["charges"]) for note in notes] == [set(row["charges"]) for row in margins]


def test_candles_carry_open_interest_where_it_is_asked_for(kite):
    rows = kite.historical_data(NEAR.token, at("09:15"), at("15:40"), "minute", oi=True)
    assert set(rows[0]) == {"date", "open", "high", "low", "close", "volume", "oi"}


def test_lists_of_what_is_not_traded_here_are_empty(kite):
    assert (kite.holdings(), kite.get_gtts()) == ([], [])


def test_a_position_is_converted_to_another_product():
    with SandboxServer(config_of()) as server:
        server.trade(PRICE)
        client = official_client(server)
        client.place_order(**market_order())
        server.trade(PRICE, seconds=1)
        server.advance(1)
        done = client.convert_position(
            exchange="NFO", tradingsymbol=NEAR.symbol, transaction_type="BUY", position_type="day",
            quantity=NEAR.lot, old_product="MIS", new_product="NRML",
        )  # fmt: skip
        rows = {row["product"]: row["quantity"] for row in client.positions()["net"]}
        client.reqsession.close()
    assert done is True
    assert rows == {"MIS": 0, "NRML": NEAR.lot}
