"""Waiting for a new login: once the broker no longer accepts the session, look for a new token."""

from __future__ import annotations

import threading
from collections.abc import Callable

from brokers.kite.session import token_file
from brokers.kite.settings import KiteSettings
from brokers.kite.token_store import load_token
from feeds.clock import WallClock
from feeds.errors import BrokerError
from feeds.log import Log
from feeds.secrets import Secrets

__all__ = ["TokenWatch"]

_LOOK_SECONDS = 5.0


class TokenWatch:
    """Looks at the stored token until it is another one than the dead one. Asks the broker nothing.

    Parameters
    ----------
    settings : KiteSettings
        Says where the token is stored.
    secrets : Secrets
        Learns the new token, so that it is masked.
    on_token : callable
        Given the new token, in the watch's thread.
    log : Log
        Told that a login is needed, and when it came.
    look_seconds : float
        Between two looks.
    """

    def __init__(
        self,
        settings: KiteSettings,
        secrets: Secrets,
        on_token: Callable[[str], None],
        log: Log,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        self._settings = settings
        self._secrets = secrets
        self._on_token = on_token
        self._log = log
        self._look_seconds = look_seconds
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._over = threading.Event()

    def begin(self, reason: str) -> None:
        """Start looking, unless it is being done already; any thread."""
        with self._lock:
            if self._over.is_set() or (self._thread is not None and self._thread.is_alive()):
                return
            self._log.error("login_needed", reason=reason, remedy="run: python -m brokers login")
            self._thread = threading.Thread(target=self._look, name="token-watch", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Stop looking."""
        self._over.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _look(self) -> None:
        dead = self._token() or self._secrets.get("KITE_ACCESS_TOKEN")
        while not self._over.wait(self._look_seconds):
            token = self._token()
            if token and token != dead:
                self._secrets.remember(token)
                self._log.info("login_found")
                self._on_token(token)
                return

    def _token(self) -> str:
        """Return the token that the login command has kept; nothing while there is none of today."""
        try:
            return load_token(
                token_file(self._settings),
                api_key=self._secrets.get("KITE_API_KEY") or "",
                now=WallClock().now(),
            ).access_token
        except BrokerError:
            return ""
