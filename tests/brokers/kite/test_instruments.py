from __future__ import annotations

import csv
import datetime as dt

import pytest

from brokers.instrument import Instrument
from brokers.kite.instruments import InstrumentRow, find_future, futures_of, row_from
from feeds.errors import BrokerError


def future(symbol: str, expiry: str, *, name: str = "NIFTY", **changes) -> InstrumentRow:
    row = InstrumentRow(
        14_000_002, symbol, name, dt.date.fromisoformat(expiry), 0.1, 65, "FUT", "NFO-FUT", "NFO"
    )
    return row._replace(**changes)


ROWS = [
    future("NIFTY26DECFUT", "2026-12-29", token=2),
    future("NIFTY26NOVFUT", "2026-11-24", token=1),
    future("NIFTY27JANFUT", "2027-01-26", token=3),
    future("NIFTYNXT5026NOVFUT", "2026-11-24", name="NIFTYNXT50", token=4),
    future("BANKNIFTY26NOVFUT", "2026-11-24", name="BANKNIFTY", token=5),
    future("NIFTY26NOV24000CE", "2026-11-24", kind="CE", segment="NFO-OPT", token=6),
]


@pytest.mark.parametrize(
    ("day", "symbol"),
    [
        ("2026-11-02", "NIFTY26NOVFUT"),
        ("2026-11-24", "NIFTY26NOVFUT"),
        ("2026-11-25", "NIFTY26DECFUT"),
        (None, "NIFTY26NOVFUT"),
    ],
)
def test_the_nearest_that_is_not_over(day, symbol):
    found = find_future(ROWS, "NIFTY", day and dt.date.fromisoformat(day))
    assert found.symbol == symbol
    assert (found.lot, found.tick, found.exchange) == (65, 0.1, "NFO")


def test_where_names_are_empty_the_symbol_decides():
    rows = [row._replace(name="") for row in ROWS]
    assert [found.symbol for found in futures_of(rows, "NIFTY")] == [
        "NIFTY26NOVFUT", "NIFTY26DECFUT", "NIFTY27JANFUT",
    ]  # fmt: skip
    assert find_future(rows, "NIFTYNXT50", None).token == 4


def test_none_says_what_there_was():
    with pytest.raises(BrokerError, match=r"2027-02-01 .* 6 instruments .*NIFTY27JANFUT \(2027-01-26\)"):
        find_future(ROWS, "NIFTY", dt.date(2027, 2, 1))
    with pytest.raises(BrokerError, match=r"with futures of BANKNIFTY, NIFTY, NIFTYNXT50 .its futures: none"):
        find_future(ROWS, "FINNIFTY", None)
    with pytest.raises(BrokerError, match="among 0 instruments with futures of nothing"):
        find_future([], "NIFTY", None)


@pytest.mark.parametrize("damage", [{"lot": 0}, {"tick": 0.0}])
def test_a_future_without_lot_or_tick_is_refused(damage):
    with pytest.raises(BrokerError, match="the broker's list of today is damaged"):
        find_future([ROWS[1]._replace(**damage)], "NIFTY", None)


def test_a_row_of_another_form_is_refused():
    with pytest.raises(BrokerError, match="another form than expected"):
        row_from({"instrument_token": 1})


@pytest.mark.real_data
def test_the_official_list(shared_data):
    from kiteconnect.connect import KiteConnect

    file = shared_data / "kite/fixtures/gokiteconnect-mit/mock_responses/instruments_all.csv"
    rows = [row_from(row) for row in KiteConnect("key")._parse_instruments(file.read_bytes())]
    with file.open() as lines:
        assert len(rows) == len(list(csv.reader(lines))) - 1
    assert futures_of(rows, "NIFTY") == []
    assert all(isinstance(row.token, int) for row in rows)
    assert not any(isinstance(row, Instrument) for row in rows)
