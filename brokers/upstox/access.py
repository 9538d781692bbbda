"""The way to Upstox; see :class:`brokers.access.BrokerAccess`."""

from __future__ import annotations

from brokers.access import AccountRows
from brokers.session import BrokerSession
from brokers.token_store import StoredToken, TokenStore
from brokers.upstox.client import UpstoxClient
from brokers.upstox.login import code_in, exchange, login_address
from brokers.upstox.session import find_session, token_store
from brokers.upstox.settings import UpstoxSettings
from brokers.upstox.store import UpstoxStore
from feeds.clock import Clock
from feeds.log import Log, NullLog
from feeds.secrets import Secrets

__all__ = ["UpstoxAccess"]


class UpstoxAccess:
    """Login, token and connection of Upstox.

    Parameters
    ----------
    settings : UpstoxSettings
        Where it is.
    """

    title = "Upstox"
    section = "broker.upstox"
    where_the_key_is = "it is shown where you made the app, at https://account.upstox.com/developer/apps"
    secret_names = ("UPSTOX_API_KEY", "UPSTOX_API_SECRET", "UPSTOX_ACCESS_TOKEN")

    def __init__(self, settings: UpstoxSettings) -> None:
        self._settings = settings

    @property
    def callback_port(self) -> int:
        """Port on 127.0.0.1 that its login page sends the browser back to, 0 = any free one."""
        return self._settings.callback_port

    @property
    def tokens(self) -> TokenStore:
        """Where the token of the day is kept."""
        return token_store(self._settings)

    def login_address(self, api_key: str, state: str, redirect: str) -> str:
        """Return the address that the user has to open; ``redirect`` is as registered with the app."""
        return login_address(self._settings, api_key, state, redirect)

    def answer_in(self, address: str, state: str) -> str:
        """Return the code. Raises BrokerError if the login failed, or is another one."""
        return code_in(address, state)

    def exchange(self, secrets: Secrets, answer: str, redirect: str, clock: Clock) -> StoredToken:
        """Exchange a code. Raises BrokerError if Upstox refuses or cannot be asked."""
        key, secret, _ = self.secret_names
        return exchange(
            self._settings,
            api_key=secrets.require(key, self.where_the_key_is),
            api_secret=secrets.require(secret, self.where_the_key_is),
            code=answer,
            redirect=redirect,
            clock=clock,
        )

    def find_session(self, secrets: Secrets, clock: Clock) -> BrokerSession:
        """Return the login of today. Raises BrokerError where there is none that may still be alive."""
        return find_session(self._settings, secrets, clock)

    def read_account(self, session: BrokerSession) -> AccountRows:
        """Return what the account holds. Raises BrokerError where it could not ask."""
        client = UpstoxClient(self._settings, session.access_token, NullLog())
        try:
            profile, funds = client.profile(), client.funds()
            who = f"{profile['user_id']} {profile.get('user_name') or ''}".strip()
            return AccountRows(who, funds.available, funds.used, client.positions(), client.orders())
        finally:
            client.close()

    def open_store(self, session: BrokerSession, log: Log) -> UpstoxStore:
        """Return a connection with that login."""
        return UpstoxStore(self._settings, session.access_token, log)
