"""No tick comes any more: the square-off happens all the same, by the clock. Time is moved by hand here."""

from __future__ import annotations

import datetime as dt

import pytest

from brokers.desk.facts import ExitWanted, Intent
from brokers.desk.journal_file import read_journal
from brokers.kite.store import KiteStore
from feeds.calendar import TradingCalendar
from feeds.live_log import make_log
from feeds.secrets import Secrets
from strategies.live_day import LiveDay
from strategies.live_request import LiveRequest
from strategies.settings import Settings
from tests.faults.running_day import RunningDay
from tests.live_market import TOKEN, Market, at, day_config, prints, wait_until

pytestmark = pytest.mark.slow

BAR_ENDS = ("14:33", "14:36", "14:39", "14:42")
LAST_PRINT = "14:43"
BEFORE, AFTER = "15:21:29", "15:21:31"
"""The bar of the square-off would have closed at 15:21; the grace is half a minute."""


class HandClock:
    """A clock of the machine that a test sets; it counts how often it is asked."""

    def __init__(self, time):
        self.time = time
        self.asked = 0

    def now(self):
        self.asked += 1
        return self.time

    def set(self, time):
        """Set the time, and let everybody who goes by it look at it a few times."""
        self.time = time
        asked = self.asked
        wait_until(lambda: self.asked > asked + 20, "the clock was looked at")


class Store(KiteStore):
    """Believes the clock: the sandbox tells real time in its answers, and the test is on another day."""

    def check_clock(self, clock, most_seconds):
        pass


class Day(RunningDay):
    """A day by the wall clock."""

    def __init__(self, folder, market, clock, mode):
        super().__init__(folder, self._trade)
        folder.mkdir()
        settings = Settings.model_validate(
            {
                "strategy": {
                    "name": "random_entry", "parameters": {"entry_probability": 1.0}, "stop_atr": 10,
                    "target_atr": 20, "sizer": "fixed", "fixed_units": 130,
                },
                "live": {"bar_close_grace_seconds": 5.0, "square_off_grace_seconds": 30.0},
                "broker": {"kite": {"api_root": market.api_root, "ticker_root": market.ticker_root}},
                "report": {"tearsheet": False, "embedded_bars": 0, "bootstrap_samples": 200},
            }
        )  # fmt: skip
        self.folder, self.clock = folder, clock
        self.live_day = None
        self._request = LiveRequest(
            settings=settings, mode=mode, clock="wall", out_dir=folder, confirmed=True, secrets=Secrets()
        )

    def _trade(self):
        with make_log(self.folder / "live.log", self.clock, Secrets()) as log:
            store = Store(self._request.settings.broker.kite, "sandbox", TOKEN, log)
            try:
                self.live_day = LiveDay(self._request, TradingCalendar(), self.clock, store, self.folder, log)
                return self.live_day.run()
            finally:
                store.close()

    @property
    def exits(self):
        """Roles of the executions on paper that left a position."""
        return [
            fill.role
            for fill in next(iter(self.live_day._parts.values())).account.journal.fills
            if fill.role != "entry"
        ]

    def play(self, market):
        """Let bars come, each once the one before has been dealt with."""
        self.wait_for("stream_up")
        seen = len(self.told("bar"))
        for count, end in enumerate(BAR_ENDS, start=seen + 1):
            # A bar ends with the first tick after it
            self.clock.time = at(end) + dt.timedelta(seconds=6)
            market.advance_to(self.clock.time)
            self.wait_for("bar", count=count)


@pytest.fixture
def clock():
    return HandClock(at("14:30"))


@pytest.fixture
def market():
    lot, token = (getattr(day_config().exchange.instruments[0], name) for name in ("lot", "token"))
    with Market(day_config(start="manual", trades={token: prints("14:00", LAST_PRINT, lot)})) as market:
        yield market


def moved(market):
    """Let a moment pass at the exchange, and return what it holds then."""
    market.advance(0.5)
    return market.account()


def test_live(tmp_path, market, clock):
    with Day(tmp_path / "run", market, clock, "live") as day:
        day.play(market)
        wait_until(lambda: moved(market).is_protected, "there is a position with its stop")
        clock.set(at(BEFORE))
        market.advance_to(clock.time)
        assert market.account().is_protected
        assert not day.told("exit_wanted")
        clock.set(at(AFTER))
        wait_until(lambda: not moved(market).position, "the position is left")
        assert not market.account().working
        clock.time = at("15:40:10")
        assert day.finish() == 0
    facts = [row.fact for row in read_journal(tmp_path / "run/journal.sqlite")]
    (wanted,) = [fact for fact in facts if isinstance(fact, ExitWanted)]
    assert (wanted.reason, wanted.detail) == ("square_off", "the clock, without waiting for a bar")
    assert [fact.role for fact in facts if isinstance(fact, Intent)] == ["entry", "stop", "square_off"]


def test_on_paper(tmp_path, market, clock):
    with Day(tmp_path / "run", market, clock, "paper") as day:
        day.play(market)
        assert day.told("bar")[-1]["position"] != 0
        clock.set(at(BEFORE))
        assert day.exits == []
        clock.set(at(AFTER))
        wait_until(lambda: day.exits == ["square_off"], "the position is left")
        clock.time = at("15:40:10")
        assert day.finish() == 0
    assert day.exits == ["square_off"]
    assert market.placed == 0
