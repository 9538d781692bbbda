"""The process around a live day or many of them: what outsiders see of it, and what they may order.

A thread writes ``now.json`` once a second. It also watches what nobody else would: whether the main loop
still turns, and whether somebody has set this machine's clock.
"""

from __future__ import annotations

import datetime as dt
import math
import os
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from analyzers.status.now import CheckNow, DriftNow, HitRateNow, Now, Phase, StepNow, write_now
from brokers.choice import chosen_broker
from feeds.clock import Clock, SteadyClock, WallClock
from feeds.errors import HaltedError
from feeds.log import Log
from feeds.system_watchdog import SystemWatchdog
from feeds.version import __version__
from strategies.companion_process import CompanionProcess
from strategies.live_controls import Controls
from strategies.live_folders import has_begun
from strategies.live_glance import DayGlance
from strategies.live_request import LiveRequest
from strategies.live_state import standing_of

__all__ = ["LiveProcess", "SeenDay"]

_TURN_SECONDS = 1.0
_HANGS_SECONDS = 60.0
_COMPANION_SECRETS = (
    "TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID", "SMTP_URL", "ALERT_EMAIL_TO", "APPRISE_URLS", "HEARTBEAT_URL",
    "STATUS_TOKEN",
)  # fmt: skip
_CHANNELS = ("TELEGRAM_BOT_TOKEN", "SMTP_URL", "APPRISE_URLS", "HEARTBEAT_URL")
_READ_WHILE_WRITTEN = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""Also what a rule of one's own may raise: the page may lack a second, but not the writer of it."""


class SeenDay(Protocol):
    """What is asked of the day that is on; any thread."""

    @property
    def turned_at(self) -> float | None:
        """When its loop took the last turn, monotonic seconds; None before there is a loop."""

    def glance(self) -> DayGlance | None:
        """Return how it stands."""

    def leave(self, detail: str) -> str | None:
        """Close what is open; return it in words, None where it is done once the day has begun."""


