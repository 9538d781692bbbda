"""A refusal as the Kite API words it: HTTP status, error type and text."""

from __future__ import annotations

from typing import Any

from feeds.errors import BrokerError

__all__ = ["ExchangeError", "input_error", "order_error", "too_many_requests"]


class ExchangeError(BrokerError):
    """The sandbox refuses a request, or plays the part of a broken exchange.

    Parameters
    ----------
    status : int
        HTTP status of the answer.
    error_type : str
        Name in the answer's ``error_type``, such as ``InputException``.
    message : str
        Text in the answer's ``message``, as the real API words it where that is known.
    data : object, optional
        What the answer's ``data`` holds; None for ``null``.
    """

    def __init__(self, status: int, error_type: str, message: str, data: Any = None) -> None:  # noqa: ANN401 # JSON
        super().__init__(f"{status} {error_type}: {message}")
        self.status = status
        self.error_type = error_type
        self.message = message
        self.data = data


def input_error(message: str) -> ExchangeError:
    """Return the refusal of a wrong parameter: 400 InputException."""
    return ExchangeError(400, "InputException", message)


def order_error(message: str) -> ExchangeError:
    """Return the refusal to touch an order: 400 OrderException."""
    return ExchangeError(400, "OrderException", message)


def too_many_requests(message: str = "Too many requests") -> ExchangeError:
    """Return the refusal of one request too many: 429 NetworkException."""
    return ExchangeError(429, "NetworkException", message)
