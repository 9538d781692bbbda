"""Which login to use: that of the environment, or the one that ``python -m brokers login`` kept."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from brokers.token_store import TokenStore
from feeds.clock import Clock
from feeds.secrets import Secrets

__all__ = ["BrokerSession", "find_session"]


class BrokerSession(NamedTuple):
    """A login; ``ends`` is None where nobody knows, ``origin`` says where it was found."""

    api_key: str
    access_token: str
    ends: dt.datetime | None
    origin: str

    def __repr__(self) -> str:
        """Leave the token out: what is shown ends up in a log."""
        return f"BrokerSession(origin={self.origin!r}, ends={self.ends})"


def find_session(
    store: TokenStore, token_name: str, where_the_key_is: str, secrets: Secrets, clock: Clock
) -> BrokerSession:
    """Return the login of today.

    Parameters
    ----------
    store : TokenStore
        Keeps the token, and knows the name of the app's key.
    token_name : str
        The secret that goes before the file, such as ``KITE_ACCESS_TOKEN``.
    where_the_key_is : str
        Told where the key is missing.
    secrets : Secrets
        They are told the token of the file, so that no log shows it.
    clock : Clock
        Of this machine: a token has an end.

    Raises
    ------
    BrokerError
        If the key is missing, or there is no token that may still be alive.
    """
    api_key = secrets.require(store.key_name, where_the_key_is)
    given = secrets.get(token_name)
    if given:
        return BrokerSession(api_key, given, None, token_name)
    token = store.load(api_key=api_key, now=clock.now())
    secrets.remember(token.access_token)
    return BrokerSession(api_key, token.access_token, token.ends, str(store.path))