class LiveProcess:
    """Seen from outside. A context manager.

    Parameters
    ----------
    request : LiveRequest
        What is run.
    folder : pathlib.Path
        Holds ``now.json``.
    clock : Clock
        The market's time.
    log : Log
        Told commands and trouble.
    """

    def __init__(self, request: LiveRequest, folder: Path, clock: Clock, log: Log) -> None:
        self._request = request
        self._folder = folder.resolve()
        self._clock = self._process_clock = clock
        self._log = log
        self._wall = WallClock()
        self._steady = SteadyClock()
        self._told_step = 0.0
        self._watchdog = SystemWatchdog()
        self._is_unwritable = False
        self._phase: Phase = "waiting"
        self._trouble = self._note = ""
        self._day: SeenDay | None = None
        self._day_folder: Path | None = None
        self._expected: Path | None = None
        self._leave_wanted = ""
        self._last: DayGlance | None = None
        self._last_day: dt.date | None = None
        self._plan: tuple[StepNow, ...] = ()
        self._preflight: tuple[CheckNow, ...] = ()
        self._drift: DriftNow | None = None
        self._hit_rate: HitRateNow | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="now-writer", daemon=True)
        self._stack = ExitStack()
        risk = request.settings.risk
        self.controls = Controls(
            pause_file=_path(risk.pause_file),
            kill_switch_file=_path(risk.kill_switch_file),
            leave=self._leave,
            log_in=None if request.mode == "demo" else self._log_in,
            clock=self._wall,
        )

    # -- what the owner says ---------------------------------------------------------------------

    def begin_day(self) -> None:
        """Forget what was shown of the day before."""
        self._last, self._preflight = None, ()

    def expect(self, folder: Path) -> None:
        """Say where the day is kept: as long as none is attached, something may be open there."""
        self._expected = folder

    def show(self, phase: Phase, note: str = "", *, trouble: str = "") -> None:
        """Say what is being done, what comes next, and what keeps the day from being traded."""
        self._phase, self._note, self._trouble = phase, note, trouble

    def show_plan(self, plan: Sequence[StepNow]) -> None:
        """Say what the day consists of."""
        self._plan = tuple(plan)

    def show_preflight(self, checks: Sequence[CheckNow]) -> None:
        """Say what was checked."""
        self._preflight = tuple(checks)

    def show_drift(self, drift: DriftNow) -> None:
        """Say how far the model's inputs have moved."""
        self._drift = drift

    def show_hit_rate(self, hit_rate: HitRateNow) -> None:
        """Say how often the last trades won, against the backtest of their model."""
        self._hit_rate = hit_rate

    def attach(self, day: SeenDay, folder: Path, clock: Clock) -> None:
        """Show a day and its time from now on, and let commands reach it."""
        self._last, self._day, self._day_folder, self._clock = None, day, folder.resolve(), clock
        if self._leave_wanted:
            day.leave(self._leave_wanted)
            self._leave_wanted = ""

    def detach(self) -> None:
        """Show the day as it was left, from now on."""
        day, self._day, self._clock = self._day, None, self._process_clock
        if day is not None:
            self._last = self._glance_at(day) or self._last

    # -- life ------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._write()
        self._watchdog.ready()
        self._thread.start()
        configuration = self._configuration()
        if configuration is not None:
            companion = CompanionProcess(configuration, self.controls.carry_out, self._log)
            self._stack.enter_context(companion)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watchdog.stopping()
        self.detach()
        if isinstance(error, Exception) and not isinstance(error, HaltedError):  # a halt was told as it came
            self._log.error("ended_by_error", error=f"{type(error).__name__}: {error}")
        self.show("over", f"ended by {kind.__name__}" if kind else "ended in order")
        try:
            self._stack.close()
        finally:
            self._over.set()
            self._thread.join()
            self._write()

    def _configuration(self) -> Mapping[str, Any] | None:
        """Return what the companion is told; None where nobody wants one."""
        settings, secrets = self._request.settings, self._request.secrets
        chosen = secrets.chosen(_COMPANION_SECRETS)
        if not settings.status.enabled and not any(name in chosen for name in _CHANNELS):
            return None
        return {
            "state": str(self._folder),
            "mode": self._request.mode,
            "status": settings.status.model_dump(mode="json"),
            "alerts": settings.alerts.model_dump(mode="json"),
            "secrets": chosen,
        }

    # -- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._over.wait(_TURN_SECONDS):
            self._write()
            self._watch_clock()
            if self._pulse_age() < _HANGS_SECONDS:
                self._watchdog.alive()

    def _write(self) -> None:
        try:
            write_now(self._now(), self._folder)
        except OSError as error:  # the page turns red by itself; trading does not depend on it
            if not self._is_unwritable:
                self._log.warning("now_unwritable", error=f"{error.strerror} at {error.filename}")
            self._is_unwritable = True
        else:
            self._is_unwritable = False

    def _watch_clock(self) -> None:
        """Tell when this machine's clock was set; the day itself goes by one that was not."""
        stepped = self._steady.stepped_seconds()
        most = self._request.settings.live.max_clock_skew_seconds
        if abs(stepped - self._told_step) > most:
            self._told_step = stepped
            self._log.error("clock_stepped", seconds=round(stepped, 1))

    def _now(self) -> Now:
        request, controls = self._request, self.controls
        settings = request.settings
        glance = self._glance()
        paused, kill_switch = controls.paused, controls.kill_switch
        standing = standing_of(
            self._phase,
            glance,
            paused=paused,
            kill_switch=kill_switch,
            trouble=self._trouble,
            note=self._note,
        )
        # The page takes Kite's login; that of Upstox is taken by the terminal
        takes_login = request.mode != "demo" and settings.broker.name == "kite"
        return Now(
            written_at=self._wall.now(),
            market_time=self._clock.now(),
            pulse_age_seconds=self._pulse_age(),
            process_id=os.getpid(),
            version=__version__,
            mode=request.mode,
            is_synthetic=request.synthetic,
            instrument=settings.market.instrument,
            symbol=glance.symbol if glance else "",
            strategy=settings.strategy.name,
            phase=self._phase,
            state=standing.state,
            why=standing.why,
            folder=None if self._day_folder is None else str(self._day_folder),
            paused=paused,
            kill_switch=kill_switch,
            login_page=settings.broker.kite.login_page if takes_login else "",
            api_key=(request.secrets.get("KITE_API_KEY") or "") if takes_login else "",
            plan=list(self._plan),
            preflight=list(self._preflight),
            account=glance.account if glance else None,
            orders=glance.orders if glance else [],
            trades=glance.trades if glance else [],
            rules=glance.rules if glance else [],
            feed=glance.feed if glance and self._day is not None else None,
            broker=glance.broker if glance and self._day is not None else None,
            model=glance.model if glance else None,
            drift=self._drift,
            hit_rate=self._hit_rate,
        )

    def _glance(self) -> DayGlance | None:
        day = self._day
        if day is not None:
            self._last = self._glance_at(day) or self._last
            self._last_day = self._clock.now().date()
        elif self._last_day != self._clock.now().date():
            return None  # what was earned yesterday is not today's
        return self._last

    def _glance_at(self, day: SeenDay) -> DayGlance | None:
        """Look at the day; where it has changed under our eyes, the next second will do."""
        try:
            return day.glance()
        except _READ_WHILE_WRITTEN as error:
            self._log.debug("glance_failed", error=f"{type(error).__name__}: {error}")
            return None

    def _pulse_age(self) -> float:
        day = self._day
        turned_at = None if day is None else day.turned_at
        age = 0.0 if turned_at is None else max(0.0, time.monotonic() - turned_at)
        return age if math.isfinite(age) else 0.0

    # -- commands --------------------------------------------------------------------------------

    def _leave(self, detail: str) -> str:
        """Close what is open, now or as soon as a session is there to do it; return what is done in words."""
        day = self._day
        left = None if day is None else day.leave(detail)
        if left is None and self._may_hold():
            self._leave_wanted = detail if day is None else ""
            return (
                "NOT closed yet: no session is running that could; it is closed as soon as one is, and until "
                "then you can close it in your broker's own app"
            )
        return f"closing {left}" if left else "nothing is open"

    def _may_hold(self) -> bool:
        """Whether something may be open while no session runs: as the last one left it, or a crash."""
        if self._last is not None:
            return bool(self._last.account.open_words)
        return self._expected is not None and has_begun(self._expected)

    def _log_in(self, request_token: str) -> str:
        """Exchange a request token and keep the login; whoever waits for one finds it."""
        broker, secrets = chosen_broker(self._request.settings.broker), self._request.secrets
        secrets.remember(request_token)
        token = broker.exchange(secrets, request_token, "", self._wall)
        secrets.remember(token.access_token)
        broker.tokens.save(token)
        return f"logged in as {token.user_id} until {token.ends:%H:%M on %Y-%m-%d}"


def _path(setting: str | None) -> Path | None:
    return None if setting is None else Path(setting)
