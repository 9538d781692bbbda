"""The sections ``broker`` and ``risk`` of the settings, and what is made of them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from brokers.charges import ChargePlan, PercentCharges, UpstoxCharges, ZerodhaCharges
from brokers.kite.settings import KiteSettings
from brokers.risk.account_settings import AccountRiskSettings
from brokers.risk.cooldown import Cooldown
from brokers.risk.daily_loss import DailyLoss
from brokers.risk.data_quality import DataQuality
from brokers.risk.exposure import Exposure
from brokers.risk.kill_switch import KillSwitch
from brokers.risk.max_trades import MaxTrades
from brokers.risk.model_age import ModelAge
from brokers.risk.model_drift import ModelDrift
from brokers.risk.order_sanity import OrderSanity
from brokers.risk.pause import Pause
from brokers.risk.rule import RiskRule
from brokers.risk.trading_window import TradingWindow
from brokers.risk.volatility import VolatilityBand
from brokers.slippage import (
    NoSlippage,
    PercentSlippage,
    SlippageModel,
    SquareRootImpact,
    TickSlippage,
    VolatilitySlippage,
)
from brokers.upstox.settings import UpstoxSettings
from feeds.dotted import load_dotted
from feeds.errors import SettingsError
from feeds.section import Section, WallTime

__all__ = [
    "BrokerSettings",
    "ChargeSettings",
    "OnDriftSettings",
    "RiskSettings",
    "SlippageSettings",
    "make_charges",
    "make_rules",
    "make_slippage",
]


class ChargeSettings(Section):
    """Who charges what."""

    plan: Literal["zerodha", "upstox", "percent"] = Field(
        default="zerodha", description="dated charges of a broker, or a plain percentage on every day"
    )
    percent: float = Field(
        default=0.02, ge=0, le=5, description="plan percent: percent of the order's value, each side"
    )


class SlippageSettings(Section):
    """How much worse than their reference price market and stop orders fill."""

    model: str = Field(
        default="percent",
        description="none, percent, ticks, volatility, square_root, or your own as package.module:Class",
    )
    percent: float = Field(
        default=0.02, ge=0, le=5, description="model percent: percent of the price, each side"
    )
    ticks: float = Field(default=1.0, ge=0, le=1000, description="model ticks: price steps, each side")
    range_fraction: float = Field(
        default=0.1, ge=0, le=10, description="model volatility: part of the mean range of the 14 bars before"
    )
    impact_coefficient: float = Field(
        default=1.0,
        ge=0,
        le=100,
        description="model square_root: times recent range times root of our share of volume",
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="keyword arguments of a model of your own"
    )


class BrokerSettings(Section):
    """The section ``broker``: the account and what trading costs."""

    starting_cash: float = Field(
        default=1_000_000.0, gt=0, description="rupees in the account when the run begins"
    )
    charges: ChargeSettings = Field(default=ChargeSettings(), description="brokerage, taxes and fees")
    slippage: SlippageSettings = Field(
        default=SlippageSettings(), description="loss of market and stop orders against their price"
    )
    latency_ms: float = Field(
        default=500.0, ge=0, le=600_000, description="milliseconds from a decision to the exchange, 0 = none"
    )
    max_percent_of_volume: float = Field(
        default=0.0, ge=0, le=100, description="percent of a bar's volume our orders may take, 0 = no limit"
    )
    name: Literal["kite", "upstox"] = Field(
        default="kite", description="the broker that is traded live with: Zerodha Kite or Upstox"
    )
    kite: KiteSettings = Field(default=KiteSettings(), description="Zerodha Kite as the live broker")
    upstox: UpstoxSettings = Field(default=UpstoxSettings(), description="Upstox as the live broker")

    @property
    def product(self) -> str:
        """The product of live orders, in the words of the broker that is traded with."""
        return self.upstox.product if self.name == "upstox" else self.kite.product

    @property
    def is_closed_in_the_afternoon(self) -> bool:
        """Whether the broker itself closes positions of that product on the same day."""
        return self.product in ("MIS", "I")


class OnDriftSettings(Section):
    """What follows from the drift of the model's inputs, beside the alert."""

    warning: Literal["none", "reduce", "stop"] = Field(
        default="none", description="at a warning: entries as ever, smaller ones, or none"
    )
    alarm: Literal["none", "reduce", "stop"] = Field(
        default="none", description="at an alarm: entries as ever, smaller ones, or none"
    )
    reduce_to_percent: float = Field(
        default=50.0, gt=0, le=100, description="percent of the size that reduce leaves, one lot at least"
    )
    level: Literal["ok", "warning", "alarm", "unknown"] = Field(
        default="unknown", description="level after the last session; days that run themselves put it in"
    )


