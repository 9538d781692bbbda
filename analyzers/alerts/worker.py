"""One channel's thread: takes alerts from its queue, sends them one by one, tries again, gives up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from analyzers.alerts.alert import Alert, is_at_least
from analyzers.alerts.channel import Channel, DeliveryError
from analyzers.alerts.deadline import Deadline
from analyzers.alerts.queue import AlertQueue
from feeds.log import Log

__all__ = ["ChannelCounters", "ChannelWorker", "Pauses"]


class Pauses(NamedTuple):
    """Waits between tries, seconds: each is twice the one before, up to the longest."""

    first_seconds: float = 1.0
    longest_seconds: float = 60.0

    def after(self, failures: int) -> float:
        """Return the wait after so many failures in a row, 1 or more."""
        return min(self.longest_seconds, self.first_seconds * 2.0 ** min(failures - 1, 30))


class ChannelCounters(NamedTuple):
    """What became of the alerts for a channel: of those given, each is in exactly one of the five numbers."""

    name: str
    queued: int
    sent: int
    failed: int
    dropped: int
    suppressed: int
    last_error: str


class ChannelWorker:
    """Sends the alerts of one channel, in the order in which they came.

    Parameters
    ----------
    channel : Channel
        Where they go.
    queue_size : int
        See :class:`analyzers.alerts.queue.AlertQueue`.
    timeout_seconds, give_up_seconds : float
        For one try, and the age at which a further try is of no use. Every alert is tried once at least.
    pauses : Pauses
        Waits between tries.
    mask : callable
        Takes secrets out of a text.
    log : Log
        Told when a channel fails, and when it works again; not of every alert.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        queue_size: int,
        timeout_seconds: float,
        give_up_seconds: float,
        pauses: Pauses,
        mask: Callable[[str], str],
        log: Log,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.channel = channel
        self._queue = AlertQueue(queue_size, clock)
        self._timeout_seconds = timeout_seconds
        self._give_up_seconds = give_up_seconds
        self._pauses = pauses
        self._mask = mask
        self._log = log
        self._clock = clock
        self._lock = threading.Lock()
        self._sent = self._failed = self._dropped = self._suppressed = 0
        self._last_error = ""
        self._failures = 0
        self._maybe_arrived = -1
        self._deadline: Deadline | None = None
        self._thread = threading.Thread(target=self._run, name=f"alerts-{channel.name}", daemon=True)

    def start(self) -> None:
        """Begin sending."""
        self._thread.start()

    def wants(self, alert: Alert) -> bool:
        """Return whether an alert is for this channel."""
        return is_at_least(alert.severity, self.channel.least) and alert.told_on != self.channel.name

    def put(self, alert: Alert) -> None:
        """Queue an alert. Never waits for the channel, never raises."""
        with self._lock:
            dropped = self._queue.put(alert)
            if dropped is None:
                return
            self._dropped += 1
            is_first = self._dropped == 1
        if is_first:
            self._log.warning("alert_dropped", channel=self.channel.name, title=dropped.title)

    def suppress(self) -> None:
        """Count an alert that was held back as the same as one before."""
        with self._lock:
            self._suppressed += 1

    def counters(self) -> ChannelCounters:
        """Return what became of the alerts so far; any thread."""
        with self._lock:
            return ChannelCounters(
                self.channel.name, len(self._queue), self._sent, self._failed, self._dropped,
                self._suppressed, self._last_error,
            )  # fmt: skip

    def flush(self, seconds: float) -> bool:
        """Wait until everything was sent or given up; return whether it was, after at most ``seconds``."""
        return self._queue.wait_empty(seconds)

    def close(self) -> None:
        """End the try that is on, and the thread; what is left counts as dropped."""
        self._queue.close()
        with self._lock:
            if self._deadline is not None:
                self._deadline.cut()
        if self._thread.ident is not None:
            self._thread.join()
        with self._lock:
            left = self._queue.clear()
            self._dropped += left
        if left:
            self._log.warning("alerts_left", channel=self.channel.name, count=left)

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        except Exception as error:
            # What a channel does not foresee ends this channel, and no other; the counters say so.
            self._queue.close()
            with self._lock:
                self._last_error = self._mask(f"ended by {type(error).__name__}: {error}")
                self._failed += self._queue.clear()
            self._log.error("alert_channel_ended", channel=self.channel.name, error=self._last_error)
            raise

    def _turn(self) -> bool:
        """Try the oldest alert once; return False when the channel was closed."""
        waiting = self._queue.begin()
        if waiting is None:
            return False
        alert = waiting.alert
        if waiting.number == self._maybe_arrived:
            alert = alert.with_note("(Sent again: the answer to the first try was lost.)")
        error = self._try(alert)
        if error is None:
            self._end(is_sent=True)
            return True
        if error.is_final:
            self._end(is_sent=False)
            return True
        if error.may_have_arrived:
            self._maybe_arrived = waiting.number
        pause = max(self._pauses.after(self._failures), error.retry_after_seconds)
        if self._clock() + pause - waiting.since > self._give_up_seconds:
            self._end(is_sent=False)
            self._log.error("alert_given_up", channel=self.channel.name, title=self._mask(alert.title))
        else:
            self._queue.release()
        self._queue.pause(pause)
        return True

    def _end(self, *, is_sent: bool) -> None:
        with self._lock:  # one step for who reads the counters
            self._queue.done()
            self._sent += is_sent
            self._failed += not is_sent

    def _try(self, alert: Alert) -> DeliveryError | None:
        with Deadline(self._timeout_seconds) as deadline:
            with self._lock:
                self._deadline = deadline
            if self._queue.is_closed:
                deadline.cut()
            try:
                self.channel.deliver(alert, deadline)
            except DeliveryError as error:
                self._note_failure(error)
                return error
            finally:
                with self._lock:
                    self._deadline = None
        if self._failures:
            self._log.info("alert_channel_up", channel=self.channel.name, failures=self._failures)
        self._failures = 0
        return None

    def _note_failure(self, error: DeliveryError) -> None:
        self._failures += 1
        words = self._mask(error.words)
        with self._lock:
            is_new = words != self._last_error or self._failures == 1
            self._last_error = words
        if is_new:
            self._log.warning(
                "alert_channel_down", channel=self.channel.name, error=words, remedy=self._mask(error.remedy)
            )
