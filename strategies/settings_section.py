"""The ``strategy`` section of the settings."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import Field, model_validator

from feeds.section import Section, WallTime

__all__ = ["StrategySettings"]


class StrategySettings(Section):
    """What to trade on, when, how far the stop and the target are, and how much."""

    name: str = Field(
        "ml",
        description="Strategy plugin: a shipped name, package.module:Class of your own, or an entry point.",
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="Settings of the plugin itself, see the plugin's Settings class."
    )
    last_entry: WallTime = Field(
        dt.time(15, 0), description="No entry is decided on a bar that closes at or after this time (IST)."
    )
    square_off: WallTime = Field(
        dt.time(15, 20),
        description="The square-off is decided on the first bar that closes at or after this time (IST).",
    )
    last_entry_before_close_minutes: int = Field(
        30,
        ge=0,
        le=375,
        description="The same, in minutes before the session's close, where that is earlier.",
    )
    square_off_before_close_minutes: int = Field(
        10, ge=0, le=375, description="The same for the square-off, where that is earlier."
    )
    atr_period_bars: int = Field(14, ge=2, le=200, description="Bars in the ATR (Wilder) of stops and sizes.")
    stop_atr: float = Field(
        2.0, gt=0, le=50, description="Stop distance from the signal bar's close, in ATR."
    )
    target_atr: float = Field(3.0, gt=0, le=50, description="Target distance from the same close, in ATR.")
    sizer: Literal["risk", "fixed"] = Field(
        "risk", description="risk: units by risk per trade and margin; fixed: always fixed_units."
    )
    fixed_units: int = Field(75, ge=1, description="Units of every entry with the fixed sizer.")
    risk_percent: float = Field(
        0.5,
        gt=0,
        le=10,
        description="Percent of cash lost when the stop is hit, round-trip charges included.",
    )
    margin_percent_of_cash: float = Field(
        50.0, gt=0, le=100, description="Most of the cash that a position's margin may bind, percent."
    )

    @model_validator(mode="after")
    def _entries_end_before_square_off(self) -> StrategySettings:
        if self.last_entry >= self.square_off:
            raise ValueError(
                f"last_entry {self.last_entry:%H:%M} is not before square_off {self.square_off:%H:%M}"
            )
        return self
