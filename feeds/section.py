"""The base of every section of the settings: frozen, typed, and closed to unknown keys."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationInfo, field_validator

__all__ = ["Section", "WallTime"]


class Section(BaseModel):
    """A named group of settings.

    Every field carries a description with its unit, a range and a default. Unknown keys are errors;
    the composition in :mod:`strategies.settings` adds "did you mean" to them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_flag(cls, value: object, info: ValidationInfo) -> object:
        """Refuse true and false where no flag is meant: Python would take them for 1 and 0."""
        annotation = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and bool not in (annotation, *get_args(annotation)):
            raise ValueError(f"found {str(value).lower()}, expected a value and not a flag; correct it")
        return value


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
