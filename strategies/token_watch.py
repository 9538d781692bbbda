"""Waiting for a new login: once the broker no longer accepts the session, look for a new token."""

from __future__ import annotations

import threading
from collections.abc import Callable

from brokers.token_store import TokenStore
from feeds.clock import WallClock
from feeds.errors import BrokerError
from feeds.log import Log
from feeds.secrets import Secrets

__all__ = ["TokenWatch"]

_LOOK_SECONDS = 5.0


class TokenWatch:
    """Looks at the stored token until it is another one than that in use. Asks the broker nothing.

    Parameters
    ----------
    tokens : TokenStore
        Says where the token is stored.
    secrets : Secrets
        Learns the new token, so that it is masked.
    in_use : callable
        Returns the token that the broker no longer accepts.
    on_token : callable
        Given the new token, in the watch's thread.
    log : Log
        Told that a login is needed, and when it came.
    look_seconds : float
        Between two looks. The first one is at once: often it is the new login that has ended the session.
    """

    def __init__(
        self,
        tokens: TokenStore,
        secrets: Secrets,
        in_use: Callable[[], str],
        on_token: Callable[[str], None],
        log: Log,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        self._tokens = tokens
        self._secrets = secrets
        self._in_use = in_use
        self._on_token = on_token
        self._log = log
        self._look_seconds = look_seconds
        self._lock = threading.Lock()
        self._is_looking = False
        self._threads: list[threading.Thread] = []
        self._over = threading.Event()

    def begin(self, reason: str) -> None:
        """Start looking, unless it is being done already; any thread."""
        with self._lock:
            if self._over.is_set() or self._is_looking:
                return
            self._is_looking = True
            thread = threading.Thread(target=self._look, name="token-watch", daemon=True)
            self._threads = [*(old for old in self._threads if old.is_alive()), thread]
            self._log.error("login_needed", reason=reason, remedy="run: python -m brokers login")
            thread.start()

    def end(self) -> None:
        """Stop looking."""
        self._over.set()
        with self._lock:
            threads = self._threads
        for thread in threads:
            thread.join()

    def _look(self) -> None:
        dead = self._in_use()
        while not self._over.is_set():
            token = self._token()
            if token and token != dead:
                self._secrets.remember(token)
                self._log.info("login_found")
                with self._lock:
                    self._is_looking = False  # if this one is refused as well, the next look has to begin
                self._on_token(token)
                return
            self._over.wait(self._look_seconds)

    def _token(self) -> str:
        """Return the token that the login command has kept; nothing while there is none of today."""
        try:
            api_key = self._secrets.get(self._tokens.key_name) or ""
            return self._tokens.load(api_key=api_key, now=WallClock().now()).access_token
        except BrokerError:
            return ""
