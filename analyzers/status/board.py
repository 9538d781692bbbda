"""Everything the page shows, made ready in the background: a request only hands out bytes."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

from analyzers.log_tail import LogTail
from analyzers.status.challenger_files import ChallengerFiles
from analyzers.status.controls import Outcome
from analyzers.status.counts import LogCounts
from analyzers.status.day_files import (
    UNREADABLE,
    WATCH_LOG,
    DayFiles,
    DaysFile,
    NowFile,
    day_folder,
    hand_out,
)
from analyzers.status.day_fold import EVENTS_SHOWN, event_of_page, merged_events
from analyzers.status.health import SILENT_SECONDS, Health, health_of, kind_of_outage, outage_of
from analyzers.status.now import Now
from analyzers.status.shown import shown_text
from feeds.clock import Clock, WallClock
from feeds.errors import DataError
from feeds.secrets import mask_patterns

__all__ = ["Board", "View", "no_alerts"]

_POLL_SECONDS = 0.25
_IDLE_POLL_SECONDS = 1.0
_AWAITED_POLL_SECONDS = 0.05
_IDLE_AFTER_SECONDS = 10.0
_OUTCOMES_KEPT = 256
_HANGS = "the page's own reading of the files hangs"


def no_alerts() -> list[dict[str, Any]]:
    """Return the counters of no channel."""
    return []


class View:
    """The board at one moment; does not change.

    Attributes
    ----------
    now : Now or None
        What the trading process said last.
    stale_seconds : float or None
        Age of that.
    health : Health
        The verdict on it.
    outage : str
        Why the trading process cannot be relied upon; empty when it can.
    channels : list of dict
        Counters of the alerts, by channel.
    body : bytes
        The answer to ``/api/status``, JSON.
    etag : str
        Its fingerprint.
    made_at : float
        When it was made, seconds of the monotonic clock.
    """

    def __init__(
        self,
        *,
        now: Now | None,
        stale_seconds: float | None,
        health: Health,
        outage: str,
        channels: list[dict[str, Any]],
        body: bytes,
        made_at: float,
    ) -> None:
        self.now = now
        self.stale_seconds = stale_seconds
        self.health = health
        self.outage = outage
        self.channels = channels
        self.body = body
        self.etag = hashlib.blake2b(body, digest_size=12).hexdigest()
        self.made_at = made_at

    @cached_property
    def zipped_body(self) -> bytes:
        """The body compressed, made when it is first asked for."""
        return gzip.compress(self.body, compresslevel=1, mtime=0)


class _Age(NamedTuple):
    """How old ``now.json`` was when first seen, and when that was: later steps of the clock do not count."""

    seconds: float
    seen_at: float


class Board:
    """Folds the files of a live process into a :class:`View`. A context manager: the thread runs within.

    Parameters
    ----------
    state_folder : pathlib.Path
        Of the process: ``now.json``, ``watch.log``, ``days.csv``.
    alert_counters : callable
        Returns the counters of the alerts, a dict a channel; callable from the board's thread.
    mask : callable
        Hides secrets in everything shown.
    read_only : str
        Why the page has no controls; empty where it has.
    clock : Clock
        This machine's.
    monotonic : callable
        Seconds that only grow.
    """

    def __init__(
        self,
        state_folder: Path,
        *,
        alert_counters: Callable[[], list[dict[str, Any]]] = no_alerts,
        mask: Callable[[str], str] = mask_patterns,
        read_only: str = "",
        clock: Clock | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts = LogCounts()
        self.read_only = read_only
        self._folder = state_folder
        self._alert_counters = alert_counters
        self._mask: Callable[[str], str] = lambda text: shown_text(mask(text))
        self._clock = clock or WallClock()
        self._monotonic = monotonic
        self._now_file = NowFile(state_folder)
        self._days_file = DaysFile(state_folder, self._mask)
        self._challenger_files = ChallengerFiles(state_folder)
        self._challengers: list[dict[str, Any]] = []
        self._watch = LogTail(state_folder / WATCH_LOG)
        self._unread_of_watch = 0
        self._watch_events: deque[dict[str, str]] = deque(maxlen=EVENTS_SHOWN)
        self._day: DayFiles | None = None
        self._age: _Age | None = None
        self._masked_now: Any = None
        self._changed = threading.Condition()
        self._outcomes: OrderedDict[str, Outcome] = OrderedDict()
        self._awaited = 0
        self._asked_at = monotonic()
        self._over = threading.Event()
        self._poll_lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="status-board", daemon=True)
        self.view = self._view({}, [], "")

    def start(self) -> None:
        """Read everything once, and go on in the background."""
        self.poll()
        self._thread.start()

    def stop(self) -> None:
        """End the thread; without one, nothing is done."""
        with self._changed:
            self._over.set()
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    # -- for requests, any thread ----------------------------------------------------------------

    def ask(self) -> View:
        """Return the newest view, and have the files read more often for a while."""
        self._asked_at = self._monotonic()
        return self.view

    @property
    def age_seconds(self) -> float:
        """Time since the view was made; grows when the board hangs."""
        return self._monotonic() - self.view.made_at

    @property
    def outage(self) -> str:
        """Why the trading process cannot be relied upon as of now; empty when it can."""
        if self.age_seconds > SILENT_SECONDS:
            return f"{_HANGS} for {self.age_seconds:.0f} s; restart the program"
        return self.view.outage

    @property
    def kind_of_outage(self) -> str:
        """The same in fixed words, for whom figures and reasons are no business of."""
        if self.age_seconds > SILENT_SECONDS:
            return _HANGS
        view = self.view
        return kind_of_outage(view.now, view.stale_seconds)

    def wait_for_outcome(self, command_id: str, timeout_seconds: float) -> Outcome | None:
        """Wait until the log tells what came of a command; return None if it does not in time."""
        with self._changed:
            self._awaited += 1
            self._changed.notify_all()
            try:
                self._changed.wait_for(
                    lambda: command_id in self._outcomes or self._over.is_set(), timeout_seconds
                )
                return self._outcomes.get(command_id)
            finally:
                self._awaited -= 1

    # -- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._over.is_set():
            with self._changed:
                self._changed.wait(self._pause_seconds())
            if not self._over.is_set():
                self.poll()

    def _pause_seconds(self) -> float:
        if self._awaited:
            return _AWAITED_POLL_SECONDS
        is_idle = self._monotonic() - self._asked_at > _IDLE_AFTER_SECONDS
        return _IDLE_POLL_SECONDS if is_idle else _POLL_SECONDS

    def poll(self) -> View:
        """Read what is new in the files, and make a view of it."""
        with self._poll_lock:
            problem = ""
            days: list[dict[str, Any]] = []
            self._challengers = []  # those of another day are not shown where today's cannot be read
            try:
                self._read_now()
                self._read_watch_log()
                self._read_day()
                days = self._days_file.read()
                if self._day is not None:
                    found = self._challenger_files.read(self._day.folder)
                    self._challengers = _masked(found, self._mask)
            except OSError as error:
                problem = f"{error.strerror} at {error.filename}"
            except (DataError, *UNREADABLE) as error:
                problem = f"{type(error).__name__}: {error}"
            fold = None if self._day is None else self._day.fold
            shown = {} if fold is None else fold.shown()
            unread = self._unread_of_watch + (0 if self._day is None else self._day.unread)
            if unread and not problem:
                problem = f"{unread} record(s) of the logs that make no sense"
            self.view = self._view(shown, days, problem)
        return self.view

    def _read_now(self) -> None:
        self._now_file.read()
        now = self._now_file.now
        if self._now_file.has_changed and now is not None:
            age = (self._clock.now() - now.written_at).total_seconds()
            self._age = _Age(max(0.0, age), self._monotonic())
            content = now.model_dump(mode="json", exclude={"api_key"})
            content["login_page"] = bool(now.login_page and now.api_key)
            self._masked_now = _masked(content, self._mask)

    def _read_watch_log(self) -> None:
        self._unread_of_watch += hand_out(
            self._watch.read(), self._take_outcome, self.counts.take, self._take_event
        )

    def _take_event(self, record: dict[str, Any]) -> None:
        shown = event_of_page(record, self._mask)
        if shown is not None:
            self._watch_events.append(shown)

    def _read_day(self) -> None:
        now = self._now_file.now
        folder = day_folder(self._folder, now)
        if self._day is None or self._day.folder != folder:
            self._day = DayFiles(folder, self.counts, self._mask, self._take_outcome)
        self._day.read()
        for trade in now.trades if now is not None else ():
            if trade.exit_time is not None:
                self.counts.take_trade(str(folder), trade.trade_id, trade.net_pnl)

    def _take_outcome(self, record: dict[str, Any]) -> None:
        if record.get("event") != "control" or not record.get("id"):
            return
        with self._changed:
            done = record.get("outcome") == "done"
            words = self._mask(str(record.get("words", "")))
            self._outcomes[str(record["id"])] = Outcome("done" if done else "refused", words)
            if len(self._outcomes) > _OUTCOMES_KEPT:
                self._outcomes.popitem(last=False)
            self._changed.notify_all()

    # -- the view --------------------------------------------------------------------------------

    def _view(self, shown: dict[str, Any], days: list[dict[str, Any]], files_problem: str) -> View:
        now, made_at = self._now_file.now, self._monotonic()
        stale = None if self._age is None else self._age.seconds + made_at - self._age.seen_at
        channels = _masked(self._alert_counters(), self._mask)
        health = health_of(
            now, stale, channels, now_problem=self._now_file.problem, files_problem=files_problem
        )
        health = health._replace(reasons=tuple(map(self._mask, health.reasons)))
        outage = self._mask(outage_of(now, stale, self._now_file.problem))
        why_not = self.read_only
        if not why_not and now is not None and now.phase == "over":
            why_not = "the trading process has ended"
        events = () if self._day is None else self._day.fold.events
        content = {
            "now": self._masked_now,
            "stale_seconds": None if stale is None else round(stale, 1) if stale < 2.0 else float(int(stale)),
            "health": {"level": health.level, "reasons": health.reasons},
            **({"candles": [], "decisions": [], "prediction": None, "fills": [], "equity": []} | shown),
            "latency": shown.get("latency")
            or {"decisions": 0, "p50_ms": None, "p99_ms": None, "last_ms": None},
            "events": merged_events(self._watch_events, events),
            "alerts": {"channels": channels},
            "days": days,
            "challengers": self._challengers,
            "controls": {"can": not why_not, "why_not": why_not},
            "server_time": self._clock.now().isoformat(timespec="seconds"),
        }
        body = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return View(
            now=now,
            stale_seconds=stale,
            health=health,
            outage=outage,
            channels=channels,
            body=body.encode(errors="replace"),
            made_at=made_at,
        )


def _masked(value: Any, mask: Callable[[str], str]) -> Any:  # noqa: ANN401 # JSON
    """Return JSON with the secrets in its texts masked."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {mask(key): _masked(inner, mask) for key, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner, mask) for inner in value]
    return value
