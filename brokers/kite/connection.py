"""The official client, set up so that it can be trusted with orders."""

from __future__ import annotations

from urllib.parse import urlsplit

import requests
from kiteconnect.connect import KiteConnect

from brokers.kite.settings import KiteSettings

__all__ = ["Connection", "official_client"]

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Connection:
    """An official client of one thread, and what the official client does not tell of its last answer.

    Parameters
    ----------
    settings : KiteSettings
        Address and patience.
    api_key : str
        Of the app.

    Attributes
    ----------
    client : KiteConnect
        Not to be shared between threads: its HTTP session is not made for that.
    status : int or None
        HTTP status of the last answer.
    date : str or None
        Its header ``Date``.
    """

    def __init__(self, settings: KiteSettings, api_key: str) -> None:
        self.client = official_client(settings, api_key)
        self.status: int | None = None
        self.date: str | None = None
        self.client.reqsession.hooks["response"].append(self._note)

    def renew(self, access_token: str) -> None:
        """Use this access token, and forget the last answer."""
        self.client.set_access_token(access_token)
        self.status = self.date = None

    def close(self) -> None:
        """Close the HTTP connection."""
        self.client.reqsession.close()

    def _note(self, response: requests.Response, **_: object) -> None:
        self.status = response.status_code
        self.date = response.headers.get("Date")


def official_client(settings: KiteSettings, api_key: str) -> KiteConnect:
    """Return an official client for the address of the settings, which may have a path."""
    address = urlsplit(settings.api_root)
    client = KiteConnect(
        api_key, root=f"{address.scheme}://{address.netloc}", timeout=settings.timeout_seconds
    )
    if address.path:
        # The official client joins addresses so that a path in its root is lost.
        client._routes = {name: address.path + route for name, route in client._routes.items()}
    # A redirect could send an order a second time.
    client.reqsession.max_redirects = 0
    if address.hostname in _LOOPBACK:
        client.reqsession.trust_env = False  # no proxy between us and this machine
    return client
