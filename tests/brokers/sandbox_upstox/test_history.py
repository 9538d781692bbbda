"""Upstox' candles: lengths, spans, order, today, and contracts that have expired."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from brokers.sandbox.instruments import SandboxIndex, near_next_far
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.upstox.names import expired_key, key_of
from tests.brokers.sandbox_server.support import CALENDAR, DAY, INSTRUMENTS, NEAR, PRICE, at, config_of
from tests.brokers.sandbox_upstox.support import KEY, candles, refusal
from tests.feeds.frames import day_frame

OLD = near_next_far("NIFTY", DAY.replace(month=8, day=3), CALENDAR)[0]
INDEX = SandboxIndex(256_265, 1001, "NIFTY 50")
PAST = f"/v3/historical-candle/{KEY}"
TODAY = f"/v3/historical-candle/intraday/{KEY}"
EXPIRED = f"/v2/expired-instruments/historical-candle/{expired_key(OLD)}"
DAYS = ("2021-12-31", "2026-08-31", "2026-09-21", "2026-09-22", "2026-09-23")


@pytest.fixture(scope="module")
def server():
    """Whole days of the near month, the first ten minutes of the others, and two prints of today."""
    near = pd.concat([day_frame(day, price=PRICE + 1000 * number) for number, day in enumerate(DAYS)])
    histories = {
        NEAR.token: near, INDEX.token: day_frame("2026-09-23", 10), OLD.token: day_frame("2026-08-20", 10),
    }  # fmt: skip
    config = config_of(exchange={"instruments": (*INSTRUMENTS, OLD), "indices": (INDEX,)})
    with SandboxServer(dataclasses.replace(config, histories=histories)) as running:
        running.trade(PRICE)
        running.trade(PRICE + 5, 2 * NEAR.lot, seconds=65)
        yield running


@pytest.mark.parametrize(
    ("length", "newest", "oldest", "count"),
    [
        ("minutes/1", "2026-09-23T15:29", "2026-09-22T09:15", 750),
        ("minutes/3", "2026-09-23T15:27", "2026-09-22T09:15", 250),
        ("minutes/7", "2026-09-23T15:26", "2026-09-22T09:15", 108),
        ("minutes/300", "2026-09-23T14:15", "2026-09-22T09:15", 4),
        ("hours/1", "2026-09-23T15:15", "2026-09-22T09:15", 14),
        ("hours/5", "2026-09-23T14:15", "2026-09-22T09:15", 4),
        ("days/1", "2026-09-23T00:00", "2026-09-22T00:00", 2),
        ("weeks/1", "2026-09-21T00:00", "2026-09-21T00:00", 1),
        ("months/1", "2026-09-01T00:00", "2026-09-01T00:00", 1),
    ],
)
def test_candles_come_newest_first(server, length, newest, oldest, count):
    rows = candles(server, f"{PAST}/{length}/2026-09-23/2026-09-22")
    stamps = [row[0] for row in rows]
    assert (stamps[0], stamps[-1], len(rows)) == (f"{newest}:00+05:30", f"{oldest}:00+05:30", count)
    assert stamps == sorted(stamps, reverse=True)


def test_a_candle_holds_open_high_low_close_volume_and_interest(server):
    first, second = candles(server, f"{PAST}/days/1/2026-09-22/2026-09-21")[::-1]
    assert first == ["2026-09-21T00:00:00+05:30", 27000.0, 27019.7, 26999.0, 27018.7, 5_287_500, 103_050]
    assert second[1] == 28000.0
    (week,) = candles(server, f"{PAST}/weeks/1/2026-09-22/2026-09-21")
    assert week == [first[0], 27000.0, 28019.7, 26999.0, 28018.7, 2 * 5_287_500, 103_050]


@pytest.mark.parametrize(
    ("length", "longest"),
    [("minutes/1", "2026-08-23"), ("minutes/15", "2026-08-23"), ("minutes/16", "2026-06-23"),
     ("minutes/300", "2026-06-23"), ("hours/1", "2026-06-23"), ("days/1", "2016-09-23")],
)  # fmt: skip
def test_a_request_covers_so_much_and_not_a_day_more(server, length, longest):
    assert candles(server, f"{PAST}/{length}/2026-09-23/{longest}")
    more = (pd.Timestamp(longest) - pd.Timedelta(days=1)).date()
    assert refusal(server, f"{PAST}/{length}/2026-09-23/{more}") == (400, "UDAPI1148")


def test_weeks_and_months_have_no_limit(server):
    months = candles(server, f"{PAST}/months/1/2026-09-23/1990-01-01")
    assert [row[0][:10] for row in months] == ["2026-09-01", "2026-08-01", "2021-12-01"]
    assert len(candles(server, f"{PAST}/weeks/1/2026-09-23/1990-01-01")) == 3


def test_minutes_begin_in_2022(server):
    assert candles(server, f"{PAST}/minutes/1/2022-01-03/2021-12-31") == []
    assert len(candles(server, f"{PAST}/days/1/2022-01-03/2021-12-31")) == 1


def test_without_a_first_day_an_answer_covers_what_one_request_may(server):
    assert candles(server, f"{PAST}/minutes/1/2026-09-23") == candles(
        server, f"{PAST}/minutes/1/2026-09-23/2026-08-23"
    )
    assert len(candles(server, f"{PAST}/months/1/2026-09-23")) == 3


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{PAST}/ticks/1/2026-09-23/2026-09-22", "UDAPI1146"),
        (f"{PAST}/minutes/0/2026-09-23/2026-09-22", "UDAPI1147"),
        (f"{PAST}/minutes/301/2026-09-23/2026-09-22", "UDAPI1147"),
        (f"{PAST}/minutes/x/2026-09-23/2026-09-22", "UDAPI1147"),
        (f"{PAST}/hours/6/2026-09-23/2026-09-22", "UDAPI1147"),
        (f"{PAST}/days/2/2026-09-23/2026-09-22", "UDAPI1147"),
        (f"{PAST}/minutes/1/2026-09-22/2026-09-23", "UDAPI1015"),
        (f"{PAST}/minutes/1/20260923/2026-09-22", "UDAPI1015"),
        (f"{PAST}/minutes/1/2026-09-31/2026-09-22", "UDAPI1015"),
        ("/v3/historical-candle/NSE_FO|1/minutes/1/2026-09-23/2026-09-22", "UDAPI100011"),
        ("/v3/historical-candle/NSE_INDEX|NIFTY 50/days/1/2026-09-23/2026-09-22", "UDAPI100011"),
        (f"/v3/historical-candle/{expired_key(OLD)}x/days/1/2026-09-23/2026-09-22", "UDAPI100011"),
        (f"{TODAY}/weeks/1", "UDAPI1146"),
        (f"{TODAY}/minutes/301", "UDAPI1147"),
    ],
)
def test_refusals_have_upstoxs_codes(server, path, code):
    assert refusal(server, path) == (400, code)


def test_today_has_an_answer_of_its_own_with_the_candle_that_forms(server):
    assert candles(server, f"{TODAY}/minutes/1") == [
        [f"{DAY}T09:16:00+05:30", PRICE + 5, PRICE + 5, PRICE + 5, PRICE + 5, 2 * NEAR.lot, 0],
        [f"{DAY}T09:15:00+05:30", PRICE, PRICE, PRICE, PRICE, NEAR.lot, 0],
    ]
    for length in ("minutes/3", "hours/1", "days/1"):
        (row,) = candles(server, f"{TODAY}/{length}")
        assert row[1:6] == [PRICE, PRICE + 5, PRICE, PRICE + 5, 3 * NEAR.lot]
    past = candles(server, f"{PAST}/minutes/1/{DAY}/{DAY}")
    assert past == []


def test_a_contract_without_a_print_today_has_no_candles(server):
    assert candles(server, f"/v3/historical-candle/intraday/{key_of(INSTRUMENTS[1])}/minutes/1") == []


def test_an_index_has_a_history(server):
    path = "/v3/historical-candle/NSE_INDEX|Nifty 50/minutes/5/2026-09-23/2026-09-22"
    assert [row[0][11:16] for row in candles(server, path)] == ["09:20", "09:15"]


@pytest.mark.parametrize(
    ("interval", "count"),
    [("1minute", 10), ("3minute", 4), ("5minute", 2), ("15minute", 1), ("30minute", 1), ("day", 1)],
)
def test_expired_contracts_have_candles(server, interval, count):
    path = f"{EXPIRED}/{interval}/2026-08-25/2026-08-01"
    assert len(candles(server, path, token=server.access_token)) == count


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{EXPIRED}/2minute/2026-08-25/2026-08-01", "UDAPI1147"),
        (f"{EXPIRED}/day/2026-08-01/2026-08-25", "UDAPI1015"),
        (f"/v2/expired-instruments/historical-candle/{KEY}/day/2026-09-23/2026-09-22", "UDAPI100011"),
        ("/v2/expired-instruments/historical-candle/NSE_FO|1|25-08-2026/day/2026-08-25/2026-08-01",
         "UDAPI100011"),
    ],
)  # fmt: skip
def test_expired_ones_are_refused_with_codes_as_well(server, path, code):
    assert refusal(server, path, token=server.access_token) == (400, code)


def test_a_contract_has_not_expired_on_its_last_day():
    config = config_of(exchange={"day": NEAR.expiry}, clock_start=at("09:15", NEAR.expiry))
    with SandboxServer(config) as server:
        path = f"/v2/expired-instruments/historical-candle/{KEY}/day/{NEAR.expiry}/{NEAR.expiry}"
        assert refusal(server, path, token=server.access_token) == (400, "UDAPI100011")
        assert candles(server, f"{TODAY}/days/1") == []


def test_expired_ones_want_the_token(server):
    assert refusal(server, f"{EXPIRED}/day/2026-08-25/2026-08-01") == (401, "UDAPI100050")
