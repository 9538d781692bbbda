"""The official client, set up so that it can be trusted with orders.

Left to itself it repeats PUT, DELETE and GET three times, waits for ever, and takes its address from a hidden
singleton that the first caller in the process has fixed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from upstox_client import ApiClient, Configuration
from upstox_client.rest import ApiException

from brokers.upstox.settings import UpstoxSettings
from feeds.errors import BrokerError

__all__ = ["Answer", "Connection"]

_AUTHORISED = ["OAUTH2"]


class Answer(NamedTuple):
    """What came back: the JSON, or the bytes where it is none; and the header ``Date``."""

    content: Any
    date: str | None


class Connection:
    """An official client that asks once, waits only so long, and goes where the settings say. Thread-safe.

    Parameters
    ----------
    settings : UpstoxSettings
        Addresses and patience.
    access_token : str
        Of today's login; may be empty for the login itself.
    """

    def __init__(self, settings: UpstoxSettings, access_token: str) -> None:
        self._settings = settings
        self._client = _official_client(settings)
        self.token = access_token

    @property
    def token(self) -> str:
        """The access token of the next call."""
        token: str = self._client.configuration.access_token
        return token

    @token.setter
    def token(self, access_token: str) -> None:
        self._client.configuration.access_token = access_token

    def call(
        self,
        method: str,
        path: str,
        *,
        names: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        is_public: bool = False,
    ) -> Answer:
        """Ask once.

        Parameters
        ----------
        method, path : str
            As in the API's documentation; variable parts of the path in braces.
        names : mapping, optional
            The variable parts.
        query, body, form : mapping, optional
            Sent as the query, as JSON, or as a form.
        headers : mapping, optional
            Besides those of the official client.
        is_public : bool
            Whether it is asked without the token.

        Raises
        ------
        upstox_client.rest.ApiException, urllib3.exceptions.HTTPError
            See :func:`brokers.upstox.errors.classify`.
        BrokerError
            If the official client has changed where it sends what.
        """
        self._check_addresses()
        kind = "application/x-www-form-urlencoded" if form is not None else "application/json"
        response = self._client.call_api(
            path,
            method,
            dict(names or {}),
            list((query or {}).items()),
            {"Accept": "application/json", "Content-Type": kind, **(headers or {})},
            body=None if body is None else dict(body),
            post_params=list((form or {}).items()),
            auth_settings=[] if is_public else _AUTHORISED,
            _return_http_data_only=True,
            _preload_content=False,
            _request_timeout=(self._settings.timeout_seconds, self._settings.timeout_seconds),
        )
        return Answer(_content(response.data), response.headers.get("Date"))

    def download(self, address: str) -> bytes:
        """Return what is at an address, asked for without the token. Raises as :meth:`call`."""
        response = self._client.rest_client.pool_manager.request(
            "GET", address, timeout=self._settings.timeout_seconds
        )
        if response.status != 200:
            raise ApiException(http_resp=response)
        data: bytes = response.data
        return data

    def close(self) -> None:
        """Close the HTTP connections and the client's threads."""
        self._client.pool.close()
        self._client.pool.join()
        self._client.rest_client.pool_manager.clear()

    def _check_addresses(self) -> None:
        found = self._client.configuration
        if (found.host, found.order_host) != (self._settings.api_root, self._settings.order_root):
            raise BrokerError(
                f"Upstox' client would ask {found.host} and send orders to {found.order_host}, expected "
                f"{self._settings.api_root} and {self._settings.order_root} (broker.upstox); nothing was "
                "sent, start again"
            )


def _official_client(settings: UpstoxSettings) -> ApiClient:
    # A copy of the process's one configuration, whichever it is: everything that counts is set here
    configuration = Configuration()
    configuration.sandbox = False
    configuration.host, configuration.order_host = settings.api_root, settings.order_root
    configuration.verify_ssl = True
    configuration.proxy = None
    for logger in configuration.logger.values():
        # Of the client's own: it would write to the terminal
        logger.removeHandler(configuration.logger_stream_handler)
    client = ApiClient(configuration)
    # Nor a redirect is followed: it could send an order a second time
    client.rest_client.pool_manager.connection_pool_kw["retries"] = False
    return client


def _content(data: bytes) -> Any:  # noqa: ANN401 # JSON
    try:
        return json.loads(data)
    except ValueError:
        return data
