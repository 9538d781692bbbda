"""``python -m feeds fetch --source upstox`` against the sandbox as Upstox: expired contracts and all."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from brokers.sandbox.config import ExchangeConfig
from brokers.sandbox.faults import Fault
from brokers.sandbox.instruments import near_next_far
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.server_config import SandboxConfig
from brokers.sandbox.upstox.limits import UpstoxReadLimits
from feeds.__main__ import main
from feeds.bars import aggregate
from feeds.store.parquet import ParquetStore
from tests.feeds.fetch_market import CALENDAR, DAY, INDEX, NEAR, index_minutes

FIRST, LAST = dt.date(2024, 9, 9), dt.date(2024, 10, 14)
ROLL = dt.date(2024, 9, 27)
MINUTES = index_minutes(FIRST, LAST)
OLD = near_next_far("NIFTY", FIRST, CALENDAR)[0]


def of_contract(price: float, first: dt.date, last: dt.date) -> pd.DataFrame:
    bars = MINUTES.assign(volume=65.0 * 40, open_interest=65.0 * 90_000)
    bars[["open", "high", "low", "close"]] += price
    days = pd.DatetimeIndex(bars.index).date
    return bars[(days >= first) & (days <= last)]


BARS = {OLD: of_contract(0.0, FIRST, OLD.expiry), NEAR: of_contract(100.0, FIRST, LAST)}


@pytest.fixture
def asked(monkeypatch):
    """Count the reads at the server."""
    counted: list[float] = []
    real = UpstoxReadLimits.take

    def take(limits):
        counted.append(limits._monotonic())
        real(limits)

    monkeypatch.setattr(UpstoxReadLimits, "take", take)
    return counted


@pytest.fixture
def server(monkeypatch, asked):
    monkeypatch.setattr("feeds.fetch.run._PAUSE_SECONDS", 0.0)
    rules = ExchangeConfig(
        instruments=(*near_next_far("NIFTY", DAY, CALENDAR), OLD), indices=(INDEX,), day=DAY,
        calendar=CALENDAR, previous_closes={NEAR.token: 25_000.0},
    )  # fmt: skip
    histories = {INDEX.token: MINUTES, **{one.token: frame for one, frame in BARS.items()}}
    config = SandboxConfig(exchange=rules, histories=histories, start="manual", access_token="alive")
    with SandboxServer(config) as running:
        monkeypatch.setenv("UPSTOX_API_KEY", running.api_key)
        monkeypatch.setenv("UPSTOX_ACCESS_TOKEN", running.access_token)
        yield running


@pytest.fixture
def run(server, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run_it(first=FIRST, last=LAST, *more):
        code = main([
            "fetch", "--source", "upstox", "--from", str(first), "--to", str(last), "--store", "bars",
            "--set", f"broker.upstox.api_root={server.api_root}",
            "--set", f"broker.upstox.instruments_url={server.instruments_url}", *more,
        ])  # fmt: skip
        printed = capsys.readouterr()
        return code, printed.out.splitlines(), printed.err

    return run_it


def stored(name, minutes):
    return ParquetStore("bars").load(name, minutes)


def test_the_near_month_is_put_together_from_contracts_that_have_expired_and_that_are_listed(run, asked):
    code, _, err = run()
    assert (code, err) == (0, "")
    old, near = BARS[OLD], BARS[NEAR]
    expected = pd.concat([old, near[pd.DatetimeIndex(near.index).date >= ROLL]])
    pd.testing.assert_frame_equal(stored("NIFTY", 1), expected, check_freq=False)
    before = len(asked)
    assert run()[0] == 0
    # Nothing is asked for twice but what there is: the time, the list and the expired contracts
    assert len(asked) - before <= 4


def test_one_contract_that_has_expired(run):
    code, _, err = run(FIRST, OLD.expiry, "--contract", "2024-09", "--interval", "3minute")
    assert (code, err) == (0, "")
    expected = aggregate(BARS[OLD], 3, CALENDAR)
    pd.testing.assert_frame_equal(stored("NIFTY-2024-09", 3), expected, check_freq=False)


def test_the_index(run):
    assert run(FIRST, LAST, "--index", "--interval", "15minute")[0] == 0
    assert len(stored("NIFTY-INDEX", 15)) == 25 * len(CALENDAR.sessions(FIRST, LAST))


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (["--interval", "7minute"], 2, "Upstox has no candles of 7 minutes"),
        (
            ["--contract", "2024-09", "--interval", "60minute"],
            4,
            "of expired contracts, expected 1, 3",
        ),
        (["--contract", "2024-07"], 4, "upstox has no candles of the NIFTY future of 2024-07"),
        (["--instrument", "SENSEX", "--index"], 4, "found no index for SENSEX"),
    ],
)
def test_what_upstox_does_not_have_is_one_line(run, more, code, words):
    first = dt.date(2024, 7, 1) if "2024-07" in more else FIRST
    found, _, err = run(first, OLD.expiry, *more)
    assert found == code
    assert words in err
    assert err.count("\n") == 1


def test_a_lost_answer_is_asked_for_again(run, server):
    server.faults.add(Fault(kind="lost_answer", route="GET /v3/historical-candle/*", count=2))
    assert run(ROLL, LAST)[0] == 0
    assert len(stored("NIFTY", 1)) == 375 * len(CALENDAR.sessions(ROLL, LAST))


def test_an_account_without_the_plan_is_told(run, server):
    server.faults.add(
        Fault(
            kind="refuse", status=403, route="GET /v2/expired-instruments/*", count=None,
            message="This API needs the Plus plan",
        )
    )  # fmt: skip
    code, _, err = run()
    assert code == 4
    assert "Plus plan" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("more", [[], ["--contract", "2024-10"]])
def test_what_is_listed_needs_no_plan(run, server, more):
    server.faults.add(
        Fault(
            kind="refuse", status=403, route="GET /v2/expired-instruments/*", count=None,
            message="This API needs the Plus plan",
        )
    )  # fmt: skip
    assert run(ROLL, LAST, *more)[0] == 0
    name = "NIFTY-2024-10" if more else "NIFTY"
    assert len(stored(name, 1)) == 375 * len(CALENDAR.sessions(ROLL, LAST))
