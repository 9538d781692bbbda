"""The future to trade, out of Upstox' list."""

from __future__ import annotations

import datetime as dt

import pytest

from brokers.upstox.instruments import expired_future, find_future, future_named, futures_of
from feeds.errors import BrokerError
from feeds.sources.history import FutureKey

NOVEMBER = {
    "segment": "NSE_FO", "name": "NIFTY", "instrument_type": "FUT", "underlying_symbol": "NIFTY",
    "instrument_key": "NSE_FO|35313", "trading_symbol": "NIFTY FUT 24 NOV 26", "lot_size": 65,
    "expiry": 1_795_544_999_000, "tick_size": 10.0,
}  # fmt: skip
DECEMBER = {
    **NOVEMBER, "instrument_key": "NSE_FO|35314", "trading_symbol": "NIFTY FUT 29 DEC 26",
    "expiry": 1_798_568_999_000,
}  # fmt: skip
OTHERS = [
    {**NOVEMBER, "underlying_symbol": "NIFTYNXT50"},
    {**NOVEMBER, "instrument_type": "CE"},
    {"segment": "NSE_INDEX", "instrument_key": "NSE_INDEX|Nifty 50"},
]


@pytest.mark.parametrize(
    ("day", "symbol"),
    [
        (None, "NIFTY FUT 24 NOV 26"),
        (dt.date(2026, 11, 24), "NIFTY FUT 24 NOV 26"),
        (dt.date(2026, 11, 25), "NIFTY FUT 29 DEC 26"),
    ],
)
def test_the_near_month_of_a_day(day, symbol):
    found = find_future([DECEMBER, *OTHERS, NOVEMBER], "NIFTY", day)
    assert found.symbol == symbol
    assert (found.lot, found.tick, found.exchange) == (65, 0.1, "NSE_FO")


def test_only_futures_of_the_underlying_count():
    found = futures_of([DECEMBER, *OTHERS, NOVEMBER], "NIFTY")
    assert [(one.token, one.expiry) for one in found] == [
        (35_313, dt.date(2026, 11, 24)), (35_314, dt.date(2026, 12, 29)),
    ]  # fmt: skip


def test_a_contract_by_its_symbol():
    rows = [*OTHERS, NOVEMBER, DECEMBER]
    assert future_named(rows, "NIFTY FUT 29 DEC 26").token == 35_314
    with pytest.raises(BrokerError, match="found no future NIFTY29DECFUT in Upstox' list of today"):
        future_named(rows, "NIFTY29DECFUT")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "found no future of NIFTY"),
        ([{**NOVEMBER, "lot_size": 0}], "expected both above 0"),
        ([{**NOVEMBER, "expiry": "soon"}], "another form"),
        ([{**NOVEMBER, "instrument_key": "NSE_FO"}], "another form"),
    ],
)
def test_a_list_that_will_not_do(rows, words):
    with pytest.raises(BrokerError, match=words):
        find_future(rows, "NIFTY", dt.date(2026, 11, 20))


def test_a_contract_that_has_expired():
    row = {
        "instrument_key": "NSE_FO|35001|28-11-2024", "trading_symbol": "NIFTY FUT 28 NOV 24",
        "expiry": "2024-11-28",
    }  # fmt: skip
    expected = FutureKey("NSE_FO|35001|28-11-2024", "NIFTY FUT 28 NOV 24", dt.date(2024, 11, 28))
    assert expired_future(row) == expected
    with pytest.raises(BrokerError, match="another form"):
        expired_future({**row, "expiry": "November"})
