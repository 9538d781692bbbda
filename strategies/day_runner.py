"""The steps of one day after another, done: preflight, session, and what follows the market."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

from feeds.calendar import TradingCalendar
from feeds.clock import Clock, SteadyClock, WallClock
from feeds.errors import BrokerError, DataError, HaltedError, MuhuratError
from feeds.log import Log
from ml.drift import DriftLevel
from strategies.day import DayPlan
from strategies.days_file import DAYS_FILE, DayRow, read_days
from strategies.demo import DemoExchange
from strategies.drift_standing import with_drift
from strategies.live import connected, day_log
from strategies.live_day import LiveDay
from strategies.live_folders import day_folder, has_begun, make_folder
from strategies.live_process import LiveProcess
from strategies.live_request import LiveRequest
from strategies.post_market import run_post_market
from strategies.preflight import PreflightContext, run_preflight
from strategies.retraining import newest_training, reason_to_retrain
from strategies.retraining_process import RetrainingProcess

__all__ = ["DayRunner", "Preparation"]

_DAYS_BACK = 10
"""Longer ago than the longest row of holidays."""

Preparation = Literal["ready", "not_ready"]


class DayRunner:
    """Does the steps of a day; :class:`strategies.unattended.Unattended` says when.

    Parameters
    ----------
    request : LiveRequest
        Of all days.
    calendar : TradingCalendar
        Sessions.
    clock : Clock
        The market's time; a session on this machine's clock goes by one that nobody can set.
    process : LiveProcess
        Shows what is being done.
    folder : pathlib.Path
        What outlives the days.
    log : Log
        Of the process; each day has one of its own besides.
    is_stopped : callable
        Whether a signal has ended it all.
    retraining : RetrainingProcess or None
        Trains new versions after the market; None where nobody does.

    Attributes
    ----------
    trouble : str
        What keeps the day from being traded, in words; empty while nothing does.
    exit_code : int
        1 once a day was ended by an error, or has left something open.
    was_stopped : bool
        A signal ended the session.
    """

    def __init__(
        self,
        request: LiveRequest,
        calendar: TradingCalendar,
        clock: Clock,
        process: LiveProcess,
        folder: Path,
        log: Log,
        is_stopped: Callable[[], bool] = lambda: False,
        retraining: RetrainingProcess | None = None,
    ) -> None:
        self._retraining = retraining
        self._is_stopped = is_stopped
        self.trouble = ""
        self.exit_code = 0
        self.was_stopped = False
        self._request = self._days_request = request
        self._calendar = calendar
        self._clock = clock
        self._process = process
        self._state_folder = folder
        self._log = log
        self._plan: DayPlan | None = None
        self._folder = folder
        self._previous: Path | None = None
        self._last_day: dt.date | None = None
        self._is_go = False
        self._outcome = "done"
        self._is_list_unreadable = False

    @contextmanager
    def day(self, plan: DayPlan) -> Iterator[None]:
        """Make ready for a day; a demo's exchange is there as long as the block lasts."""
        self.trouble, self._is_go, self._plan, self._outcome = "", False, plan, "done"
        request = replace(self._request, day=plan.day)
        self._folder = day_folder(request, plan.day)
        self._process.expect(self._folder)
        self._finish_earlier_days(request, plan.day)
        rows = self._rows()
        self._previous = self._folder_of(rows[-1]) if rows else None
        self._last_day = rows[-1].day if rows else None
        request = _with_cash(request, rows)
        with ExitStack() as stack:
            if request.mode == "demo":
                request = self._open_demo(request, stack)
            self._days_request = request
            yield

    def has_begun_on(self, day: dt.date) -> bool:
        """Whether a day has a journal or a paper book."""
        return has_begun(day_folder(self._request, day))

    @property
    def has_begun(self) -> bool:
        """Whether the day has a journal or a paper book: something may be open."""
        return has_begun(self._folder)

    @property
    def is_done(self) -> bool:
        """Whether the day was brought to its end before, post-market included."""
        return self._plan is not None and any(row.day == self._plan.day for row in self._rows())

    # -- the steps -------------------------------------------------------------------------------

    def preflight(self) -> None:
        """Make the checks, show them, and tell of them."""
        plan = self._today()
        self._process.show("preflight", "checks before the open")
        found = run_preflight(
            PreflightContext(
                request=self._days_request,
                plan=plan,
                calendar=self._calendar,
                clock=self._clock,
                folder=self._folder,
                state_folder=self._state_folder,
                previous_folder=self._previous,
                log=self._log,
            )
        )
        self._is_go = found.go
        against = [f"{check.name.replace('_', ' ')}: {check.words}" for check in found.checks
                   if check.outcome == "no_go"]  # fmt: skip
        self.trouble = f"no go: {'; '.join(against)}" if against else ""
        self._process.show_preflight(found.checks)
        self._process.show("preflight", "checks are done", trouble=self.trouble)
        tell = self._log.info if found.go else self._log.error
        tell(
            "preflight",
            go=found.go,
            day=plan.day,
            checks=[check.model_dump() for check in found.checks],
            login_needed=found.login_needed,
        )

    def prepare(self) -> Preparation:
        """Return whether the session may begin; what has begun goes on whatever the checks say."""
        if self.has_begun:
            return "ready"
        if not self._is_go:
            self.preflight()
        return "ready" if self._is_go else "not_ready"

    def trade(self) -> bool:
        """Trade; return False where nothing was begun and it may be tried again."""
        self._is_go = False  # another attempt has to be checked again
        try:
            self._trade()
        except HaltedError as error:
            self._fail(error, will_retry=False)
            self.exit_code, self._outcome = 1, "ended by an error"
        except (MuhuratError, OSError) as error:
            self._fail(error, will_retry=True)
            return False
        except KeyboardInterrupt:
            self.was_stopped = True
        return True

    def post_market(self) -> None:
        """Compare, report, back up, and write the day into the list of days."""
        plan = self._today()
        with ExitStack() as stack:
            history = None
            try:
                store = stack.enter_context(connected(self._days_request, self._log))
                instrument = store.find_contract(self._days_request.settings.market.instrument, plan.day)
                history = store.history(instrument)
            except MuhuratError as error:  # told with what could not be done for want of it
                self._log.warning("no_history", error=str(error))
            made = run_post_market(
                self._folder,
                self._state_folder,
                self._days_request.settings,
                self._calendar,
                history,
                self._log,
                day=plan.day,
                mode=self._days_request.mode,
                outcome=self._outcome,
            )
        self._process.show_drift(made.drift)
        self._process.show_hit_rate(made.hit_rate)
        self._retrain(made.drift.level)

    # -- parts -----------------------------------------------------------------------------------

    def _trade(self) -> None:
        request, folder = self._days_request, self._folder
        clock = self._clock if request.clock == "feed" else SteadyClock()
        if request.clock == "wall" and clock.now().date() != self._today().day:
            raise BrokerError(
                f"it is {clock.now():%Y-%m-%d}, the plan is of {self._today().day}: nothing was begun"
            )
        make_folder(folder)
        if self._retraining is not None and not request.settings.ml.retrain.during_session:
            self._retraining.stop("a session begins")
        # Only now: a day waits from the evening before, and the model may have been changed since
        request = with_drift(request, self._state_folder, self._log, self._last_day)
        with day_log(request, folder, clock) as log, connected(request, log) as store:
            day = LiveDay(request, self._calendar, clock, store, folder, log)
            self._process.attach(day, folder, clock)
            self._process.show("session", f"until {self._today().session.close:%H:%M}")
            try:
                code = day.run(self._is_stopped)
            finally:
                self._process.detach()
                self.was_stopped = bool(day.stop_reason)
                if self.was_stopped:
                    self._outcome = f"stopped by {day.stop_reason}"
        self.trouble = "" if not code else f"something is open; see {folder / 'live.log'}"
        self.exit_code = max(self.exit_code, code)

    def _retrain(self, drift: DriftLevel) -> None:
        """Start a training where one is due; nobody waits for it, and it promotes nothing."""
        settings, day = self._days_request.settings, self._today().day
        if self._retraining is None or (
            settings.ml.retrain.schedule == "none" and not settings.ml.retrain.on_drift
        ):
            return
        try:
            reason = reason_to_retrain(settings.ml.retrain, day, newest_training(settings.ml), drift)
        except (MuhuratError, OSError) as error:
            self._log.error("retrained", outcome="failed", reason=str(error))
            return
        if reason:
            self._retraining.start(settings, reason)

    def _fail(self, error: Exception, *, will_retry: bool) -> None:
        self.trouble = str(error)
        self._log.error("day_failed", error=str(error), will_retry=will_retry)

    def _open_demo(self, request: LiveRequest, stack: ExitStack) -> LiveRequest:
        """Start the exchange of a demo's day, and train its model on the first one."""
        demo = DemoExchange(replace(request, out_dir=self._folder), self._calendar, WallClock())
        make_folder(self._folder)
        demo.prepare(self._log)
        opened = stack.enter_context(demo).request
        if self._request.model is None:
            self._request = replace(
                self._request,
                model=opened.model,
                model_is_synthetic=opened.model_is_synthetic,
                settings=self._request.settings.model_copy(update={"ml": opened.settings.ml}),
            )
        return opened

    def _rows(self) -> list[DayRow]:
        """Return the days so far; a list that cannot be read is told, and keeps nobody from trading."""
        try:
            rows = read_days(self._state_folder / DAYS_FILE)
        except DataError as error:
            if not self._is_list_unreadable:
                self._log.error("days_unreadable", error=str(error))
            self._is_list_unreadable = True
            return []
        self._is_list_unreadable = False
        return rows

    def _finish_earlier_days(self, request: LiveRequest, today: dt.date) -> None:
        """Bring days to their end that were begun and never reached it: a power cut, a stop at noon."""
        known = {row.day for row in self._rows()}
        if self._is_list_unreadable:
            return  # nobody knows which of them were finished and told
        for back in range(_DAYS_BACK, 0, -1):
            day = today - dt.timedelta(days=back)
            folder = day_folder(request, day)
            if day not in known and has_begun(folder):
                self._log.warning("day_unfinished", day=day, folder=str(folder))
                run_post_market(
                    folder, self._state_folder, request.settings, self._calendar, None, self._log,
                    day=day, mode=request.mode, outcome="interrupted",
                )  # fmt: skip

    def _folder_of(self, row: DayRow) -> Path:
        return self._state_folder / row.folder

    def _today(self) -> DayPlan:
        if self._plan is None:
            raise RuntimeError("a step was asked for outside of a day; this is a bug")
        return self._plan


def _with_cash(request: LiveRequest, rows: list[DayRow]) -> LiveRequest:
    """Return a request whose made-up account goes on with what the day before has left it."""
    if request.mode == "live":
        return request
    cash = request.settings.broker.starting_cash
    for row in rows:  # where a report is missing, the books are not
        cash = cash + row.net_pnl if row.cash is None else row.cash
    broker = request.settings.broker.model_copy(update={"starting_cash": cash})
    return replace(request, settings=request.settings.model_copy(update={"broker": broker}))
