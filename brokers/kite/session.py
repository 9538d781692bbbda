"""The login at Kite: where its token is kept, and which one to use."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from brokers import session
from brokers.kite.settings import KiteSettings
from brokers.session import BrokerSession
from brokers.token_store import TokenStore
from feeds.clock import Clock
from feeds.secrets import Secrets

__all__ = ["find_session", "token_store"]

_APP = "it is shown where you made the app, at https://developers.kite.trade"
_ENDS_AT = dt.time(6, 0)


def token_store(settings: KiteSettings) -> TokenStore:
    """Return where the token is kept, with ``~`` resolved."""
    path = Path(settings.token_file).expanduser()
    return TokenStore(path, "broker.kite.token_file", "KITE_API_KEY", _ENDS_AT)


def find_session(settings: KiteSettings, secrets: Secrets, clock: Clock) -> BrokerSession:
    """Return the login of today: ``KITE_ACCESS_TOKEN``, or that of the file; see :mod:`brokers.session`.

    Raises
    ------
    BrokerError
        If the key is missing, or there is no token that may still be alive.
    """
    return session.find_session(token_store(settings), "KITE_ACCESS_TOKEN", _APP, secrets, clock)
