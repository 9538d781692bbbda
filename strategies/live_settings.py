"""The ``live`` section of the settings: how a live, paper or demo day is run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from feeds.section import Section
from strategies.challenger_settings import ChallengerSettings

__all__ = ["LiveSettings"]


class LiveSettings(Section):
    """The day's plan, patience with orders, checks against the broker, and what is written down and kept."""

    challengers: tuple[ChallengerSettings, ...] = Field(
        default=(),
        description="Strategies or models that are tried on the same bars, with orders that never leave.",
    )
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
    preflight_minutes: int = Field(
        30, ge=1, le=180, description="Minutes before the open at which the day's checks begin."
    )
    preflight_repeat_minutes: float = Field(
        2.0, gt=0, le=60, description="After a no-go the checks are made again, up to the session's start."
    )
    warmup_minutes: int = Field(
        5, ge=1, le=60, description="Minutes before the open at which the session starts: history, stream."
    )
    post_market_minutes: int = Field(
        20, ge=1, le=240, description="Minutes after the close at which the day is compared and reported."
    )
    misfire_grace_minutes: float = Field(
        10.0, gt=0, le=60, description="A step that begins later than this is missed, and told as such."
    )
    min_free_disk_megabytes: float = Field(
        500.0, ge=0, le=1_000_000, description="Free room below which the preflight says no."
    )
    hit_rate_trades: int = Field(
        50, ge=20, le=1000, description="Newest live trades whose hit rate is held against the backtest."
    )
    backup_dir: str = Field(
        "backups", min_length=1, description="Folder of the journals' backups, within the state's folder."
    )
    keep_backups: int = Field(
        30, ge=1, le=10_000, description="Backup files kept; the oldest beyond them are removed."
    )

    @field_validator("challengers")
    @classmethod
    def _have_names_of_their_own(
        cls, given: tuple[ChallengerSettings, ...]
    ) -> tuple[ChallengerSettings, ...]:
        names = [one.name for one in given]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"two challengers are called {', '.join(twice)}, expected a name of its own for each"
            )
        return given

    @model_validator(mode="after")
    def _checks_come_before_the_session(self) -> LiveSettings:
        if self.warmup_minutes >= self.preflight_minutes:
            raise ValueError(
                f"preflight_minutes is {self.preflight_minutes}, expected more than warmup_minutes, which is "
                f"{self.warmup_minutes}; the checks come before the session starts"
            )
        return self
