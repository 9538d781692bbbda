"""The base of every section of the settings: frozen, typed, and closed to unknown keys."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

__all__ = ["Section", "WallTime"]


class Section(BaseModel):
    """A named group of settings.

    Every field carries a description with its unit, a range and a default. Unknown keys are errors;
    the composition in :mod:`strategies.settings` adds "did you mean" to them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def _refuse_number(value: object) -> object:
    """Refuse a number where a time is meant: YAML reads an unquoted 15:00 as 900."""
    if isinstance(value, (int, float)):
        raise ValueError(f"found the number {value}, expected a time such as '15:00'; put it in quotes")  # noqa: TRY004 # pydantic turns a ValueError into a message, a TypeError not
    return value


def _refuse_zone(value: dt.time) -> dt.time:
    """Refuse a time zone: the times of the settings are the exchange's wall clock."""
    if value.tzinfo is not None:
        raise ValueError(
            f"found {value}, expected a time of the exchange's clock without a zone, such as '15:00'"
        )
    return value


WallTime = Annotated[dt.time, BeforeValidator(_refuse_number), AfterValidator(_refuse_zone)]
"""A time of day on the exchange's wall clock."""
