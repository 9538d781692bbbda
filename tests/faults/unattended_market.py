"""Days that run themselves at a sandbox by whose time the machine goes: in a thread, or in a process.

The market's time stands until somebody listens, so that a program may take its time to start. A test moves it
on where nothing is to be seen. Whoever trades is told the time through a file, in a process of its own too.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import run_live
from brokers.sandbox.faults import Fault
from brokers.sandbox.server_config import SandboxConfig
from feeds.clock import SteadyClock, WallClock
from tests.faults.running_day import RunningDay
from tests.faults.unattended_process import CLOCK_FILE
from tests.live_market import DAY, HOLD, Market, Program, wait_until

__all__ = ["DaysMarket", "DaysProgram", "MarketTimer", "RunningDays", "go_by_the_market"]

_ROOT = Path(__file__).resolve().parents[2]
_BY_THE_MARKET = (
    # A hundredth of a second on the way is some of that wall's
    "--set", "live.bar_close_grace_seconds=60", "--set", "risk.max_data_age_seconds=null",
    "--set", "live.max_clock_skew_seconds=60", "--set", "live.post_market_minutes=10",
    "--set", "live.min_free_disk_megabytes=0", "--set", "broker.kite.read_attempts=1",
)  # fmt: skip


class DaysMarket(Market):
    """A sandbox whose answers are stamped with its own time, and folders of the days traded at it."""

    def __init__(self, config: SandboxConfig, folder: Path, mode: str) -> None:
        super().__init__(config)
        self.mode = mode
        self.out = folder / "out"
        self.name_after("random_entry")
        self.clock_file = folder / "clock.json"
        # Its stamps are of this time, once `brokers.sandbox.serving.WallClock` makes one of these
        self.faults.add(Fault(kind="clock_skew", seconds=0.0, count=None))
        self._writing = threading.Lock()
        self._over = threading.Event()
        self._teller = threading.Thread(target=self._tell_when_it_runs, name="clock-writer")

    def name_after(self, strategy: str) -> None:
        """Look for the folders of another strategy."""
        name = f"{self.mode}-NIFTY-{strategy.replace(':', '-')}"
        self.state_folder, self.day_folder = self.out / name, self.out / f"{DAY:%Y%m%d}-{name}"

    def __enter__(self) -> Self:
        entered = super().__enter__()
        self.write_clock()
        self._teller.start()
        return entered

    def __exit__(self, *error: Any) -> None:
        self._over.set()
        self._teller.join()
        super().__exit__(*error)

    def now(self) -> dt.datetime:
        """Return the market's time; any thread."""
        return self._venue.clock.now()

    def move_to(self, moment: dt.datetime) -> None:
        """Move the market's time on, and whatever goes by it."""
        self.advance_to(moment)
        self.write_clock()

    def stand(self) -> None:
        """Let the market's time stand until somebody listens again."""

        def stop(_: object) -> None:
            clock = self._venue.clock
            clock._shown, clock._anchor = clock.now(), None

        self.ask(stop)
        self.write_clock()

    def write_clock(self) -> None:
        """Tell processes what time it is."""
        clock = self._venue.clock
        with self._writing:
            unfinished = self.clock_file.with_suffix(".unfinished")
            speed = self.config.speed if clock.is_running else 0.0
            unfinished.write_text(json.dumps([clock.now().isoformat(), time.monotonic(), speed]))
            unfinished.replace(self.clock_file)

    def _tell_when_it_runs(self) -> None:
        was_running = False
        while not self._over.wait(0.01):
            is_running = self._venue.clock.is_running
            if is_running != was_running:
                self.write_clock()
            was_running = is_running

    def days(self, *more: str, until: dt.date = DAY) -> list[str]:
        """Return arguments for days that run themselves here, and hold a position from the first bar on."""
        agreed = ["--yes"] if self.mode == "live" else []
        return [
            "--mode", self.mode, *agreed, "--out", str(self.out), "--until", str(until), *self.addresses,
            *HOLD, *_BY_THE_MARKET, *more,
        ]  # fmt: skip

    @property
    def holds(self) -> bool:
        """Whether a position is open, and known to be so."""
        if self.mode == "live":
            return self.account().is_protected
        return any(bar["position"] for bar in self.told("bar")[-1:])

    def told(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """Return the records of an event from the days' log, and from that of the process."""
        found = []
        for file in (self.state_folder / "watch.log", self.day_folder / "live.log"):
            text = file.read_text() if file.exists() else ""
            rows = (json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n"))
            found += [row for row in rows if row["event"] == event and fields.items() <= row.items()]
        return found

    def wait_told(self, event: str, count: int = 1, **fields: object) -> dict[str, Any]:
        """Wait until an event was logged so often, and return the newest."""
        wait_until(lambda: len(self.told(event, **fields)) >= count, f"{event} was logged {count} times")
        return self.told(event, **fields)[-1]

    def rows(self, name: str) -> list[dict[str, str]]:
        """Return the rows of a CSV file of the day."""
        with (self.day_folder / name).open(newline="") as file:
            return list(csv.DictReader(file))

    @property
    def listed(self) -> list[dict[str, str]]:
        """The list of days."""
        with (self.state_folder / "days.csv").open(newline="") as file:
            return list(csv.DictReader(file))


class DaysProgram(Program):
    """The program in a process of its own, whose machine goes by the market's time."""

    command = ("-m", "tests.faults.unattended_process")

    def __init__(self, folder: Path, market: DaysMarket, *more: str) -> None:
        super().__init__(
            folder, *market.days(*more), PYTHONPATH=str(_ROOT), **{CLOCK_FILE: str(market.clock_file)}
        )


class MarketTimer:
    """Waits for a step by moving the market to it, and ends after the market's day.

    ``before`` is told each step that is waited for, before time is moved.
    """

    def __init__(self, market: DaysMarket, before: Callable[[Any], None]) -> None:
        self._market = market
        self._before = before
        self._stopped = threading.Event()

    @property
    def is_stopped(self) -> bool:
        return self._stopped.is_set()

    def wait(self, step: Any) -> str:
        self._before(step)
        if step.at.date() > DAY:
            self.stop()
        if self.is_stopped:
            return "stopped"
        self._market.move_to(step.at)
        return "due"

    def stop(self) -> None:
        self._stopped.set()

    def close(self) -> None:
        pass


class RunningDays(RunningDay):
    """The program in a thread; ``waited`` holds what it has waited for.

    ``before`` is called with each step and how many have been waited for.
    """

    def __init__(
        self, market: DaysMarket, *more: str, before: Callable[[Any, int], None] = lambda step, count: None
    ) -> None:
        self.waited: list[Any] = []
        self._before = before
        arguments = [*market.days("--quiet", *more, until=DAY + dt.timedelta(days=7))]
        super().__init__(market.day_folder, lambda: run_live.main(arguments))

    def note(self, step: Any) -> None:
        self.waited.append(step)
        self._before(step, len(self.waited))


def go_by_the_market(monkeypatch: Any, market: DaysMarket, days: RunningDays) -> list[dt.timedelta]:
    """Let this machine's clocks tell the market's time; return by how much the wall's is off, to be set."""
    off = [dt.timedelta()]
    monkeypatch.setattr("brokers.sandbox.serving.WallClock", lambda: market)
    monkeypatch.setattr(WallClock, "now", lambda _: market.now() + off[0])
    monkeypatch.setattr(SteadyClock, "now", lambda _: market.now())
    monkeypatch.setattr(run_live, "ScheduledTimer", lambda _: MarketTimer(market, days.note))
    return off
