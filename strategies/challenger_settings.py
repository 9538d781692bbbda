"""One challenger: another strategy or model, tried on the same live bars with orders that never leave."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from feeds.section import Section

__all__ = ["ChallengerSettings"]


class ChallengerSettings(Section):
    """An entry of ``live.challengers``."""

    name: str = Field(min_length=1, max_length=40, pattern=r"^[\w .+-]+$", description="what it is called")
    strategy: str = Field(default="ml", min_length=1, description="a strategy, as in strategy.name")
    model: str | None = Field(
        default=None, description="a stored version; null = the day's own, or none where no model is asked"
    )
    parameters: dict[str, Any] = Field(
        default={}, description="the strategy's own settings, as in strategy.parameters"
    )
