"""The Kite login from the status page: out to Kite's page with a one-time state, and back with a token."""

from __future__ import annotations

import secrets as random_secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from flask import Blueprint, Response, request
from pydantic import ValidationError
from werkzeug.exceptions import BadRequest, Forbidden, ServiceUnavailable

from analyzers.status.board import Board
from analyzers.status.controls import SendCommand
from analyzers.status.guard import Guard
from analyzers.status.message import message_page
from brokers.kite.login import login_address, request_token_in
from brokers.kite.settings import KiteSettings
from feeds.errors import BrokerError
from feeds.secrets import Secrets

__all__ = ["HEADING", "LoginStates", "make_kite_login"]

HEADING = "Kite login"

_STATE_SECONDS = 600.0
_STATES_KEPT = 16
_STATUS_OF_OUTCOME = {"done": 200, "refused": 409, "unknown": 202}
_LONGEST_TOKEN = 128


class LoginStates:
    """The logins under way: random words that each come back once, within ten minutes. Any thread.

    Parameters
    ----------
    monotonic : callable
        Seconds that only grow.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._ends: OrderedDict[str, float] = OrderedDict()

    def begin(self) -> str:
        """Return the word of a new login; the oldest of too many is forgotten."""
        state = random_secrets.token_urlsafe(24)
        with self._lock:
            self._ends[state] = self._monotonic() + _STATE_SECONDS
            if len(self._ends) > _STATES_KEPT:
                self._ends.popitem(last=False)
        return state

    def finish(self, state: str) -> bool:
        """Tell whether a word is that of a login under way, and forget it."""
        with self._lock:
            ends_at = self._ends.pop(state, None)
        return ends_at is not None and self._monotonic() < ends_at


def make_kite_login(
    board: Board, guard: Guard, send_command: SendCommand | None, secrets: Secrets, states: LoginStates
) -> Blueprint:
    """Return the two routes of the login; see :func:`analyzers.status.app.make_app`.

    The browser comes back from another site, so that it brings no cookie: the state alone tells whose login
    it is.
    """
    kite = Blueprint("kite", __name__, url_prefix="/kite")

    @kite.get("/login")
    def login() -> Response:
        if guard.session(request) is None:
            # Also who has one comes here without it, by a link in a mail: cookies stay on this site
            return Response(status=303, headers={"Location": "/"})
        if send_command is None:
            raise Forbidden(board.read_only or "this page only shows; use that of the trading process")
        now = board.view.now
        if now is None or not now.login_page or not now.api_key:
            raise ServiceUnavailable(
                "there is nothing to log in to: no broker, or no word of the trading process"
            )
        try:
            settings = KiteSettings(login_page=now.login_page)
        except ValidationError:
            raise ServiceUnavailable(
                "the address of the login page is none; see broker.kite.login_page"
            ) from None
        response = Response(status=302)
        response.headers["Location"] = login_address(settings, now.api_key, states.begin())
        return response

    @kite.get("/callback")
    def callback() -> Response:
        state = request.args.get("state", "")
        if not states.finish(state) or send_command is None:
            raise BadRequest("this is not a login that was asked for, or it took too long; start again")
        try:
            request_token = request_token_in(request.url, state)
        except BrokerError as error:
            raise BadRequest(secrets.mask(str(error))) from None
        if not (request_token.isalnum() and request_token.isascii() and len(request_token) <= _LONGEST_TOKEN):
            raise BadRequest("the address holds no request_token of Kite, expected one; start again")
        secrets.remember(request_token)
        outcome = send_command("login", by="page", request_token=request_token)
        return message_page(HEADING, secrets.mask(outcome.words), _STATUS_OF_OUTCOME[outcome.outcome])

    return kite
