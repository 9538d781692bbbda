"""The history's answers put together: the past and the day that runs, each minute once."""

from __future__ import annotations

import datetime as dt
import gzip
import json

import pytest

from brokers.upstox.client import UpstoxClient
from brokers.upstox.history import UpstoxHistory, UpstoxMinutes
from brokers.upstox.settings import UpstoxSettings
from feeds.clock import IST
from feeds.errors import DataError
from feeds.log import NullLog
from feeds.sources.history import FutureKey
from tests.brokers.kite.servers import Answer, HttpServer, data

KEY = "NSE_FO|35313"
FRIDAY, MONDAY = dt.date(2026, 11, 20), dt.date(2026, 11, 23)
PAST = f"GET /v3/historical-candle/{KEY.replace('|', '%7C')}/minutes/1/{MONDAY}/{FRIDAY}"
EXPIRIES = "GET /v2/expired-instruments/expiries"
EXPIRED = "GET /v2/expired-instruments/future/contract"
LISTED = "GET /list.json.gz"
TODAY = f"GET /v3/historical-candle/intraday/{KEY.replace('|', '%7C')}/minutes/1"


def row(day, minute):
    return [f"{day}T09:{minute}:00+05:30", 100.0, 101.0, 99.0, 100.5, 65, 6500]


@pytest.fixture
def server():
    with HttpServer() as running:
        yield running


@pytest.fixture
def client(server):
    settings = UpstoxSettings(
        api_root=server.root, order_root=server.root, instruments_url=f"{server.root}/list.json.gz"
    )
    made = UpstoxClient(settings, "token", NullLog())
    yield made
    made.close()


@pytest.fixture
def minutes(client):
    def read(until=dt.time(15, 30)):
        first = dt.datetime.combine(FRIDAY, dt.time(9, 15), IST)
        return UpstoxMinutes(client, KEY).minutes(first, dt.datetime.combine(MONDAY, until, IST))

    return read


def test_the_past_and_the_day_that_runs_are_one_oldest_first(server, minutes):
    server.on(PAST, data({"candles": [row(FRIDAY, 16), row(FRIDAY, 15)]}))
    server.on(TODAY, data({"candles": [row(MONDAY, 16), row(MONDAY, 15)]}))
    assert [f"{stamp:%d %H:%M}" for stamp in minutes().index] == [
        "20 09:15", "20 09:16", "23 09:15", "23 09:16",
    ]  # fmt: skip


def test_before_the_day_has_begun_the_session_before_comes_once(server, minutes):
    rows = {"candles": [row(FRIDAY, 16), row(FRIDAY, 15)]}
    server.on(PAST, data(rows))
    server.on(TODAY, data(rows))
    assert [f"{stamp:%d %H:%M}" for stamp in minutes(dt.time(8, 30)).index] == ["20 09:15", "20 09:16"]


def test_a_day_that_is_among_the_past_ones_is_not_asked_for_again(server, minutes):
    server.on(PAST, data({"candles": [row(MONDAY, 15)]}))
    assert len(minutes()) == 1
    assert server.of(TODAY) == []


@pytest.mark.parametrize("time", ["2026-11-20T09:15:00", "soon", None])
def test_a_candle_without_a_time_that_can_be_read_is_told(server, minutes, time):
    server.on(PAST, data({"candles": [[time, *row(FRIDAY, 15)[1:]]]}))
    with pytest.raises(DataError, match="expected"):
        minutes()


def test_a_minute_that_comes_twice_is_not_believed(server, minutes):
    server.on(PAST, data({"candles": [row(MONDAY, 15), row(MONDAY, 15)]}))
    with pytest.raises(DataError, match="strictly increasing"):
        minutes()


def listed(symbol, token, expiry):
    end = dt.datetime.combine(expiry, dt.time(23, 59, 59), IST)
    return {
        "segment": "NSE_FO", "instrument_type": "FUT", "underlying_symbol": "NIFTY", "lot_size": 65,
        "instrument_key": f"NSE_FO|{token}", "trading_symbol": symbol, "tick_size": 10.0,
        "expiry": int(end.timestamp() * 1000),
    }  # fmt: skip


def expired(symbol, token, expiry):
    return {
        "instrument_key": f"NSE_FO|{token}|{expiry:%d-%m-%Y}",
        "trading_symbol": symbol,
        "expiry": f"{expiry}",
    }


NOVEMBER, OCTOBER, SEPTEMBER = dt.date(2026, 11, 24), dt.date(2026, 10, 27), dt.date(2026, 9, 29)


@pytest.fixture
def history(server, client):
    rows = [listed("NIFTY FUT 24 NOV 26", 35_313, NOVEMBER)]
    server.on(LISTED, Answer(gzip.compress(json.dumps(rows).encode())))
    return UpstoxHistory(client)


def test_what_has_expired_is_not_asked_for_where_the_listed_ones_do(server, history):
    (found,) = history.futures("NIFTY", NOVEMBER, FRIDAY)
    assert found == FutureKey(KEY, "NIFTY FUT 24 NOV 26", NOVEMBER)
    assert server.of(EXPIRIES) == []


def test_expiries_of_options_alone_are_passed_over(server, history):
    weeks = [SEPTEMBER, dt.date(2026, 10, 20), OCTOBER, dt.date(2026, 11, 3), dt.date(2026, 11, 10)]
    server.on(EXPIRIES, data([f"{day}" for day in reversed(weeks)]))
    row = expired("NIFTY FUT 27 OCT 26", 41_000, OCTOBER)
    server.on(EXPIRED, data([]), data([row]), data([]))
    assert history.futures("NIFTY", OCTOBER, FRIDAY) == [
        FutureKey("NSE_FO|41000|27-10-2026", "NIFTY FUT 27 OCT 26", OCTOBER),
        FutureKey(KEY, "NIFTY FUT 24 NOV 26", NOVEMBER),
    ]
    asked = [request.fields["expiry_date"] for request in server.of(EXPIRED)]
    assert asked == [[f"{day}"] for day in weeks[1:]]


def test_an_expiry_that_is_not_the_calendars_is_found_so_that_it_can_be_told(server, history):
    day = OCTOBER - dt.timedelta(days=1)
    server.on(EXPIRIES, data([f"{day}"]))
    server.on(EXPIRED, data([expired("NIFTY FUT 26 OCT 26", 41_000, day)]))
    assert [one.expiry for one in history.futures("NIFTY", OCTOBER, FRIDAY)] == [day, NOVEMBER]
