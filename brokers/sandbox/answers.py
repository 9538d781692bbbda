"""Answers in the form of Kite's: JSON with a status, whatever happened."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from brokers.sandbox.exchange_error import ExchangeError

__all__ = ["error_answer", "gateway_answer", "lost_answer", "success_answer", "unreadable_answer"]

_JSON = "application/json"
_GATEWAY = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center></body></html>"


def success_answer(data: Any) -> web.Response:  # noqa: ANN401 # JSON
    """Return the answer of a request that was carried out."""
    text = json.dumps({"status": "success", "data": data}, allow_nan=False)
    return web.Response(text=text, content_type=_JSON)


def error_answer(error: ExchangeError) -> web.Response:
    """Return the answer of a request that was refused."""
    body = {
        "status": "error", "message": error.message, "data": error.data, "error_type": error.error_type,
    }  # fmt: skip
    return web.Response(text=json.dumps(body), status=error.status, content_type=_JSON)


def gateway_answer(status: int, words: str) -> web.Response:
    """Return what a gateway answers when it gives up on the server behind it: HTML."""
    return web.Response(text=_GATEWAY.format(f"{status} {words}"), status=status, content_type="text/html")


def unreadable_answer() -> web.Response:
    """Return an answer that breaks off in the middle of its JSON."""
    return web.Response(text='{"status": "success", "data": {"ord', content_type=_JSON)


def lost_answer(request: web.Request) -> web.Response:
    """Drop the connection; what is returned never arrives."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
