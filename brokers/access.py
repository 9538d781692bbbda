"""How a broker is reached: its login, its token, its connection. One face for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from brokers.broker_store import BrokerStore
from brokers.session import BrokerSession
from brokers.token_store import StoredToken, TokenStore
from feeds.clock import Clock
from feeds.log import Log
from feeds.secrets import Secrets

__all__ = ["AccountRows", "BrokerAccess"]


class AccountRows(NamedTuple):
    """An account as a person wants to see it: rows have the fields that Kite and Upstox share.

    ``available`` and ``used`` are rupees.
    """

    who: str
    available: float
    used: float
    positions: Sequence[Mapping[str, Any]]
    orders: Sequence[Mapping[str, Any]]


class BrokerAccess(Protocol):
    """The way to a broker, with the settings of its section."""

    @property
    def title(self) -> str:
        """The broker's name as a person writes it."""

    @property
    def section(self) -> str:
        """Its section of the settings, such as ``broker.kite``."""

    @property
    def secret_names(self) -> tuple[str, str, str]:
        """Names of the app's key, of its secret, and of a token that goes before a stored one."""

    @property
    def where_the_key_is(self) -> str:
        """Where a user finds key and secret, in words."""

    @property
    def callback_port(self) -> int:
        """Port on 127.0.0.1 that its login page sends the browser back to, 0 = any free one."""

    @property
    def tokens(self) -> TokenStore:
        """Where the token of the day is kept."""

    def login_address(self, api_key: str, state: str, redirect: str) -> str:
        """Return the address that the user has to open; ``redirect`` is where the browser comes back to."""

    def answer_in(self, address: str, state: str) -> str:
        """Return what the login page has added to the address, to be exchanged once.

        Raises
        ------
        BrokerError
            If the login failed, or this is not the one that was asked for.
        """

    def exchange(self, secrets: Secrets, answer: str, redirect: str, clock: Clock) -> StoredToken:
        """Exchange such an answer for the access token of the day.

        Raises
        ------
        BrokerError
            If the app's key or secret is missing, or the broker refuses or cannot be asked.
        """

    def find_session(self, secrets: Secrets, clock: Clock) -> BrokerSession:
        """Return the login of today. Raises BrokerError where there is none that may still be alive."""

    def read_account(self, session: BrokerSession) -> AccountRows:
        """Return what the account holds. Raises BrokerError where it could not ask."""

    def open_store(self, session: BrokerSession, log: Log) -> BrokerStore:
        """Return a connection with that login."""
