"""The sandbox's login: request tokens, the one access token that lives, and its end in the morning."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable

from brokers.sandbox.exchange_error import ExchangeError, input_error

__all__ = ["LoginSession"]

_END_OF_LIFE = dt.time(6)
_REQUEST_SECONDS = 300.0
_WRONG = "Incorrect `api_key` or `access_token`."
_INVALID = "Token is invalid or has expired."


class LoginSession:
    """The credentials of one app and the token of its one session.

    Parameters
    ----------
    api_key, api_secret : str
        Of the app.
    access_token : str or None
        Alive from the start; None for one that nobody knows.
    now : datetime.datetime
        The market's time at the start, aware.
    monotonic : callable
        Real seconds; request tokens live for five minutes of them.
    """

    def __init__(
        self,
        api_key: str,
        api_secret: str,
        access_token: str | None,
        now: dt.datetime,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.api_key = api_key
        self._api_secret = api_secret
        self._monotonic = monotonic
        self._requests: dict[str, float] = {}
        self.access_token = ""
        self._is_alive = False
        self._began = now
        self.begin(now, access_token)

    @property
    def is_alive(self) -> bool:
        """Whether the access token has neither been killed nor logged out; it may be past its hour."""
        return self._is_alive

    def begin(self, now: dt.datetime, access_token: str | None = None) -> str:
        """Make a token, which ends the one before, and return it; it lives until the next 06:00 (Kite)."""
        self.access_token = access_token or secrets.token_hex(16)
        self._is_alive = True
        self._began = now
        return self.access_token

    def kill(self) -> None:
        """End the session."""
        self._is_alive = False

    def accepts(
        self, api_key: str, access_token: str, now: dt.datetime, end_of_life: dt.time = _END_OF_LIFE
    ) -> bool:
        """Return whether these credentials are those of the session that is alive.

        ``end_of_life`` is the time of day, Asia/Kolkata, at which the broker ends all sessions.
        """
        end = dt.datetime.combine(self._began.date(), end_of_life, self._began.tzinfo)
        return (
            self._is_alive
            and now < (end if self._began < end else end + dt.timedelta(days=1))
            and hmac.compare_digest(api_key.encode(), self.api_key.encode())
            and hmac.compare_digest(access_token.encode(), self.access_token.encode())
        )

    def check(self, authorization: str | None, now: dt.datetime) -> None:
        """Check the header ``token api_key:access_token``.

        Raises
        ------
        ExchangeError
            403 TokenException, if it is not that of the session that is alive.
        """
        kind, _, pair = (authorization or "").partition(" ")
        api_key, _, access_token = pair.partition(":")
        if kind != "token" or not self.accepts(api_key, access_token, now):
            raise ExchangeError(403, "TokenException", _WRONG)

    def request(self, api_key: str) -> str:
        """Log the one user in and return a request token, good for one exchange.

        Raises
        ------
        ExchangeError
            400, for another api_key.
        """
        if api_key != self.api_key:
            raise input_error("Invalid `api_key`.")
        token = secrets.token_hex(16)
        self._requests[token] = self._monotonic() + _REQUEST_SECONDS
        return token

    def exchange(self, api_key: str, request_token: str, checksum: str, now: dt.datetime) -> str:
        """Take a request token for an access token, which ends the session before.

        Raises
        ------
        ExchangeError
            403 TokenException, if the request token is unknown, used or too old, or the checksum is not the
            SHA-256 of ``api_key + request_token + api_secret``.
        """
        expected = hashlib.sha256(f"{self.api_key}{request_token}{self._api_secret}".encode()).hexdigest()
        if api_key != self.api_key or not hmac.compare_digest(checksum.encode(), expected.encode()):
            raise ExchangeError(403, "TokenException", "Invalid `checksum`.")
        if self._requests.pop(request_token, -1.0) < self._monotonic():
            raise ExchangeError(403, "TokenException", _INVALID)
        return self.begin(now)

    def exchange_code(self, api_key: str, api_secret: str, code: str, now: dt.datetime) -> str:
        """Take an OAuth code for an access token, which ends the session before.

        Raises
        ------
        ExchangeError
            400, if key, secret or code is wrong, used or too old.
        """
        right = api_key == self.api_key and hmac.compare_digest(
            api_secret.encode(), self._api_secret.encode()
        )
        if not right or self._requests.pop(code, -1.0) < self._monotonic():
            raise input_error("Invalid Auth code")
        return self.begin(now)

    def end(self, api_key: str, access_token: str, now: dt.datetime) -> None:
        """Log out. Raises ExchangeError (403) if the session is not the one that is alive."""
        if not self.accepts(api_key, access_token, now):
            raise ExchangeError(403, "TokenException", _INVALID)
        self.kill()
