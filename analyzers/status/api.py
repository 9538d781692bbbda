"""What the page asks for and orders: the state, sessions, controls; health and metrics for machines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, request
from prometheus_client import CollectorRegistry
from werkzeug.exceptions import BadRequest, Forbidden, NotFound, ServiceUnavailable, Unauthorized

from analyzers.status.auth import SESSION_SECONDS
from analyzers.status.board import Board
from analyzers.status.controls import COMMANDS, SendCommand, fields_of
from analyzers.status.guard import Guard
from analyzers.status.health import SILENT_SECONDS
from analyzers.status.metrics import metrics_text

__all__ = ["make_api"]

_STATUS_OF_OUTCOME = {"done": 200, "refused": 409, "unknown": 202}
_NO_CONTROLS = "this page only shows, expected nothing to order here; use that of the trading process"


def make_api(
    board: Board,
    guard: Guard,
    registry: CollectorRegistry,
    send_command: SendCommand | None,
    mask: Callable[[str], str],
) -> Blueprint:
    """Return the routes that answer with JSON or plain text; see :func:`analyzers.status.app.make_app`."""
    api = Blueprint("api", __name__)

    def check_reader() -> None:
        if not guard.may_read(request):
            raise Unauthorized("expected the token of the status page, as a Bearer or by a session")

    @api.get("/api/status")
    def status() -> Response:
        check_reader()
        view = board.ask()
        if board.age_seconds > SILENT_SECONDS:
            raise ServiceUnavailable(board.outage)
        if request.if_none_match.contains_weak(view.etag):
            response = Response(status=304)
        elif request.accept_encodings.quality("gzip") > 0:
            response = Response(view.zipped_body, mimetype="application/json")
            response.headers["Content-Encoding"] = "gzip"
        else:
            response = Response(view.body, mimetype="application/json")
        response.set_etag(view.etag, weak=True)
        response.headers["Vary"] = "Accept-Encoding"
        return response

    @api.get("/healthz")
    def health() -> Response:
        outage = board.kind_of_outage  # open to everybody: no figure, reason or path
        return Response(f"{outage or 'ok'}\n", 503 if outage else 200, mimetype="text/plain")

    @api.get("/metrics")
    def metrics() -> Response:
        check_reader()
        text, content_type = metrics_text(registry, request.headers.get("Accept", ""))
        return Response(text, content_type=content_type)

    @api.get("/api/session")
    def session() -> Response:
        found = guard.session(request)
        return _session_answer(found.csrf if found else "")

    @api.post("/session")
    def begin_session() -> Response:
        guard.check_sender(request)
        token = _body().get("token")
        if not isinstance(token, str) or not guard.auth.is_token(token, request.remote_addr or ""):
            raise Unauthorized("this is not the token of the status page; it is STATUS_TOKEN or status_token")
        begun = guard.auth.begin_session()
        response = _session_answer(begun.csrf)
        response.set_cookie(
            guard.auth.cookie,
            begun.session_id,
            max_age=int(SESSION_SECONDS),
            httponly=True,
            samesite="Strict",
            secure=request.headers.get("Origin", "").startswith("https://"),
        )
        return response

    @api.post("/session/end")
    def end_session() -> Response:
        guard.check_sender(request)
        guard.auth.end_session(request.cookies.get(guard.auth.cookie, ""))
        response = _session_answer("")
        response.delete_cookie(guard.auth.cookie, httponly=True, samesite="Strict")
        return response

    @api.post("/api/control/<command>")
    def control(command: str) -> tuple[Response, int]:
        guard.check_control(request)
        if command not in COMMANDS:
            raise NotFound(f"found the command {command[:40]!r}, expected one of {', '.join(COMMANDS)}")
        if send_command is None:
            raise Forbidden(board.read_only or _NO_CONTROLS)
        fields = fields_of(command, _body())
        if isinstance(fields, str):
            raise BadRequest(fields)
        outcome = send_command(command, by="page", **fields)
        answer = jsonify(outcome=outcome.outcome, words=mask(outcome.words))
        return answer, _STATUS_OF_OUTCOME[outcome.outcome]

    def _session_answer(csrf: str) -> Response:
        return jsonify(logged_in=bool(csrf), csrf=csrf, controls=send_command is not None)

    return api


def _body() -> dict[str, Any]:
    """Return the JSON object of a request; an empty body is an empty one."""
    try:
        body = request.get_json() if request.get_data() else {}
    except RecursionError:
        raise BadRequest("found JSON that is nested too deeply, expected an object such as {}") from None
    if not isinstance(body, dict):
        raise BadRequest("found JSON that is no object, expected one such as {}")
    return body
