"""The way to Kite; see :class:`brokers.access.BrokerAccess`."""

from __future__ import annotations

from brokers.access import AccountRows
from brokers.kite.client import KiteClient
from brokers.kite.login import exchange, login_address, request_token_in
from brokers.kite.session import find_session, token_store
from brokers.kite.settings import KiteSettings
from brokers.kite.store import KiteStore
from brokers.session import BrokerSession
from brokers.token_store import StoredToken, TokenStore
from feeds.clock import Clock
from feeds.log import Log, NullLog
from feeds.secrets import Secrets

__all__ = ["KiteAccess"]


class KiteAccess:
    """Login, token and connection of Kite.

    Parameters
    ----------
    settings : KiteSettings
        Where it is.
    """

    title = "Kite"
    section = "broker.kite"
    where_the_key_is = "it is shown where you made the app, at https://developers.kite.trade"
    secret_names = ("KITE_API_KEY", "KITE_API_SECRET", "KITE_ACCESS_TOKEN")

    def __init__(self, settings: KiteSettings) -> None:
        self._settings = settings

    @property
    def callback_port(self) -> int:
        """Port on 127.0.0.1 that its login page sends the browser back to, 0 = any free one."""
        return self._settings.callback_port

    @property
    def tokens(self) -> TokenStore:
        """Where the token of the day is kept."""
        return token_store(self._settings)

    def login_address(self, api_key: str, state: str, redirect: str) -> str:  # registered with the app
        """Return the address that the user has to open; Kite knows where the browser comes back to."""
        return login_address(self._settings, api_key, state)

    def answer_in(self, address: str, state: str) -> str:
        """Return the request token. Raises BrokerError if the login failed, or is another one."""
        return request_token_in(address, state)

    def exchange(self, secrets: Secrets, answer: str, redirect: str, clock: Clock) -> StoredToken:  # the same
        """Exchange a request token. Raises BrokerError if Kite refuses or cannot be asked."""
        key, secret, _ = self.secret_names
        return exchange(
            self._settings,
            api_key=secrets.require(key, self.where_the_key_is),
            api_secret=secrets.require(secret, self.where_the_key_is),
            request_token=answer,
            clock=clock,
        )

    def find_session(self, secrets: Secrets, clock: Clock) -> BrokerSession:
        """Return the login of today. Raises BrokerError where there is none that may still be alive."""
        return find_session(self._settings, secrets, clock)

    def read_account(self, session: BrokerSession) -> AccountRows:
        """Return what the account holds. Raises BrokerError where it could not ask."""
        client = KiteClient(self._settings, session.api_key, session.access_token, NullLog())
        try:
            profile, funds = client.profile(), client.funds()
            who = f"{profile.user_id} {profile.user_name}, exchanges {', '.join(profile.exchanges)}"
            return AccountRows(who, funds.available, funds.used, client.positions(), client.orders())
        finally:
            client.close()

    def open_store(self, session: BrokerSession, log: Log) -> KiteStore:
        """Return a connection with that login."""
        return KiteStore(self._settings, session.api_key, session.access_token, log)
