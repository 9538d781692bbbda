"""What Upstox calls the contracts of the sandbox: ``NSE_FO|35313``, and ``NIFTY FUT 24 NOV 26``."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from typing import Any

from brokers.sandbox.config import ExchangeConfig
from brokers.sandbox.instruments import SandboxIndex, SandboxInstrument
from brokers.sandbox.upstox.answers import refusal
from feeds.clock import IST

__all__ = ["Names", "expired_key", "index_key", "key_of", "symbol_of"]

_PAISE = 100.0
_END_OF_DAY = dt.time(23, 59, 59)
_UNDERLYINGS = {"NIFTY": "NIFTY 50", "BANKNIFTY": "NIFTY BANK"}


def key_of(instrument: SandboxInstrument) -> str:
    """Return the key of a contract."""
    return f"NSE_FO|{instrument.exchange_token}"


def expired_key(instrument: SandboxInstrument) -> str:
    """Return the key of a contract that has expired."""
    return f"{key_of(instrument)}|{instrument.expiry:%d-%m-%Y}"


def symbol_of(instrument: SandboxInstrument) -> str:
    """Return the symbol of a contract."""
    return f"{instrument.name} FUT {instrument.expiry:%d %b %y}".upper()


def index_key(symbol: str) -> str:
    """Return the key of an index, whose symbol is Kite's, such as ``NIFTY 50``."""
    return f"NSE_INDEX|{symbol.title()}"


class Names:
    """The contracts of one sandbox by their keys.

    Parameters
    ----------
    config : ExchangeConfig
        What is listed; contracts that expire before its day have expired.
    """

    def __init__(self, config: ExchangeConfig) -> None:
        self._day = config.day
        self.listed = [one for one in config.instruments if one.expiry >= config.day]
        self.expired = [one for one in config.instruments if one.expiry < config.day]
        self._indices = config.indices
        self._by_key: dict[str, SandboxInstrument] = {
            **{key_of(one): one for one in self.listed},
            **{expired_key(one): one for one in self.expired},
        }
        self._by_token = {one.token: one for one in config.instruments}

    def contract(self, key: str) -> SandboxInstrument:
        """Return the contract of a key. Raises ExchangeError for another one."""
        if key not in self._by_key:
            raise refusal("UDAPI100011", "Invalid Instrument key")
        return self._by_key[key]

    def of_token(self, token: int) -> SandboxInstrument:
        """Return the contract of the exchange's own token."""
        return self._by_token[token]

    def token(self, key: str) -> int:
        """Return the token of a contract or an index. Raises ExchangeError for another key."""
        for index in self._indices:
            if index_key(index.symbol) == key:
                return index.token
        return self.contract(key).token

    def underlying(self, key: str) -> str:
        """Return the name of the contracts on an index. Raises ExchangeError for another key."""
        for name, symbol in _UNDERLYINGS.items():
            if index_key(symbol) == key:
                return name
        raise refusal("UDAPI100011", "Invalid Instrument key")

    def dump(self) -> bytes:
        """Return the list of the day, gzipped JSON."""
        rows = [*map(_future_row, self.listed), *map(_index_row, self._indices)]
        return gzip.compress(json.dumps(rows).encode(), mtime=0)

    def expired_row(self, instrument: SandboxInstrument) -> dict[str, Any]:
        """Return a contract that has expired as the API lists it."""
        return {
            **_future_row(instrument),
            "instrument_key": expired_key(instrument),
            "expiry": instrument.expiry.isoformat(),
        }


def _future_row(one: SandboxInstrument) -> dict[str, Any]:
    end = dt.datetime.combine(one.expiry, _END_OF_DAY, IST)
    return {
        "weekly": False,
        "segment": "NSE_FO",
        "name": one.name,
        "exchange": "NSE",
        "expiry": int(end.timestamp() * 1000),
        "instrument_type": "FUT",
        "underlying_symbol": one.name,
        "instrument_key": key_of(one),
        "lot_size": one.lot,
        "freeze_quantity": float(one.freeze),
        "exchange_token": str(one.exchange_token),
        "minimum_lot": one.lot,
        "underlying_key": index_key(_UNDERLYINGS.get(one.name, one.name)),
        "tick_size": round(one.tick * _PAISE, 6),
        "underlying_type": "INDEX",
        "trading_symbol": symbol_of(one),
        "strike_price": 0.0,
    }


def _index_row(one: SandboxIndex) -> dict[str, Any]:
    return {
        "segment": "NSE_INDEX",
        "name": one.symbol.title(),
        "exchange": "NSE",
        "instrument_type": "INDEX",
        "instrument_key": index_key(one.symbol),
        "exchange_token": str(one.exchange_token),
        "trading_symbol": one.symbol,
    }
