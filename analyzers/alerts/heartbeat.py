"""The outside dead-man's switch: an address is called while all is well, and its owner rings when not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from analyzers.alerts.channel import DeliveryError
from analyzers.alerts.deadline import Deadline
from analyzers.alerts.http_call import call
from analyzers.alerts.settings import AlertsSettings
from feeds.errors import SettingsError
from feeds.log import Log
from feeds.secrets import Secrets

__all__ = ["Heartbeat", "make_heartbeat"]


class Heartbeat:
    """Calls an address at once and then every few seconds, and says nothing while something is wrong.

    Parameters
    ----------
    address : str
        ``http(s)://...``; a secret.
    is_well : callable
        Whether there is reason to say so; asked before each call.
    log : Log
        Told once of a failing address, and once when it answers again.
    every_seconds, timeout_seconds : float
        Between two calls, and for one call in all.

    Raises
    ------
    SettingsError
        The address is none.
    """

    def __init__(
        self,
        address: str,
        is_well: Callable[[], bool],
        log: Log,
        *,
        every_seconds: float = 60.0,
        timeout_seconds: float = 10.0,
    ) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsError("HEARTBEAT_URL is no address, expected https://HOST/PATH; correct it")
        self._address = address
        self._is_well = is_well
        self._log = log
        self._every_seconds = every_seconds
        self._timeout_seconds = timeout_seconds
        self._is_failing = False
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._deadline: Deadline | None = None
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin calling."""
        self._thread.start()

    def stop(self) -> None:
        """End, also a call that is on."""
        self._over.set()
        with self._lock:
            if self._deadline is not None:
                self._deadline.cut()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            if self._is_well():
                self._beat()
            self._over.wait(self._every_seconds)

    def _beat(self) -> None:
        try:
            with Deadline(self._timeout_seconds) as deadline:
                with self._lock:
                    self._deadline = deadline
                if self._over.is_set():
                    return
                status = call("GET", self._address, deadline).status
            failure = "" if status < 300 else f"it answered {status}"
            if 300 <= status < 400:
                failure += "; redirects are not followed"
        except DeliveryError as error:
            failure = error.words
        finally:
            with self._lock:
                self._deadline = None
        if failure and not self._is_failing and not self._over.is_set():
            self._log.warning(
                "heartbeat_failing",
                error=failure,
                remedy="see that HEARTBEAT_URL is right and can be reached",
            )
        elif not failure and self._is_failing:
            self._log.info("heartbeat_again")
        self._is_failing = bool(failure)


def make_heartbeat(
    settings: AlertsSettings, secrets: Secrets, is_well: Callable[[], bool], log: Log
) -> Heartbeat | None:
    """Return a heartbeat for ``HEARTBEAT_URL``, not started; None where there is none.

    Raises
    ------
    SettingsError
        The address is none.
    """
    address = secrets.get("HEARTBEAT_URL")
    if not address:
        return None
    secrets.remember(address)
    return Heartbeat(
        address,
        is_well,
        log,
        every_seconds=settings.heartbeat_seconds,
        timeout_seconds=settings.timeout_seconds,
    )
