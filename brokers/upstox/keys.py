"""Instrument keys: how Upstox names what is traded, ``NSE_FO|53001``."""

from __future__ import annotations

from brokers.instrument import Instrument

__all__ = ["INDEX_KEYS", "key_of", "token_in"]

_FUTURES = "NSE_FO"

INDEX_KEYS = {
    "NIFTY": "NSE_INDEX|Nifty 50",
    "BANKNIFTY": "NSE_INDEX|Nifty Bank",
    "FINNIFTY": "NSE_INDEX|Nifty Fin Service",
    "MIDCPNIFTY": "NSE_INDEX|NIFTY MID SELECT",
}
"""Keys of the indices, by the underlying of their futures."""


def key_of(instrument: Instrument) -> str:
    """Return the key of a future."""
    return f"{_FUTURES}|{instrument.token}"


def token_in(key: str) -> int | None:
    """Return the exchange's number in the key of a future or option; None for any other key."""
    segment, _, number = key.partition("|")
    return int(number) if segment == _FUTURES and number.isdecimal() else None
