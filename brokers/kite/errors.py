"""What a failed call means: refused, dead session, or nobody knows.

The official client raises its own exceptions, those of ``requests``, and plain Python ones for answers it did
not expect. On a write everything that is not known to be a refusal leaves the outcome unknown: the order book
decides then, never a second request.
"""

from __future__ import annotations

import re

import requests
from kiteconnect import exceptions as kite
from urllib3 import exceptions as urllib3

from brokers.wire import (
    NotNowError,
    OrderRefusedError,
    OutcomeUnknownError,
    SessionDeadError,
    UnreachableError,
)
from feeds.errors import BrokerError

__all__ = ["CALL_ERRORS", "classify", "in_one_line"]

CALL_ERRORS: tuple[type[Exception], ...] = (
    kite.KiteException,
    requests.RequestException,
    LookupError,
    AttributeError,
    TypeError,
    ValueError,
    UnboundLocalError,
)
"""What the official client raises when a call fails, or is answered in a form it does not know."""

_TOO_MANY = 429
_REFUSALS = (400, 403, 404, 405, 410)
_LOGIN = "log in again with: python -m brokers login"

# Kite has answered 400 to orders that were placed.
_PERHAPS_PLACED = re.compile(r"timed?[ -]?out|check the order ?book|confirm before placing", re.IGNORECASE)
# The day's limit comes under several codes and classes; the order was not taken.
_TOO_MANY_TODAY = re.compile(r"maximum allowed order requests", re.IGNORECASE)

_LONGEST_TEXT = 300


def classify(error: Exception, *, is_write: bool, status: int | None = None) -> BrokerError:
    """Return the error of ours that a failed call amounts to.

    Parameters
    ----------
    error : Exception
        As the official client raised it.
    is_write : bool
        Whether the call places, changes or cancels an order.
    status : int, optional
        HTTP status of the answer. The official client hides it where the answer is not JSON.

    Returns
    -------
    BrokerError
        For a write :class:`OrderRefusedError`, :class:`NotNowError`, :class:`SessionDeadError` or
        :class:`OutcomeUnknownError`; for a read :class:`SessionDeadError`, :class:`UnreachableError`, or
        a plain one that asking again will not change.
    """
    text = in_one_line(error)
    if status is None and isinstance(error, kite.KiteException):
        status = error.code
    if isinstance(error, kite.TokenException) and status in _REFUSALS:
        return SessionDeadError(f"Kite no longer accepts our access token: {text}; {_LOGIN}")
    return _of_write(error, text, status) if is_write else _of_read(error, text, status)


def in_one_line(error: Exception) -> str:
    """Return the kind and words of an error, cut to a length that a log can bear."""
    text = " ".join(str(error).split())
    if len(text) > _LONGEST_TEXT:
        text = text[: _LONGEST_TEXT - 1] + "…"
    return f"{type(error).__name__}: {text}"


def _of_write(error: Exception, text: str, status: int | None) -> BrokerError:
    if status == _TOO_MANY:
        return NotNowError(f"Kite takes no more requests at the moment: {text}")
    if _never_sent(error):
        return NotNowError(f"Kite could not be reached, nothing was sent: {text}")
    if isinstance(error, kite.KiteException) and not isinstance(error, kite.DataException):
        words = str(error)
        if _PERHAPS_PLACED.search(words):
            return OutcomeUnknownError(f"Kite lost sight of the order: {text}")
        if _TOO_MANY_TODAY.search(words):
            return OrderRefusedError(f"Kite takes no more orders today: {text}")
        if status in _REFUSALS and not isinstance(error, kite.NetworkException):
            return OrderRefusedError(f"Kite refused: {text}")
    return OutcomeUnknownError(f"no clear answer from Kite, the order may exist: {text}")


def _of_read(error: Exception, text: str, status: int | None) -> BrokerError:
    if status in _REFUSALS and isinstance(error, kite.KiteException):
        return BrokerError(f"Kite refused to answer: {text}")
    return UnreachableError(f"Kite could not be asked: {text}")


def _never_sent(error: Exception) -> bool:
    """Whether no connection came about, so that not a byte of the request left."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    if not isinstance(error, requests.ConnectionError) or not error.args:
        return False
    reason = getattr(error.args[0], "reason", None)
    # A lost proxy is a ProxyError: what it had passed on is not known.
    return isinstance(reason, urllib3.NewConnectionError)
