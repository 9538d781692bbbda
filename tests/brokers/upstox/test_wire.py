"""Orders in Upstox' words, and Upstox' rows in ours."""

from __future__ import annotations

import datetime as dt
import math

import pytest

from brokers.instrument import Instrument
from brokers.upstox.settings import UpstoxSettings
from brokers.upstox.wire import UpstoxWire, book_order, order_fields
from brokers.wire import BookOrder, BookPosition, BookTrade, OrderRequest
from feeds.clock import IST
from feeds.errors import BrokerError

FUTURE = Instrument(35_313, "NIFTY FUT 24 NOV 26", "NSE_FO", dt.date(2026, 11, 24), 65, 0.1)
KEY = "NSE_FO|35313"
SYMBOLS = {KEY: FUTURE.symbol}
ROW = {
    "order_id": "17", "instrument_token": KEY, "trading_symbol": "NIFTY26NOVFUT", "status": "open",
    "transaction_type": "SELL", "quantity": 130, "filled_quantity": 65, "average_price": 24_650.5,
    "product": "I", "tag": "mu1", "status_message": None, "trigger_price": 0.0, "price": 24_700.0,
}  # fmt: skip


def request(kind, size=130, price=0.0, limit=0.0) -> OrderRequest:
    return OrderRequest("mu1", size, kind, price, is_exit=False, limit=limit)


@pytest.mark.parametrize(
    ("asked", "settings", "expected"),
    [
        (
            request("market"), {},
            {"order_type": "MARKET", "market_protection": -1, "price": 0.0, "transaction_type": "BUY"},
        ),
        (request("limit", -130, 24_650.3), {}, {"order_type": "LIMIT", "price": 24_650.3}),
        (
            request("stop", -130, 24_500.0), {},
            {"order_type": "SL", "trigger_price": 24_500.0, "price": 24_255.0, "transaction_type": "SELL"},
        ),
        (
            request("stop", 130, 24_700.2), {"stop_order": "SL-M", "market_protection": 2.0},
            {"order_type": "SL-M", "trigger_price": 24_700.2, "price": 0.0, "market_protection": 2.0},
        ),
        (
            request("stop_limit", 130, 24_700.2, 24_710.0), {"product": "D"},
            {"order_type": "SL", "trigger_price": 24_700.2, "price": 24_710.0, "product": "D"},
        ),
    ],
)  # fmt: skip
def test_what_is_sent(asked, settings, expected):
    fields = order_fields(asked, FUTURE, UpstoxSettings(**settings))
    assert expected.items() <= fields.items()
    assert fields["instrument_token"] == KEY
    assert (fields["quantity"], fields["tag"], fields["validity"]) == (130, "mu1", "DAY")
    assert (fields["slice"], fields["is_amo"], fields["disclosed_quantity"]) == (False, False, 0)


@pytest.mark.parametrize(("resized", "quantity"), [(True, 65), (False, None)])
def test_a_changed_stop_names_its_quantity_only_where_that_changes(resized, quantity):
    class Client:
        def modify(self, order_id, changes):
            self.sent = (order_id, changes)

    client = Client()
    UpstoxWire(client, FUTURE, UpstoxSettings()).modify("17", size=-65, price=24_500.0, resized=resized)
    order_id, changes = client.sent
    assert order_id == "17"
    assert changes.get("quantity") == quantity
    assert changes["trigger_price"] == 24_500.0
    assert changes["validity"] == "DAY"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("open", "open"),
        ("OPEN", "open"),
        ("trigger pending", "waiting"),
        ("complete", "complete"),
        ("cancelled", "cancelled"),
        ("cancelled after market order", "cancelled"),
        ("rejected", "rejected"),
        ("put order req received", "pending"),
        ("not modified", "pending"),  # the order lives
        ("not cancelled", "pending"),
        ("something new", "pending"),
    ],
)
def test_states(status, state):
    assert book_order({**ROW, "status": status}, SYMBOLS).state == state


def test_a_row_of_the_book():
    assert book_order(ROW, SYMBOLS) == BookOrder(
        "17", ("mu1",), FUTURE.symbol, "I", -130, 65, 24_650.5, "open", "", 24_700.0
    )
    other = book_order(
        {**ROW, "instrument_token": "NSE_FO|1", "tag": None, "trigger_price": 24_600.0}, SYMBOLS
    )
    assert (other.symbol, other.tags, other.price) == ("NIFTY26NOVFUT", (), 24_600.0)


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": 65.5}, {"transaction_type": "HOLD"}, {"quantity": None},
        {"quantity": math.inf}, {"filled_quantity": math.nan},
        {"average_price": math.nan}, {"average_price": -math.inf}, {"trigger_price": math.inf},
        {"price": math.nan},
    ],
)  # fmt: skip
def test_a_row_of_another_form_is_not_believed(change):
    with pytest.raises(BrokerError, match="nothing is concluded"):
        book_order({**ROW, **change}, SYMBOLS)


@pytest.mark.parametrize("price", [None, math.nan, math.inf, "much"])
def test_a_trade_without_a_price_is_not_believed(price):
    class Client:
        def trades(self):
            time = "2026-11-20 09:20:01"
            return [{**ROW, "trade_id": "5", "exchange_timestamp": time, "average_price": price}]

    with pytest.raises(BrokerError, match="nothing is concluded"):
        UpstoxWire(Client(), FUTURE, UpstoxSettings()).trades()


def test_trades_and_positions():
    class Client:
        def trades(self):
            return [{
                **ROW, "trade_id": "5", "quantity": 65, "exchange_timestamp": "2026-11-20 09:20:01",
            }]  # fmt: skip

        def positions(self):
            return [{**ROW, "quantity": -65}, {**ROW, "quantity": 0}]

    wire = UpstoxWire(Client(), FUTURE, UpstoxSettings())
    time = dt.datetime(2026, 11, 20, 9, 20, 1, tzinfo=IST)
    assert wire.trades() == [BookTrade("17", "5", FUTURE.symbol, -65, 24_650.5, time)]
    assert wire.positions() == [BookPosition(FUTURE.symbol, "I", -65, 24_650.5)]
