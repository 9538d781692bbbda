"""The broker whose history is fetched, by name, with today's login."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from brokers.choice import upstox_packages
from feeds.clock import WallClock
from feeds.log import NullLog
from feeds.secrets import Secrets

if TYPE_CHECKING:
    from brokers.command_settings import CommandSettings
    from feeds.sources.history import HistorySource

__all__ = ["HistoryBroker", "open_history"]

HistoryBroker = Literal["kite", "upstox"]
"""Brokers that history can be fetched from."""


@contextmanager
def open_history(
    broker: HistoryBroker, settings: CommandSettings, secrets: Secrets
) -> Iterator[HistorySource]:
    """Give a broker's history for the length of a block.

    Parameters
    ----------
    broker : str
        Its name.
    settings : CommandSettings
        Its addresses and patience.
    secrets : Secrets
        Its keys and today's token.

    Raises
    ------
    BrokerError
        If there is no login of today.
    """
    # Each broker's packages are needed by who uses that broker only.
    if broker == "upstox":
        with upstox_packages():
            from brokers.upstox.history import opened_history
        with opened_history(settings.broker.upstox, secrets, WallClock()) as history:
            yield history
        return
    from brokers.kite.client import KiteClient
    from brokers.kite.history import KiteHistory
    from brokers.kite.session import find_session

    session = find_session(settings.broker.kite, secrets, WallClock())
    client = KiteClient(settings.broker.kite, session.api_key, session.access_token, NullLog())
    try:
        yield KiteHistory(client)
    finally:
        client.close()
