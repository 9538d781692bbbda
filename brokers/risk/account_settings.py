"""The section ``risk.account`` of the settings."""

from __future__ import annotations

from pydantic import Field

from feeds.section import Section

__all__ = ["AccountRiskSettings"]


class AccountRiskSettings(Section):
    """Limits on all instruments together; ``null`` switches a limit off."""

    daily_loss_percent: float | None = Field(
        default=None,
        gt=0,
        le=100,
        description="percent of the account's first equity of the day at which the day ends for every "
        "instrument, null = off",
    )
    daily_loss_rupees: float | None = Field(
        default=None, gt=0, description="rupees of loss at which the day ends for every one, null = off"
    )
    max_lots: int | None = Field(
        default=None, ge=1, description="lots that all positions may have together, null = off"
    )
    max_margin_percent: float | None = Field(
        default=None,
        gt=0,
        le=100,
        description="percent of the equity that the margin of all positions may take, null = off",
    )
    max_positions: int | None = Field(
        default=None, ge=1, description="instruments that may be held at the same time, null = off"
    )
    max_correlation: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="correlation above which no second position may go the same way, null = off",
    )
    correlation_sessions: int = Field(
        default=60, ge=5, le=750, description="sessions before the day that the correlation is taken from"
    )

    @property
    def is_on(self) -> bool:
        """Whether any limit is set."""
        limits = (
            self.daily_loss_percent, self.daily_loss_rupees, self.max_lots, self.max_margin_percent,
            self.max_positions, self.max_correlation,
        )  # fmt: skip
        return any(limit is not None for limit in limits)
