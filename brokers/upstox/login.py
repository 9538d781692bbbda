"""The morning login at Upstox: out to its page with a state, back with a code, and that for a token."""

from __future__ import annotations

from urllib.parse import urlencode

from brokers.login_answer import login_answer
from brokers.token_store import StoredToken
from brokers.upstox.connection import Connection
from brokers.upstox.errors import CALL_ERRORS, in_one_line
from brokers.upstox.session import token_store
from brokers.upstox.settings import UpstoxSettings
from feeds.clock import Clock
from feeds.errors import BrokerError

__all__ = ["code_in", "exchange", "login_address"]


def login_address(settings: UpstoxSettings, api_key: str, state: str, redirect: str) -> str:
    """Return the address that the user has to open; ``redirect`` is as registered with the app."""
    query = {"response_type": "code", "client_id": api_key, "redirect_uri": redirect, "state": state}
    return f"{settings.login_page}?{urlencode(query)}"


def code_in(address: str, state: str) -> str:
    """Return the code of the address that the login page sends the browser to.

    Raises
    ------
    BrokerError
        If the login failed, or this is not the one that was asked for. The message leaves the address out.
    """
    return login_answer("Upstox", "code", address, state)


def exchange(
    settings: UpstoxSettings, *, api_key: str, api_secret: str, code: str, redirect: str, clock: Clock
) -> StoredToken:
    """Exchange a code for the access token of the day.

    Raises
    ------
    BrokerError
        If Upstox refuses, or cannot be asked.
    """
    form = {
        "code": code,
        "client_id": api_key,
        "client_secret": api_secret,
        "redirect_uri": redirect,
        "grant_type": "authorization_code",
    }
    connection = Connection(settings, "")
    try:
        content = connection.call("POST", "/v2/login/authorization/token", form=form, is_public=True).content
    except CALL_ERRORS as error:
        raise BrokerError(
            f"the login could not be finished ({in_one_line(error)}), expected an access token; check "
            "UPSTOX_API_KEY, UPSTOX_API_SECRET and that broker.upstox.callback_port is that of the "
            "registered redirect URL, and start again: a code is good once"
        ) from None
    finally:
        connection.close()
    access_token = content.get("access_token") if isinstance(content, dict) else None
    if not isinstance(access_token, str) or not access_token:
        # The answer may hold the token in another place: its words are not shown.
        raise BrokerError("Upstox' answer to the login holds no access token, expected one; start again")
    login_time = clock.now()
    ends = token_store(settings).end_of(login_time)
    return StoredToken(api_key, access_token, str(content.get("user_id") or ""), login_time, ends)