class RiskSettings(Section):
    """The section ``risk``: limits on entries. ``null`` switches a limit off; exits are never limited."""

    daily_loss_percent: float | None = Field(
        default=2.0,
        gt=0,
        le=100,
        description="percent of the day's first equity at which the day ends, null = off",
    )
    daily_loss_rupees: float | None = Field(
        default=None, gt=0, description="rupees of loss at which the day ends, null = off"
    )
    max_entries_per_day: int | None = Field(default=10, ge=1, description="entries sent a day, null = off")
    cooldown_losses: int | None = Field(
        default=3, ge=1, description="losses in a row that start a pause, null = off"
    )
    cooldown_minutes: float = Field(default=30.0, gt=0, le=10_000, description="minutes of that pause")
    min_atr_percent: float | None = Field(
        default=None, ge=0, le=100, description="least ATR in percent of the price for an entry, null = off"
    )
    max_atr_percent: float | None = Field(
        default=1.0, gt=0, le=100, description="greatest ATR in percent of the price for an entry, null = off"
    )
    entries_from: WallTime | None = Field(
        default=dt.time(9, 15), description="first moment of decision, exchange time in quotes, null = off"
    )
    entries_until: WallTime | None = Field(
        default=dt.time(15, 0),
        description="from then on no entry is decided, exchange time in quotes, null = off",
    )
    max_lots: int | None = Field(default=20, ge=1, description="lots the position may have, null = off")
    max_margin_percent: float | None = Field(
        default=80.0,
        gt=0,
        le=100,
        description="percent of the equity the position's margin may take, null = off",
    )
    order_sanity: bool = Field(
        default=True, description="check size, lot, tick, and the sides of stop and target; false = off"
    )
    max_order_slices: int = Field(
        default=10,
        ge=1,
        le=10,
        description="orders of the freeze quantity one entry may need (Kite cuts into 10)",
    )
    max_stop_distance_percent: float = Field(
        default=5.0, gt=0, le=100, description="percent of the price between the last price and the stop"
    )
    deny_incomplete_bars: bool = Field(
        default=True, description="no entry on a bar that lacks minutes; false = off"
    )
    max_data_age_seconds: float | None = Field(
        default=30.0,
        gt=0,
        description="age of the newest data at the decision, null = off; 0 s in a backtest",
    )
    max_model_age_days: float | None = Field(
        default=120.0, gt=0, description="days since the last bar the model was trained on, null = off"
    )
    on_drift: OnDriftSettings = Field(
        default=OnDriftSettings(), description="what the drift of the model's inputs leads to"
    )
    kill_switch_file: str | None = Field(
        default="KILL_SWITCH", min_length=1, description="no entry while this file exists, null = off"
    )
    pause_file: str | None = Field(
        default="PAUSED",
        min_length=1,
        description="no entry while this file exists, its first line says why, null = off",
    )
    own_rules: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="a rule of your own as package.module:Class, with its keyword arguments",
    )
    account: AccountRiskSettings = Field(
        default=AccountRiskSettings(), description="limits on all instruments together"
    )

    @model_validator(mode="after")
    def _check_pairs(self) -> RiskSettings:
        low, high = self.min_atr_percent, self.max_atr_percent
        if low is not None and high is not None and low > high:
            msg = f"min_atr_percent is {low:g}, expected at most max_atr_percent, which is {high:g}"
            raise ValueError(msg)
        start, end = self.entries_from, self.entries_until
        if start is not None and end is not None and start >= end:
            msg = f"entries_from is {start}, expected before entries_until, which is {end}"
            raise ValueError(msg)
        if self.pause_file is not None and self.pause_file == self.kill_switch_file:
            msg = f"pause_file is {self.pause_file}, expected another file than kill_switch_file"
            raise ValueError(msg)
        return self


