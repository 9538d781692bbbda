"""The login at Upstox: where its token is kept, and which one to use."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from brokers import session
from brokers.session import BrokerSession
from brokers.token_store import TokenStore
from brokers.upstox.settings import UpstoxSettings
from feeds.clock import Clock
from feeds.secrets import Secrets

__all__ = ["find_session", "token_store"]

_APP = "it is shown where you made the app, at https://account.upstox.com/developer/apps"
_ENDS_AT = dt.time(3, 30)


def token_store(settings: UpstoxSettings) -> TokenStore:
    """Return where the token is kept, with ``~`` resolved."""
    path = Path(settings.token_file).expanduser()
    return TokenStore(path, "broker.upstox.token_file", "UPSTOX_API_KEY", _ENDS_AT)


def find_session(settings: UpstoxSettings, secrets: Secrets, clock: Clock) -> BrokerSession:
    """Return the login of today: ``UPSTOX_ACCESS_TOKEN``, or that of the file; see :mod:`brokers.session`.

    Raises
    ------
    BrokerError
        If the key is missing, or there is no token that may still be alive.
    """
    return session.find_session(token_store(settings), "UPSTOX_ACCESS_TOKEN", _APP, secrets, clock)
