"""How a sandbox server is set up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from brokers.sandbox.config import ExchangeConfig
from brokers.sandbox.faults import Fault
from brokers.sandbox.market import MarketTrade
from feeds.clock import IST

__all__ = ["SandboxConfig", "StartMode"]

StartMode = Literal["subscribe", "now", "manual"]
"""When market time begins to run: with the first subscription, at once, or when told (it can be moved by hand
until then)."""

_BEFORE_OPEN = dt.timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class SandboxConfig:
    """Settings of a sandbox server.

    Attributes
    ----------
    exchange : ExchangeConfig
        The day, its contracts and rules; its ``api_secret`` is that of the app.
    trades : mapping of int to sequence of MarketTrade
        What is replayed, by token, in order of time.
    histories : mapping of int to DataFrame
        1-minute bars of earlier days, by token.
    clock_start : datetime.datetime or None
        Market time until the start, aware; None for a minute before the session's open. Prints from before it
        have happened already.
    speed : float
        Market seconds in a real one.
    start : StartMode
        See there.
    port : int
        On 127.0.0.1; 0 for any free one.
    api_key : str
        Of the app.
    access_token : str or None
        Alive from the start; None for one that has to be logged in for.
    redirect : str or None
        Where the login page sends the browser; None shows the request token instead.
    heartbeat_seconds : float
        Real seconds of silence on the stream after which a heartbeat is sent.
    faults : tuple of Fault
        In force from the start.
    seed : int
        Of the chances of faults.
    """

    exchange: ExchangeConfig
    trades: Mapping[int, Sequence[MarketTrade]] = field(default_factory=dict)
    histories: Mapping[int, pd.DataFrame] = field(default_factory=dict)
    clock_start: dt.datetime | None = None
    speed: float = 1.0
    start: StartMode = "subscribe"
    port: int = 0
    api_key: str = "sandbox"
    access_token: str | None = None
    redirect: str | None = None
    heartbeat_seconds: float = 1.0
    faults: tuple[Fault, ...] = ()
    seed: int = 0

    @property
    def starts_at(self) -> dt.datetime:
        """Market time until the start, aware, Asia/Kolkata."""
        if self.clock_start is not None:
            return self.clock_start.astimezone(IST)
        session = self.exchange.calendar.session(self.exchange.day)
        if session is None:  # ExchangeConfig has refused such a day
            raise ValueError(f"{self.exchange.day} has no session")
        return session.open - _BEFORE_OPEN
