"""The web application of the status page: its routes, and what holds for every answer."""

from __future__ import annotations

import time
from collections.abc import Callable

from flask import Flask, Response, jsonify, render_template, request
from prometheus_client import CollectorRegistry
from werkzeug.exceptions import HTTPException, TooManyRequests

from analyzers.status.api import make_api
from analyzers.status.auth import Auth, TooManyGuessesError
from analyzers.status.board import Board
from analyzers.status.controls import SendCommand
from analyzers.status.guard import Guard
from analyzers.status.kite_login import HEADING, LoginStates, make_kite_login
from analyzers.status.message import TITLE, message_page
from analyzers.status.metrics import BoardCollector, HttpCounts
from analyzers.status.settings import StatusSettings
from feeds.secrets import Secrets
from feeds.version import __version__

__all__ = ["LONGEST_BODY_BYTES", "make_app"]

LONGEST_BODY_BYTES = 4096

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def make_app(
    board: Board,
    *,
    token: str,
    settings: StatusSettings,
    send_command: SendCommand | None,
    secrets: Secrets,
    monotonic: Callable[[], float] = time.monotonic,
) -> Flask:
    """Make the application.

    Parameters
    ----------
    board : Board
        Has what is shown; its thread is the caller's to start.
    token : str
        Opens sessions and, as a Bearer, everything; see :func:`analyzers.status.auth.find_token`.
    settings : StatusSettings
        Where the page listens and how it is called: decides who may read without the token.
    send_command : callable or None
        See :class:`analyzers.status.controls.SendCommand`; None for a page that only shows.
    secrets : Secrets
        Hidden in every answer.
    monotonic : callable
        Seconds that only grow, for sessions, pauses and logins.

    Returns
    -------
    flask.Flask
        To be served by :class:`analyzers.status.server.StatusServer`.

    Notes
    -----
    Every answer but the files of the page is ``no-store``, and every one carries the content security policy:
    no inline script or style runs. An answer to ``/api/...`` that is an error is JSON ``{"error": words}``,
    under ``/kite/`` it is a page, any other one is a line of plain text.
    """
    secrets.remember(token)
    app = Flask(__name__, template_folder="templates", static_folder="static", static_url_path="/static")
    app.config.update(MAX_CONTENT_LENGTH=LONGEST_BODY_BYTES, SEND_FILE_MAX_AGE_DEFAULT=0)
    app.jinja_env.autoescape = True
    app.url_map.merge_slashes = False
    guard = Guard(Auth(token, monotonic), settings)
    counts = HttpCounts()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(BoardCollector(board, counts, secrets.mask))
    app.register_blueprint(make_api(board, guard, registry, send_command, secrets.mask))
    app.register_blueprint(make_kite_login(board, guard, send_command, secrets, LoginStates(monotonic)))

    @app.before_request
    def check_host() -> None:
        guard.check_host(request)

    @app.get("/")
    def page() -> str:
        return render_template("page.html.jinja", version=__version__, title=TITLE)

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers.update(_HEADERS)
        is_static = request.endpoint == "static" and response.status_code in (200, 304)
        response.headers["Cache-Control"] = "no-cache" if is_static else "no-store"
        route = "unmatched" if request.url_rule is None else request.url_rule.rule
        counts.add(route, response.status_code)
        return response

    @app.errorhandler(HTTPException)
    def fail(error: HTTPException) -> Response:
        words = secrets.mask(error.description or error.name)
        status = error.code or 500
        if request.path.startswith(("/api/", "/session")):
            response = jsonify(error=words)
        elif request.path.startswith("/kite/"):
            response = message_page(HEADING, words, status)
        else:
            response = Response(f"{words}\n", mimetype="text/plain")
        response.status_code = status
        if isinstance(error, TooManyRequests) and error.retry_after is not None:
            response.headers["Retry-After"] = str(error.retry_after)
        return response

    @app.errorhandler(TooManyGuessesError)
    def pause(error: TooManyGuessesError) -> Response:
        return fail(TooManyRequests(str(error), retry_after=int(error.retry_seconds) + 1))

    return app
