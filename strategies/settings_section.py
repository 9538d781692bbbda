"""The ``strategy`` section of the settings."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from typing import Any, Literal

from pydantic import Field, model_validator

from feeds.section import Section, WallTime
from strategies.allocation_settings import AllocationSettings

__all__ = ["EntrySettings", "StrategySettings", "TargetSettings"]


class EntrySettings(Section):
    """How an entry goes to the market."""

    kind: Literal["market", "limit", "stop_limit"] = Field(
        "market",
        description="market: at the next open; limit: only at offset_atr better than the signal bar's close; "
        "stop_limit: once the market has gone offset_atr beyond that close, up to limit_atr worse.",
    )
    offset_atr: float = Field(
        0.25, ge=0, le=10, description="Limit or trigger, measured from the signal bar's close, in ATR."
    )
    limit_atr: float = Field(
        0.25, ge=0, le=10, description="How much worse than its trigger a stop_limit entry may fill, in ATR."
    )
    valid_bars: int = Field(
        3,
        ge=1,
        le=375,
        description="Bars after the signal bar that a limit or stop_limit entry has to fill; "
        "what has not filled then is taken back.",
    )

    @model_validator(mode="after")
    def _trigger_is_ahead(self) -> EntrySettings:
        if self.kind == "stop_limit" and not self.offset_atr:
            raise ValueError("offset_atr is 0, expected above 0: a trigger at the last price is refused")
        return self


class TargetSettings(Section):
    """One of several targets."""

    atr: float = Field(gt=0, le=50, description="Distance from the entry's own price, in ATR.")
    fraction: float = Field(
        gt=0, le=1, description="Part of the position that leaves here, rounded down to lots."
    )


_DUST = 1e-9  # thirds do not add up to 1 in binary


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
    entry: EntrySettings = Field(default_factory=EntrySettings, description="How an entry goes out.")
    trail_atr: float | None = Field(
        None,
        gt=0,
        le=50,
        description="Distance of the stop from the best close since the entry, in ATR, once that is tighter.",
    )
    targets: tuple[TargetSettings, ...] = Field(
        (), description="Several targets, the nearest first, instead of one at target_atr."
    )
    sizer: Literal["risk", "fixed", "lots"] = Field(
        "risk",
        description="risk: units by risk per trade and margin; fixed: always fixed_units; "
        "lots: always fixed_lots.",
    )
    fixed_units: int = Field(75, ge=1, description="Units of every entry with the fixed sizer.")
    fixed_lots: int = Field(1, ge=1, description="Lots of every entry with the lots sizer.")
    risk_percent: float = Field(
        0.5,
        gt=0,
        le=10,
        description="Percent of cash lost when the stop is hit, round-trip charges included.",
    )
    margin_percent_of_cash: float = Field(
        50.0, gt=0, le=100, description="Most of the cash that a position's margin may bind, percent."
    )
    allocation: AllocationSettings = Field(
        default_factory=AllocationSettings,
        description="How the cash is shared out among several instruments.",
    )

    @model_validator(mode="after")
    def _entries_end_before_square_off(self) -> StrategySettings:
        if self.last_entry >= self.square_off:
            raise ValueError(
                f"last_entry {self.last_entry:%H:%M} is not before square_off {self.square_off:%H:%M}"
            )
        return self

    @model_validator(mode="after")
    def _targets_add_up(self) -> StrategySettings:
        targets = self.targets
        distances = [target.atr for target in targets]
        if any(near >= far for near, far in itertools.pairwise(distances)):
            raise ValueError(
                f"targets at {', '.join(f'{atr:g}' for atr in distances)} ATR, "
                "expected the nearest first, each further than the one before"
            )
        total = math.fsum(target.fraction for target in targets)
        if targets and abs(total - 1) > _DUST:
            raise ValueError(f"the fractions of targets add up to {total:g}, expected 1")
        nearest = distances[0] if distances else self.target_atr
        if self.entry.kind == "stop_limit" and self.entry.limit_atr >= nearest:
            raise ValueError(
                f"entry.limit_atr {self.entry.limit_atr:g} reaches the nearest target at {nearest:g} ATR, "
                "expected less: an entry must not fill beyond its own target"
            )
        return self
