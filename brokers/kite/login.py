"""The morning login at Kite: out to its page with a state, back with a request token, and that for a token.

Kite gives no token without its own page, password and second factor; none of them passes through here. The
page sends the browser back to ``http://127.0.0.1:PORT/`` with a request token that is good for one exchange.
"""

from __future__ import annotations

import datetime as dt
from urllib.parse import quote, urlencode

from kiteconnect.exceptions import DataException, KiteException

from brokers.kite.connection import official_client
from brokers.kite.errors import CALL_ERRORS
from brokers.kite.session import token_store
from brokers.kite.settings import KiteSettings
from brokers.login_answer import login_answer
from brokers.token_store import StoredToken
from feeds.clock import IST, Clock
from feeds.errors import BrokerError

__all__ = ["exchange", "login_address", "request_token_in"]

_STATE = "state"


def login_address(settings: KiteSettings, api_key: str, state: str) -> str:
    """Return the address that the user has to open."""
    query = urlencode({"v": "3", "api_key": api_key}, quote_via=quote)
    # Kite wants the parameters it is to hand back as one value, itself a query.
    return f"{settings.login_page}?{query}&redirect_params={quote(urlencode({_STATE: state}), safe='')}"


def request_token_in(address: str, state: str) -> str:
    """Return the request token of the address that the login page sends the browser to.

    Raises
    ------
    BrokerError
        If the login failed, or this is not the one that was asked for. The message leaves the address out.
    """
    return login_answer("Kite", "request_token", address, state)


def exchange(
    settings: KiteSettings, *, api_key: str, api_secret: str, request_token: str, clock: Clock
) -> StoredToken:
    """Exchange a request token for the access token of the day, which ends every earlier one.

    Raises
    ------
    BrokerError
        If Kite refuses, or cannot be asked.
    """
    client = official_client(settings, api_key)
    try:
        answer = client.generate_session(request_token, api_secret)
        access_token, user_id = answer["access_token"], answer.get("user_id") or ""
        login_time = answer.get("login_time")
    except CALL_ERRORS as error:
        # An answer that could not be read may hold the token: neither its words nor its cause are shown.
        told = isinstance(error, KiteException) and not isinstance(error, DataException)
        words = str(error) if told else type(error).__name__
        raise BrokerError(
            f"the login could not be finished ({words}), expected an access token; check KITE_API_KEY and "
            "KITE_API_SECRET, and start again: a request token is good once and for a few minutes"
        ) from None
    finally:
        client.reqsession.close()
    if not isinstance(access_token, str) or not access_token:
        raise BrokerError("Kite's answer to the login holds no access token, expected one; start again")
    if not isinstance(login_time, dt.datetime):
        login_time = clock.now()
    elif login_time.tzinfo is None:
        login_time = login_time.replace(tzinfo=IST)
    ends = token_store(settings).end_of(login_time)
    return StoredToken(api_key, access_token, str(user_id), login_time, ends)
