"""Answers in the form of Upstox': a status, and errors with codes.

Codes of a bad token, of one request too many, of a wrong instrument and of history are Upstox' own; where
none is known the sandbox says UDAPI100036 (invalid input) or UDAPI100500 (anything else).
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from brokers.sandbox.exchange_error import ExchangeError

__all__ = ["refusal", "upstox_error", "upstox_success"]

_JSON = "application/json"
_BAD_TOKEN = (401, "UDAPI100050", "Invalid token used to access API")
_CODES = {429: "UDAPI10005", 400: "UDAPI100036", 404: "UDAPI100036"}
_ANY = "UDAPI100500"
_PREFIX = "UDAPI"


def refusal(code: str, message: str) -> ExchangeError:
    """Return the refusal of a request with one of Upstox' own codes: 400."""
    return ExchangeError(400, code, message)


def upstox_success(data: Any) -> web.Response:  # noqa: ANN401 # JSON
    """Return the answer of a request that was carried out."""
    text = json.dumps({"status": "success", "data": data, "metadata": {"latency": 1}}, allow_nan=False)
    return web.Response(text=text, content_type=_JSON)


def upstox_error(error: ExchangeError) -> web.Response:
    """Return the answer of a request that was refused."""
    if error.error_type == "TokenException":
        status, code, message = _BAD_TOKEN
    elif error.error_type.startswith(_PREFIX):
        status, code, message = error.status, error.error_type, error.message
    else:
        status, code, message = error.status, _CODES.get(error.status, _ANY), error.message
    row = {
        "errorCode": code, "message": message, "propertyPath": None, "invalidValue": None,
        "error_code": code, "property_path": None, "invalid_value": None,
    }  # fmt: skip
    text = json.dumps({"status": "error", "errors": [row]})
    return web.Response(text=text, status=status, content_type=_JSON)
