"""A socket that stays open and says nothing: found by real time, connected anew, and the hole filled."""

from __future__ import annotations

import datetime as dt

import pytest

from brokers.desk.facts import EntryDecided
from brokers.desk.journal_file import read_journal
from brokers.kite.settings import KiteSettings
from brokers.sandbox.faults import Fault
from brokers.stream import _FIRST_PAUSE_SECONDS
from run_live import main
from tests.faults.running_day import RunningDay
from tests.live_market import HOLD, TOKEN, Market, at, day_config, price_at

pytestmark = pytest.mark.slow

WATCHDOG = 0.6
SPEED = 300.0


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KITE_API_KEY", "sandbox")
    monkeypatch.setenv("KITE_ACCESS_TOKEN", TOKEN)


def test_by_default_silence_is_found_and_connected_anew_within_ten_seconds():
    assert KiteSettings().watchdog_seconds + _FIRST_PAUSE_SECONDS <= 10.0


def bar_of(start):
    """Return open, high, low and close of the 3-minute bar from ``start``, from the market's own prices."""
    seconds = min(180, int((at("15:40") - start).total_seconds()))
    prices = [price_at(start + dt.timedelta(seconds=second)) for second in range(0, seconds, 5)]
    return prices[0], max(prices), min(prices), prices[-1]


def test_silence_is_found_filled_and_never_traded_on(tmp_path):
    folder = tmp_path / "run"
    config = day_config(speed=SPEED, heartbeat_seconds=0.1)
    with Market(config) as market:
        arguments = [
            *market.arguments(folder), *HOLD, "--quiet", "--set", f"broker.kite.watchdog_seconds={WATCHDOG}",
            # Entries are allowed from a moment that falls into the silence.
            "--set", "risk.entries_from=14:43", "--set", "live.idle_end_seconds=8",
        ]  # fmt: skip
        market.faults.add(Fault(kind="silent_socket", after=dt.time(14, 40), count=1))
        with RunningDay(folder, lambda: main([str(one) for one in arguments])) as day:
            down = day.wait_for("stream", state="down")
            up = day.wait_for("stream", count=2, state="up")
            assert day.finish() == 0
        account = market.account()

    assert down["reason"] == f"nothing came for {WATCHDOG:g} seconds"
    before = [
        row
        for row in day.log
        if row["event"] in ("bar", "stream") and row["uptime_seconds"] < down["uptime_seconds"]
    ]
    silent_since = before[-1]["uptime_seconds"]
    assert down["uptime_seconds"] - silent_since < 10.0
    assert up["uptime_seconds"] - down["uptime_seconds"] < 10.0

    bars = {dt.datetime.fromisoformat(row["start"]): row for row in day.rows("bars.csv")}
    today = sorted(start for start in bars if start >= at("14:30"))
    assert today == [at("14:30") + dt.timedelta(minutes=3 * n) for n in range(len(today))]
    lost = [start for start in today if bars[start]["origin"] == "backfill"]
    assert len(lost) >= 1
    assert today[-1] not in lost
    for start in today:
        found = tuple(float(bars[start][name]) for name in ("open", "high", "low", "close"))
        if bars[start]["complete"] == "1" and bars[start]["origin"] == "ticks":
            assert found == pytest.approx(bar_of(start)), start
    # History knows the minutes that the stream did not bring, so the bars that were lost are right as well.
    for start in lost[:-1]:
        found = tuple(float(bars[start][name]) for name in ("open", "high", "low", "close"))
        assert found == pytest.approx(bar_of(start)), start

    decisions = {dt.datetime.fromisoformat(row["bar_start"]): row for row in day.rows("decisions.csv")}
    for start in today:
        whole = bars[start]["complete"] == "1" and bars[start]["origin"] == "ticks"
        assert whole or decisions[start]["asked"] == "0", start
    # The first entry that rule and strategy allow is on the first bar that is whole again.
    entries = [
        row.fact for row in read_journal(folder / "journal.sqlite") if isinstance(row.fact, EntryDecided)
    ]
    whole_again = next(
        start for start in today
        if start > lost[-1] and bars[start]["complete"] == "1" and bars[start]["origin"] == "ticks"
    )  # fmt: skip
    assert entries[0].signal_time == (whole_again + dt.timedelta(minutes=3)).replace(tzinfo=None)
    assert account.position == 0
    assert not account.working
