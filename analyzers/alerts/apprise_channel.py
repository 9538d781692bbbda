"""Alerts to whatever else Apprise knows: Slack, Discord, ntfy, Pushover and a hundred more."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from analyzers.alerts.alert import Alert, Severity
from analyzers.alerts.channel import DeliveryError
from analyzers.alerts.deadline import Deadline
from feeds.errors import SettingsError

__all__ = ["AppriseChannel"]

_KINDS = {"info": "info", "warning": "warning", "critical": "failure"}


class AppriseChannel:
    """Sends alerts to one address of Apprise.

    The library waits per read, so a try runs in a thread of its own, which is left alone at the deadline;
    while it still hangs no other is begun.

    Parameters
    ----------
    name : str
        In counters and logs; no part of the address, which holds secrets.
    address : str
        As in Apprise's documentation, ``ntfy://topic``.
    least : {'info', 'warning', 'critical'}
        Least severity sent.

    Raises
    ------
    SettingsError
        Apprise is not installed, or does not know the address.
    """

    def __init__(self, name: str, address: str, least: Severity) -> None:
        try:
            import apprise
        except ImportError as error:
            raise SettingsError(
                "APPRISE_URLS is set and the library apprise is not installed; run: pip install "
                "'muhurat[alerts]', or take APPRISE_URLS away"
            ) from error
        self.name = name
        self.least = least
        # Without a handler, Python prints the library's warnings, and addresses stand in them.
        logger = logging.getLogger("apprise")
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
        asset = apprise.AppriseAsset(app_id="Muhurat", app_desc="Muhurat", async_mode=False)
        self._service = apprise.Apprise(asset=asset)
        if not self._service.add(address):
            raise SettingsError(
                f"the address {name!r} in APPRISE_URLS ({urlsplit(address).scheme}://***) is not known to "
                "Apprise; correct it, blanks stand between addresses only"
            )
        self._attempt: _Attempt | None = None

    def deliver(self, alert: Alert, deadline: Deadline) -> None:
        """See :class:`analyzers.alerts.channel.Channel`."""
        if self._attempt is not None and not self._attempt.is_over.is_set():
            raise DeliveryError("an earlier try still hangs")
        files = [str(file) for file in alert.attachments if file.is_file()]
        self._attempt = _Attempt(
            lambda: self._service.notify(
                body=alert.text or alert.title, title=alert.title if alert.text else "",
                notify_type=_KINDS[alert.severity], body_format="text", attach=files or None,
            )
        )  # fmt: skip
        if not self._attempt.wait(deadline):
            raise DeliveryError(f"no answer within {deadline.seconds:g} seconds", may_have_arrived=True)
        if not self._attempt.is_done:
            raise DeliveryError("the service did not take it")


class _Attempt:
    """One call of the library in a thread that may be left behind."""

    def __init__(self, send: Callable[[], Any]) -> None:
        self._send = send
        self.is_over = threading.Event()
        self.is_done = False
        threading.Thread(target=self._run, name="alerts-apprise", daemon=True).start()

    def wait(self, deadline: Deadline) -> bool:
        """Return whether it came to an end in time."""
        while not deadline.is_over:
            if self.is_over.wait(min(0.1, deadline.remaining_seconds)):
                return True
        return self.is_over.is_set()

    def _run(self) -> None:
        try:
            self.is_done = bool(self._send())
        finally:
            self.is_over.set()
