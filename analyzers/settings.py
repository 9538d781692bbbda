"""Settings of the report."""

from __future__ import annotations

from pydantic import Field

from feeds.section import Section

__all__ = ["ReportSettings"]


class ReportSettings(Section):
    """Section ``report``: what a run writes, and when it dares a verdict."""

    tearsheet: bool = Field(default=True, description="Write tearsheet.html (QuantStats, a few seconds).")
    embedded_bars: int = Field(
        default=150_000,
        ge=0,
        le=500_000,
        description="Bars held in report.html for the price chart, 9 to 11 bytes each; "
        "the newest sessions stay when there are more. 0 leaves the chart out.",
    )
    confidence_percent: float = Field(
        default=95.0,
        ge=50.0,
        le=99.9,
        description="Confidence of the verdict's intervals, percent, two-sided.",
    )
    minimum_trades: int = Field(default=30, ge=2, description="Trades below which there is no verdict.")
    minimum_sessions: int = Field(
        default=20, ge=2, description="Sessions with trades below which there is no verdict."
    )
    bootstrap_samples: int = Field(
        default=2000, ge=200, le=100_000, description="Samples of the verdict's bootstrap."
    )