def make_charges(settings: BrokerSettings) -> ChargePlan:
    """Return the charge plan of the settings."""
    charges = settings.charges
    if charges.plan == "percent":
        return PercentCharges(charges.percent)
    return ZerodhaCharges() if charges.plan == "zerodha" else UpstoxCharges()


def make_slippage(settings: BrokerSettings) -> SlippageModel:
    """Return the slippage model of the settings.

    Raises
    ------
    SettingsError
        If a model of one's own cannot be made.
    """
    slippage = settings.slippage
    match slippage.model:
        case "none":
            return NoSlippage()
        case "percent":
            return PercentSlippage(slippage.percent)
        case "ticks":
            return TickSlippage(slippage.ticks)
        case "volatility":
            return VolatilitySlippage(slippage.range_fraction)
        case "square_root":
            return SquareRootImpact(slippage.impact_coefficient)
    parts = ("adverse_points", "needs_recent_range")
    model: SlippageModel = _make_own(slippage.model, slippage.parameters, parts, "slippage model")
    return model


def make_rules(settings: RiskSettings) -> list[RiskRule]:
    """Return the rules that are on, in the order in which the gate asks them.

    What forbids any entry comes first, then what depends on the account and the market, then the size; the
    sanity of the order is looked at last, on the size that is really sent.

    Raises
    ------
    SettingsError
        If a rule of one's own cannot be made.
    """
    on = settings
    rules: list[RiskRule] = []
    if on.kill_switch_file is not None:
        rules.append(KillSwitch(Path(on.kill_switch_file)))
    if on.pause_file is not None:
        rules.append(Pause(Path(on.pause_file)))
    if on.deny_incomplete_bars or on.max_data_age_seconds is not None:
        rules.append(
            DataQuality(
                deny_incomplete_bars=on.deny_incomplete_bars, max_data_age_seconds=on.max_data_age_seconds
            )
        )
    if on.max_model_age_days is not None:
        rules.append(ModelAge(on.max_model_age_days))
    if on.entries_from is not None or on.entries_until is not None:
        rules.append(TradingWindow(on.entries_from, on.entries_until))
    if on.daily_loss_percent is not None or on.daily_loss_rupees is not None:
        rules.append(DailyLoss(on.daily_loss_percent, on.daily_loss_rupees))
    if on.max_entries_per_day is not None:
        rules.append(MaxTrades(on.max_entries_per_day))
    if on.cooldown_losses is not None:
        rules.append(Cooldown(on.cooldown_losses, on.cooldown_minutes))
    if on.min_atr_percent is not None or on.max_atr_percent is not None:
        rules.append(VolatilityBand(on.min_atr_percent, on.max_atr_percent))
    rules.extend(
        _make_own(path, parameters, ("name", "describe", "check"), "risk rule")
        for path, parameters in on.own_rules.items()
    )
    drift = on.on_drift
    if drift.warning != "none" or drift.alarm != "none":
        rules.append(ModelDrift(drift.level, drift.warning, drift.alarm, drift.reduce_to_percent))
    if on.max_lots is not None or on.max_margin_percent is not None:
        rules.append(Exposure(on.max_lots, on.max_margin_percent))
    if on.order_sanity:
        rules.append(OrderSanity(on.max_order_slices, on.max_stop_distance_percent))
    return rules


def _make_own(path: str, parameters: dict[str, Any], parts: tuple[str, ...], what: str) -> Any:  # noqa: ANN401 # the caller names the protocol
    """Make a part of the user's own, and refuse one of the wrong kind now and not at the first trade."""
    try:
        made = load_dotted(path, what=what)(**parameters)
    except TypeError as error:
        msg = f"{what} {path!r} does not take the parameters {parameters}: {error}"
        raise SettingsError(msg) from error
    missing = [part for part in parts if not hasattr(made, part)]
    if missing:
        msg = f"{what} {path!r} lacks {', '.join(missing)}, expected {', '.join(parts)}"
        raise SettingsError(msg)
    return made
