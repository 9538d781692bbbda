"""What a failed call means, over every kind of error and every HTTP status."""

from __future__ import annotations

import pytest
import requests
from kiteconnect import exceptions as kite
from urllib3 import exceptions as urllib3

from brokers.kite.errors import classify
from brokers.wire import (
    NotNowError,
    OrderRefusedError,
    OutcomeUnknownError,
    SessionDeadError,
    UnreachableError,
)
from feeds.errors import BrokerError

STATUSES = (400, 403, 404, 405, 410, 429, 500, 502, 503, 504)
REFUSED = (400, 403, 404, 405, 410)
CLASSES = (
    kite.GeneralException, kite.TokenException, kite.PermissionException, kite.OrderException,
    kite.InputException, kite.DataException, kite.NetworkException,
)  # fmt: skip


def expected_of_write(kind: type, status: int) -> type:
    if kind is kite.TokenException and status in REFUSED:
        return SessionDeadError
    if status == 429:
        return NotNowError
    if status in REFUSED and kind not in (kite.DataException, kite.NetworkException):
        return OrderRefusedError
    return OutcomeUnknownError


def expected_of_read(kind: type, status: int) -> type:
    if kind is kite.TokenException and status in REFUSED:
        return SessionDeadError
    return BrokerError if status in REFUSED else UnreachableError


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_and_status(kind, status):
    error = kind("words of Kite", code=status)
    assert type(classify(error, is_write=True)) is expected_of_write(kind, status)
    assert type(classify(error, is_write=False)) is expected_of_read(kind, status)
    assert "words of Kite" in str(classify(error, is_write=True))


def never_connected() -> requests.ConnectionError:
    reason = urllib3.NewConnectionError(None, "refused")
    return requests.ConnectionError(urllib3.MaxRetryError(None, "/orders/regular", reason))


def lost_proxy() -> requests.exceptions.ProxyError:
    reason = urllib3.ProxyError("lost", OSError())
    return requests.exceptions.ProxyError(urllib3.MaxRetryError(None, "/", reason))


@pytest.mark.parametrize(
    ("error", "write"),
    [
        (requests.ReadTimeout("read timed out"), OutcomeUnknownError),
        (requests.ConnectTimeout("connect timed out"), NotNowError),
        (requests.ConnectionError("('Connection aborted.', RemoteDisconnected())"), OutcomeUnknownError),
        (requests.ConnectionError(), OutcomeUnknownError),
        (never_connected(), NotNowError),
        (lost_proxy(), OutcomeUnknownError),
        (requests.TooManyRedirects("exceeded 0 redirects"), OutcomeUnknownError),
        (requests.exceptions.ChunkedEncodingError("cut"), OutcomeUnknownError),
        (KeyError("data"), OutcomeUnknownError),
        (KeyError("content-type"), OutcomeUnknownError),
        (AttributeError("'list' object has no attribute 'get'"), OutcomeUnknownError),
        (TypeError("'NoneType' object is not subscriptable"), OutcomeUnknownError),
        (UnboundLocalError("_list"), OutcomeUnknownError),
        (RuntimeError("whatever else"), OutcomeUnknownError),
    ],
)  # fmt: skip
def test_what_is_not_an_answer(error, write):
    assert type(classify(error, is_write=True)) is write
    assert type(classify(error, is_write=False)) is UnreachableError


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (kite.InputException("Order request timed out. Please check the order book.", code=400),
         OutcomeUnknownError),
        (kite.OrderException("Gateway Timeout", code=400), OutcomeUnknownError),
        (kite.OrderException("Maximum allowed order requests exceeded.", code=500), OrderRefusedError),
        (kite.OrderException("Maximum allowed order requests exceeded.", code=400), OrderRefusedError),
        (kite.GeneralException("Insufficient funds. Required margin is 1.", code=400), OrderRefusedError),
        (kite.InputException("Tick size for this script is 0.10.", code=400), OrderRefusedError),
        (kite.NetworkException("Too many requests", code=429), NotNowError),
    ],
)  # fmt: skip
def test_words_decide_where_the_status_misleads(error, expected):
    assert type(classify(error, is_write=True)) is expected


def test_the_status_that_the_official_client_hides():
    page = kite.DataException("Unknown Content-Type (text/html)", code=502)
    assert type(classify(page, is_write=True, status=429)) is NotNowError
    assert type(classify(page, is_write=True, status=400)) is OutcomeUnknownError
    assert type(classify(page, is_write=False, status=429)) is UnreachableError
    assert type(classify(page, is_write=False, status=404)) is BrokerError


def test_a_dead_session_says_how_to_log_in():
    error = classify(kite.TokenException("Incorrect `api_key` or `access_token`."), is_write=False)
    assert "python -m brokers login" in str(error)


def test_a_long_answer_is_cut_to_one_line():
    text = str(classify(kite.DataException("<html>\n" + "x" * 5000), is_write=True))
    assert len(text) < 500
    assert "\n" not in text
