"""The ``live`` section of the settings: how a live, paper or demo day is run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from feeds.section import Section

__all__ = ["LiveSettings"]


class LiveSettings(Section):
    """Patience with orders, checks against the broker, what is done at a stop, and what is written down."""

    capital_rupees: float | None = Field(
        None, gt=0, description="Rupees that sizes are worked out from, null = what the account has free."
    )
    on_stop: Literal["flatten", "keep"] = Field(
        "flatten",
        description="Ctrl-C or SIGTERM: close the position, or leave it with its stop at the exchange.",
    )
    bar_close_grace_seconds: float = Field(
        2.0, ge=0, le=60, description="Wait for late ticks after a bar's end, by the wall clock."
    )
    idle_end_seconds: float = Field(
        30.0,
        gt=0,
        le=3600,
        description="Clock feed: real seconds without a tick after which the day is over.",
    )
    square_off_grace_seconds: float = Field(
        30.0,
        ge=0,
        le=600,
        description="Time after the square-off's moment at which the clock does it, no bar having come.",
    )
    entry_patience_seconds: float = Field(
        10.0, gt=0, le=600, description="An entry that rests unfilled for longer is cancelled, never chased."
    )
    target_patience_seconds: float = Field(
        3.0,
        gt=0,
        le=600,
        description="A touched target that rests unfilled for longer is made a market order.",
    )
    exit_patience_seconds: float = Field(
        3.0,
        gt=0,
        le=600,
        description="A market exit that rests unfilled for longer is replaced by a new one.",
    )
    resync_seconds: float = Field(
        60.0,
        ge=5,
        le=3600,
        description="Between two comparisons of orders, trades and position with the broker's.",
    )
    unresolved_seconds: float = Field(
        120.0,
        ge=5,
        le=3600,
        description="An order of unknown outcome that the book does not show by then was never placed.",
    )
    max_clock_skew_seconds: float = Field(
        2.0,
        gt=0,
        le=60,
        description="Difference between the machine's clock and the broker's at which nothing starts.",
    )
    record_ticks: bool = Field(False, description="Write every tick received into the run's folder.")
    log_megabytes: float = Field(20.0, gt=0, le=1000, description="Size at which live.log is rotated.")
    log_files: int = Field(10, ge=1, le=1000, description="Log files kept, the current one included.")
