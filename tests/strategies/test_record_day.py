"""``python -m feeds record`` against the sandbox: a day kept through restarts and lost connections."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brokers.instance_lock import InstanceLock
from brokers.sandbox.config import ExchangeConfig
from brokers.sandbox.faults import Fault
from brokers.sandbox.instruments import near_next_far
from brokers.sandbox.market import MarketTrade
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.server_config import SandboxConfig
from feeds.__main__ import _calendar_of, main
from feeds.calendar import TradingCalendar
from feeds.clock import IST
from feeds.errors import DataError
from feeds.store.base import DateSpan
from feeds.store.parquet import ParquetStore
from tests.feeds.fetch_market import environment, log_in

DAY = dt.date(2024, 10, 15)
HOURS = "09:15-09:27"
CALENDAR = TradingCalendar({DAY: HOURS})
SESSION = CALENDAR.session(DAY)
INSTRUMENTS = near_next_far("NIFTY", DAY, CALENDAR)
NEAR = INSTRUMENTS[0]
STEP_SECONDS = 4
PRICES = ("open", "high", "low", "close", "volume")
WAIT = 60.0


def trades() -> list[MarketTrade]:
    """Prints of the session, every few seconds, and one after the close that ends the day."""
    seconds = int((SESSION.close - SESSION.open).total_seconds())
    times = [SESSION.open + dt.timedelta(seconds=at) for at in range(1, seconds, STEP_SECONDS)]
    prices = 25_000 + np.round(np.sin(np.arange(len(times))) * 40) * 0.05
    made = [
        MarketTrade(time, float(price), NEAR.lot * (1 + number % 3), 65_000.0)
        for number, (time, price) in enumerate(zip(times, prices, strict=True))
    ]
    return [*made, MarketTrade(SESSION.close + dt.timedelta(seconds=5), 25_000.0, NEAR.lot, 65_000.0)]


def expected() -> pd.DataFrame:
    inside = [one for one in trades() if one.time < SESSION.close]
    index = pd.DatetimeIndex([one.time for one in inside]).tz_convert("Asia/Kolkata").floor("min")
    prices = pd.Series([one.price for one in inside], index=index)
    frame = prices.groupby(level=0).agg(["first", "max", "min", "last"])
    frame.columns = ["open", "high", "low", "close"]
    frame["volume"] = pd.Series([float(one.quantity) for one in inside], index=index).groupby(level=0).sum()
    return frame


@contextmanager
def playing(
    *faults: Fault, speed: float = 480.0, start: str = "subscribe", quiet_minute: int | None = None
) -> Iterator[SandboxServer]:
    rules = ExchangeConfig(
        instruments=INSTRUMENTS, day=DAY, calendar=CALENDAR, previous_closes={NEAR.token: 25_000.0}
    )
    prints = [one for one in trades() if one.time.minute != quiet_minute]
    config = SandboxConfig(
        exchange=rules, trades={NEAR.token: prints}, speed=speed, start=start, access_token="alive",
        faults=faults, clock_start=SESSION.open - dt.timedelta(seconds=5),
    )  # fmt: skip
    with SandboxServer(config) as server:
        yield server


def arguments(server: SandboxServer, *more: str) -> list[str]:
    return [
        "record", "--clock", "feed", "--day", str(DAY), "--session", f"{DAY}={HOURS}", "--out", "day",
        "--set", f"broker.kite.api_root={server.api_root}",
        "--set", f"broker.kite.ticker_root={server.ticker_root}", *more,
    ]  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stored() -> pd.DataFrame:
    return ParquetStore(Path("bars")).load("NIFTY", 1)


def is_the_day(frame: pd.DataFrame) -> bool:
    """Whether a frame holds what the prints make."""
    values, wanted = frame[list(PRICES)].to_numpy(), expected()[list(PRICES)].to_numpy()
    return values.shape == wanted.shape and bool((values == wanted).all()) and bool(frame["complete"].all())


def test_a_day_is_recorded_and_stored(monkeypatch, capsys):
    with playing() as server:
        log_in(server, monkeypatch)
        assert main(arguments(server)) == 0
        assert server.ask(lambda exchange: exchange.orders()) == []
    out = capsys.readouterr().out
    assert "recording NIFTY24OCTFUT of 2024-10-15 into day, no orders" in out
    assert "12 bars stored, 0 already there" in out
    assert is_the_day(stored())
    assert ParquetStore(Path("bars")).fetched("NIFTY", 1, "kite") == [DateSpan(DAY, DAY)]
    ticks = pd.read_csv("day/ticks.csv", header=None)
    assert set(ticks[2]) >= {trade.price for trade in trades()[:-1]}


# -- by hand: the market stands still until it is told to go on --------------------------------------------


def start_record(server: SandboxServer, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "feeds", *arguments(server, *more)], env=environment(server),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_until(is_so: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + WAIT
    while not is_so():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


def play_up_to(server: SandboxServer, clock: str, process: subprocess.Popen[str], bars: int) -> None:
    """Let somebody listen, play the market up to a time, and wait for so many recorded bars."""
    wait_until(lambda: bool(server.state()["subscriptions"]), process)
    server.advance_to(dt.datetime.combine(DAY, dt.time.fromisoformat(clock), IST))
    wait_until(lambda: rows_recorded() >= bars, process)


def rows_recorded() -> int:
    file = Path("day") / "bars.csv"
    return max(0, len(file.read_text().splitlines()) - 1) if file.exists() else 0


@pytest.mark.slow
def test_a_recording_goes_on_after_a_stop_and_after_a_kill(capsys):
    with playing(start="manual") as server:
        first = start_record(server)
        play_up_to(server, "09:18:30", first, 3)
        first.send_signal(signal.SIGTERM)
        out, err = first.communicate(timeout=WAIT)
        assert (first.returncode, err) == (0, "")
        assert "stopped by SIGTERM; what was recorded is in day, nothing was stored: start again" in out
        second = start_record(server)
        play_up_to(server, "09:21:30", second, 6)
        second.kill()
        second.communicate()
        third = start_record(server)
        play_up_to(server, "09:27:10", third, 12)
        out, err = third.communicate(timeout=WAIT)
        assert (third.returncode, err) == (0, ""), out
    assert "12 bars stored, 0 already there" in out
    assert is_the_day(stored())
    recorded = pd.read_csv("day/bars.csv").set_index("datetime")
    assert recorded.index.is_unique
    # Those that a stop fell into, unless the first tick after it came in a later one
    assert {stamp[11:16] for stamp in recorded.index[~recorded["complete"]]} <= {"09:18", "09:21"}


def test_a_lost_connection_is_told_and_its_bars_come_from_history(monkeypatch, capsys):
    lost = Fault(kind="reset", skip=60)
    with playing(lost) as server:
        log_in(server, monkeypatch)
        assert main(arguments(server)) == 0
    assert is_the_day(stored())
    events = [json.loads(line)["event"] for line in Path("day/record.log").read_text().splitlines()]
    assert "stream_down" in events
    assert (pd.read_csv("day/bars.csv")["from_ticks"] == 0).any()


@pytest.mark.parametrize("partial", [False, True])
def test_a_day_with_holes_is_named_and_stored_only_if_told_so(monkeypatch, capsys, partial):
    faults = (
        Fault(kind="reset", skip=60),
        Fault(kind="refuse", route="GET /instruments/historical/*", status=400,
              error_type="InputException", count=None),
    )  # fmt: skip
    with playing(*faults) as server:
        log_in(server, monkeypatch)
        code = main(arguments(server, *(["--partial"] if partial else [])))
    out, err = capsys.readouterr()
    assert rows_recorded() >= 1
    if partial:
        assert code == 0, err
        assert "not whole" in out
        assert len(stored()) == rows_recorded()
    else:
        assert code == 4
        assert "nothing was stored, the recording lies in day: fetch the day from the broker" in err
        assert err.count("\n") == 1
        assert ParquetStore(Path("bars")).instruments() == []


@pytest.mark.parametrize("partial", [False, True])
def test_a_minute_that_nobody_has_is_not_filled(monkeypatch, capsys, partial):
    with playing(quiet_minute=20) as server:
        log_in(server, monkeypatch)
        code = main(arguments(server, *(["--partial"] if partial else [])))
    out, err = capsys.readouterr()
    holes = "1 bar missing: 09:20; 0 incomplete"
    if partial:
        assert (code, err) == (0, "")
        assert f"11 bars stored, 0 already there, 1 of them from history; not whole: {holes}" in out
        assert "09:20" not in [f"{start:%H:%M}" for start in stored().index]
        assert ParquetStore(Path("bars")).fetched("NIFTY", 1, "kite") == []
    else:
        assert code == 3
        assert f"is not whole ({holes})" in err
        assert "python -m feeds import day/bars.csv --instrument NIFTY" in err
        assert ParquetStore(Path("bars")).instruments() == []
        assert main(["import", "day/bars.csv", "--instrument", "NIFTY", f"--session={DAY}={HOURS}"]) == 0
        assert len(stored()) == 11


def test_a_login_that_is_refused_ends_the_recording_in_one_line(monkeypatch, capsys):
    refused = Fault(kind="refuse_upgrade", status=403, message="Incorrect token", count=None)
    with playing(refused) as server:
        log_in(server, monkeypatch)
        assert main(arguments(server)) == 4
    err = capsys.readouterr().err
    assert "log in and start again: the recording goes on" in err
    assert err.count("\n") == 1


def test_two_recordings_into_one_folder(monkeypatch, capsys):
    Path("day").mkdir()
    lock = InstanceLock(Path("day/bars.csv"), "the recording")
    try:
        with playing() as server:
            log_in(server, monkeypatch)
            assert main(arguments(server)) == 4
    finally:
        lock.release()
    assert "the recording day/bars.csv is in use by another process" in capsys.readouterr().err


def test_days_that_cannot_be_recorded(monkeypatch, capsys):
    assert main(["record", "--clock", "feed"]) == 2
    assert "--clock feed and --day belong together" in capsys.readouterr().err
    with playing() as server:
        log_in(server, monkeypatch)
        closed = ["2024-10-13" if one == str(DAY) else one for one in arguments(server)]
        assert main(closed) == 2
    assert "--day 2024-10-13 has no session in the calendar" in capsys.readouterr().err


def test_a_day_near_a_session_of_unknown_hours():
    options = argparse.Namespace(session=[], holiday=[])
    after = _calendar_of(options, dt.date(2026, 11, 23))
    assert after.sessions(dt.date(2026, 10, 1), dt.date(2026, 11, 23))[-1].date == dt.date(2026, 11, 23)
    with pytest.raises(DataError, match="its hours are not known here"):
        _calendar_of(options, dt.date(2026, 11, 8)).session(dt.date(2026, 11, 8))
