"""The ``ml.search`` section of the settings: what a search may change, and what it is judged by."""

from __future__ import annotations

import re
from typing import Self

from pydantic import Field, field_validator, model_validator

from feeds.section import Section

__all__ = ["SearchRange", "SearchSettings"]


class SearchRange(Section):
    """Numbers from ``low`` to ``high``; whole ones where both are written as whole numbers."""

    low: int | float = Field(description="smallest value, included")
    high: int | float = Field(description="largest value, included")
    log: bool = Field(default=False, description="draw the logarithm evenly; for whole and broken numbers")
    step: int | float | None = Field(default=None, gt=0, description="distance of the values; null for any")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"found low {self.low} and high {self.high}, expected low below high")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError(
                f"found log with low {self.low} and step {self.step}, expected low above 0 and no step"
            )
        return self

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int) and not isinstance(self.step, float)


_SPACE: dict[str, SearchRange | tuple[bool | int | float | str, ...]] = {
    "ml.model.kind": ("xgboost", "lightgbm"),
    "ml.model.depth": SearchRange(low=2, high=6),
    "ml.model.learning_rate": SearchRange(low=0.02, high=0.2, log=True),
    "ml.model.leaf_rows": SearchRange(low=50, high=800, log=True),
    "ml.label.horizon_bars": SearchRange(low=2, high=10),
    "ml.label.threshold_percent": SearchRange(low=0.05, high=0.25),
    "strategy.parameters.buy_probability": SearchRange(low=0.4, high=0.75),
    "strategy.parameters.sell_probability": SearchRange(low=0.4, high=0.75),
    "strategy.stop_atr": SearchRange(low=1.0, high=4.0),
    "strategy.target_atr": SearchRange(low=1.5, high=6.0),
}

_FEATURE_GROUPS: dict[str, tuple[str, ...]] = {
    "trend": ("ema_5", "ema_10", "ema_cross", "ema_slope"),
    "momentum": ("rsi_14", "return_zscore"),
    "volume": ("vwap_distance", "volume_ratio_20"),
    "time": ("hour_sin", "hour_cos", "weekday_sin", "weekday_cos"),
}


class SearchSettings(Section):
    """What `python -m ml search` tries, and how it judges."""

    trials: int = Field(default=50, ge=1, le=100_000, description="trials of a study, all its runs together")
    seed: int = Field(default=11, ge=0, le=2**31 - 1, description="seed of what is tried")
    batch: int = Field(
        default=4,
        ge=1,
        le=1024,
        description="trials proposed at once, which as many workers can judge; part of what makes the result",
    )
    holdout_fraction: float = Field(
        default=0.2,
        gt=0,
        lt=0.9,
        description="newest sessions that no trial sees, fraction; the best settings trade them once",
    )
    minimum_trades: int = Field(
        default=30,
        ge=1,
        le=1_000_000,
        description="a good Sharpe ratio of fewer trades counts in proportion to their number",
    )
    storage: str | None = Field(
        default=None,
        min_length=1,
        description="SQLAlchemy address of the studies without a password in it; null for SQLite in runs",
    )
    space: dict[str, SearchRange | tuple[bool | int | float | str, ...]] = Field(
        default=_SPACE,
        description="dotted setting of ml.model, ml.label, ml.thresholds or strategy to a range or a list",
    )
    feature_groups: dict[str, tuple[str, ...]] = Field(
        default=_FEATURE_GROUPS, description="features that come and go together, by the group's name"
    )

    @field_validator("storage")
    @classmethod
    def _has_no_password(cls, given: str | None) -> str | None:
        """Refuse what would stand in every file and log that settings are written to."""
        if given is not None and re.search(r"://[^/@]*:[^/]*@", given):
            raise ValueError("found a password in the address, expected it in MUHURAT_STUDY_STORAGE only")
        return given
