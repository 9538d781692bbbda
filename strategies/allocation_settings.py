"""The section ``strategy.allocation`` of the settings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from feeds.section import Section

__all__ = ["AllocationSettings"]


class AllocationSettings(Section):
    """How the cash is shared out among several instruments before their entries are sized."""

    kind: Literal["none", "equal", "inverse_volatility", "risk_parity", "mean_variance"] = Field(
        default="none",
        description="none: each is sized by the whole cash; else by its share, all adding up to one",
    )
    sessions: int = Field(
        default=60, ge=5, le=750, description="past sessions that shares by returns are worked out from"
    )
    renewed: Literal["daily", "weekly", "monthly"] = Field(
        default="weekly", description="at which first session the shares are worked out anew"
    )
    risk_aversion: float = Field(
        default=10.0,
        gt=0,
        le=10_000,
        description="kind mean_variance: mean return minus this many times the variance is made greatest",
    )
