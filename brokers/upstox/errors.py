"""What a failed call to Upstox means: refused, dead session, or nobody knows.

On a write everything that is not known to be a refusal leaves the outcome unknown: the order book decides
then, never a second request. Only an answer in Upstox' own form of errors is a refusal.
"""

from __future__ import annotations

import json
import re
from typing import Any

from upstox_client.rest import ApiException
from urllib3 import exceptions as urllib3

from brokers.wire import (
    NotNowError,
    OrderRefusedError,
    OutcomeUnknownError,
    SessionDeadError,
    UnreachableError,
)
from feeds.errors import BrokerError

__all__ = ["CALL_ERRORS", "UnexpectedAnswerError", "classify", "in_one_line"]


class UnexpectedAnswerError(ValueError):
    """An answer with a status of success that has another form than documented."""


CALL_ERRORS: tuple[type[Exception], ...] = (ApiException, urllib3.HTTPError, UnexpectedAnswerError)
"""What a call raises when it fails, or is answered in a form that is not known."""

_TOO_MANY, _UNAUTHORISED = 429, 401
_LOGIN = "log in again with: python -m brokers login"
# Words with which brokers have answered 4xx to orders that were placed
_PERHAPS_PLACED = re.compile(r"timed?[ -]?out|check the order ?book|confirm before placing", re.IGNORECASE)
_LONGEST_TEXT = 300


def classify(error: Exception, *, is_write: bool) -> BrokerError:
    """Return the error of ours that a failed call amounts to.

    Parameters
    ----------
    error : Exception
        One of :data:`CALL_ERRORS`.
    is_write : bool
        Whether the call places, changes or cancels an order.

    Returns
    -------
    BrokerError
        For a write :class:`OrderRefusedError`, :class:`NotNowError`, :class:`SessionDeadError` or
        :class:`OutcomeUnknownError`; for a read :class:`SessionDeadError`, :class:`UnreachableError`, or a
        plain one that asking again will not change.
    """
    text = in_one_line(error)
    status = error.status if isinstance(error, ApiException) else None
    told = _told(error)
    if status == _UNAUTHORISED and told:
        return SessionDeadError(f"Upstox no longer accepts our access token: {text}; {_LOGIN}")
    return _of_write(error, text, status, told) if is_write else _of_read(text, status, told)


def in_one_line(error: Exception) -> str:
    """Return the kind and words of an error, cut to a length that a log can bear."""
    words = _told(error)
    if isinstance(error, ApiException):
        words = f"{error.status} {words or error.reason or ''}"
    text = " ".join((words or str(error)).split())
    if len(text) > _LONGEST_TEXT:
        text = text[: _LONGEST_TEXT - 1] + "…"
    return f"{type(error).__name__}: {text}"


def _of_write(error: Exception, text: str, status: int | None, told: str) -> BrokerError:
    if status == _TOO_MANY:
        return NotNowError(f"Upstox takes no more requests at the moment: {text}")
    if isinstance(error, (urllib3.NewConnectionError, urllib3.ConnectTimeoutError)):
        # No connection came about, so that not a byte of the request left
        return NotNowError(f"Upstox could not be reached, nothing was sent: {text}")
    if status is not None and 400 <= status < 500 and told:
        if _PERHAPS_PLACED.search(told):
            return OutcomeUnknownError(f"Upstox lost sight of the order: {text}")
        return OrderRefusedError(f"Upstox refused: {text}")
    return OutcomeUnknownError(f"no clear answer from Upstox, the order may exist: {text}")


def _of_read(text: str, status: int | None, told: str) -> BrokerError:
    if status is not None and 400 <= status < 500 and status != _TOO_MANY and told:
        return BrokerError(f"Upstox refused to answer: {text}")
    return UnreachableError(f"Upstox could not be asked: {text}")


def _told(error: Exception) -> str:
    """Return the errors of an answer in Upstox' own form, empty where it is in another one."""
    if not isinstance(error, ApiException) or not error.body:
        return ""
    try:
        errors: Any = json.loads(error.body)["errors"]
        return "; ".join(f"{one['errorCode']} {one['message']}" for one in errors)
    except (ValueError, LookupError, TypeError):
        return ""
