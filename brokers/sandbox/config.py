"""How a sandbox exchange is set up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from brokers.charges import ChargePlan, ZerodhaCharges
from brokers.sandbox.instruments import SandboxIndex, SandboxInstrument
from feeds.calendar import TradingCalendar
from feeds.errors import SettingsError

__all__ = ["ExchangeConfig"]


@dataclass(frozen=True, kw_only=True)
class ExchangeConfig:
    """Settings of one day at the sandbox.

    Attributes
    ----------
    instruments : tuple of SandboxInstrument
        What is listed, near month first.
    indices : tuple of SandboxIndex
        What is listed besides, with a history only.
    day : datetime.date
        The trading day; an exchange lives for one.
    calendar : TradingCalendar
        Says when the day's session is open.
    cash : float
        Rupees in the account at the start of the day.
    previous_closes : mapping of int to float
        Close of the session before, by token, index points. Where missing, the last bar given to
        ``add_history`` counts, then the first print of the day.
    latency_ms : float
        From a request to the exchange's acknowledgement, milliseconds of market time. An order cannot fill
        before it.
    fill_latency_ms : float
        From a match at the exchange until the account shows it, milliseconds of market time.
    idle_fill_ms : float
        A marketable order fills at the last price when no print came for so long, milliseconds of market
        time.
    partial_fill_probability : float
        Chance that one execution takes only some of the lots, 0 to 1.
    seed : int
        Of the partial fills; the same seed gives the same draws for the n-th order whatever its timing.
    rate_limits : bool
        Whether 10 order requests a second, 400 a minute and 5000 orders a day are enforced, in market time.
    circuit_percent : float
        Allowed distance of a price from the previous close, percent.
    margin_percent : float
        Margin of a position or order, percent of its value.
    charges : ChargePlan
        What an executed order costs.
    require_market_protection : bool
        Whether MARKET and SL-M without ``market_protection`` are refused.
    max_modifications : int
        Of one order.
    first_order_number : int
        Number in the first order id; whoever starts a second exchange for the same day and accounts goes on
        counting, as order ids never repeat.
    user_id, api_secret, app_id
        Who the account belongs to, and what signs the order updates.
    """

    instruments: tuple[SandboxInstrument, ...]
    day: dt.date
    indices: tuple[SandboxIndex, ...] = ()
    calendar: TradingCalendar = field(default_factory=TradingCalendar)
    cash: float = 1_000_000.0
    previous_closes: Mapping[int, float] = field(default_factory=dict)
    latency_ms: float = 100.0
    fill_latency_ms: float = 20.0
    idle_fill_ms: float = 2_000.0
    partial_fill_probability: float = 0.0
    seed: int = 0
    rate_limits: bool = True
    circuit_percent: float = 10.0
    margin_percent: float = 12.0
    charges: ChargePlan = field(default_factory=ZerodhaCharges)
    require_market_protection: bool = True
    max_modifications: int = 25
    first_order_number: int = 1
    user_id: str = "SB0001"
    api_secret: str = "sandbox-secret"  # noqa: S105 # the sandbox's secret is public
    app_id: int = 1

    def __post_init__(self) -> None:
        bounds = {
            "cash": (self.cash, 0.0, float("inf")),
            "latency_ms": (self.latency_ms, 0.0, 600_000.0),
            "fill_latency_ms": (self.fill_latency_ms, 0.0, 600_000.0),
            "idle_fill_ms": (self.idle_fill_ms, 0.0, float("inf")),
            "partial_fill_probability": (self.partial_fill_probability, 0.0, 1.0),
            "circuit_percent": (self.circuit_percent, 0.0, 100.0),
            "margin_percent": (self.margin_percent, 0.0, 100.0),
        }
        for name, (value, low, high) in bounds.items():
            if not low <= value <= high:
                raise SettingsError(f"sandbox: {name} is {value}, expected {low:g} to {high:g}; change it")
        if self.calendar.session(self.day) is None:
            raise SettingsError(
                f"sandbox: {self.day} is no trading day; choose another with --day, or name its hours in "
                "market.extra_sessions"
            )
