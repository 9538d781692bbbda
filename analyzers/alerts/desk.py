"""Where alerts are handed in: each channel gets those it wants, in its own queue and its own thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from analyzers.alerts.alert import Alert
from analyzers.alerts.channel import Channel
from analyzers.alerts.channels import make_channels
from analyzers.alerts.dedupe import Dedupe
from analyzers.alerts.settings import AlertsSettings
from analyzers.alerts.worker import ChannelCounters, ChannelWorker, Pauses
from feeds.log import Log
from feeds.secrets import Secrets

__all__ = ["AlertDesk", "make_alert_desk"]


class AlertDesk:
    """Sends alerts without ever holding up who hands them in.

    Parameters
    ----------
    channels : iterable of Channel
        Where alerts go; none is allowed, and then nothing is sent.
    settings : AlertsSettings
        Time-outs and sizes.
    secrets : Secrets
        Taken out of every alert.
    log : Log
        Told of channels that fail, and that work again.
    pauses : Pauses
        Waits between tries.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self,
        channels: Iterable[Channel],
        settings: AlertsSettings,
        secrets: Secrets,
        log: Log,
        *,
        pauses: Pauses | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._secrets = secrets
        self._dedupe = Dedupe(settings.repeat_minutes * 60.0, clock)
        self._workers = [
            ChannelWorker(
                channel,
                queue_size=settings.queue_size,
                timeout_seconds=settings.timeout_seconds,
                give_up_seconds=settings.give_up_minutes * 60.0,
                pauses=pauses or Pauses(),
                mask=secrets.mask,
                log=log,
                clock=clock,
            )
            for channel in channels
        ]

    def start(self) -> None:
        """Begin sending."""
        for worker in self._workers:
            worker.start()

    def put(self, alert: Alert) -> None:
        """Hand in an alert; any thread. Never waits for a channel, never raises."""
        wanting = [worker for worker in self._workers if worker.wants(alert)]
        if not wanting:
            return
        admitted = self._dedupe.admit(alert)
        if admitted is None:
            for worker in wanting:
                worker.suppress()
            return
        masked = admitted.with_words(self._secrets.mask(admitted.title), self._secrets.mask(admitted.text))
        for worker in wanting:
            worker.put(masked)

    def counters(self) -> list[ChannelCounters]:
        """Return what became of the alerts so far, by channel; any thread."""
        return [worker.counters() for worker in self._workers]

    def flush(self, seconds: float) -> bool:
        """Wait until all is sent or given up; return whether it was, after at most ``seconds`` in all."""
        ends_at = time.monotonic() + seconds
        return all(worker.flush(max(0.0, ends_at - time.monotonic())) for worker in self._workers)

    def close(self) -> None:
        """End the tries that are on; what is left counts as dropped. Closing twice does nothing more."""
        for worker in self._workers:
            worker.close()


def make_alert_desk(settings: AlertsSettings, secrets: Secrets, log: Log) -> AlertDesk:
    """Return a desk with a channel for each secret that is given, started.

    Raises
    ------
    SettingsError
        A secret or an address is malformed, or one of a pair is missing.
    """
    desk = AlertDesk(make_channels(settings, secrets, log), settings, secrets, log)
    desk.start()
    return desk
