"""Which login to use: that of the environment, or the one that ``python -m brokers login`` kept."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import NamedTuple

from brokers.kite.settings import KiteSettings
from brokers.kite.token_store import load_token
from feeds.clock import Clock
from feeds.secrets import Secrets

__all__ = ["KiteSession", "find_session", "token_file"]

_APP = "it is shown where you made the app, at https://developers.kite.trade"


class KiteSession(NamedTuple):
    """A login; ``ends`` is None where nobody knows, ``origin`` says where it was found."""

    api_key: str
    access_token: str
    ends: dt.datetime | None
    origin: str

    def __repr__(self) -> str:
        """Leave the token out: what is shown ends up in a log."""
        return f"KiteSession(origin={self.origin!r}, ends={self.ends})"


def token_file(settings: KiteSettings) -> Path:
    """Return the file that keeps the token, with ``~`` resolved."""
    return Path(settings.token_file).expanduser()


def find_session(settings: KiteSettings, secrets: Secrets, clock: Clock) -> KiteSession:
    """Return the login of today.

    Parameters
    ----------
    settings : KiteSettings
        Names the file of the token.
    secrets : Secrets
        ``KITE_API_KEY``; and ``KITE_ACCESS_TOKEN``, which goes before the file. They are told the token of
        the file, so that no log shows it.
    clock : Clock
        Of this machine: a token ends at 06:00.

    Raises
    ------
    BrokerError
        If the key is missing, or there is no token that may still be alive.
    """
    api_key = secrets.require("KITE_API_KEY", _APP)
    given = secrets.get("KITE_ACCESS_TOKEN")
    if given:
        return KiteSession(api_key, given, None, "KITE_ACCESS_TOKEN")
    file = token_file(settings)
    token = load_token(file, api_key=api_key, now=clock.now())
    secrets.remember(token.access_token)
    return KiteSession(api_key, token.access_token, token.ends, str(file))
