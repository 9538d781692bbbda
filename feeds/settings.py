"""The sections ``market`` and ``data`` of the settings."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from feeds.calendar import TradingCalendar
from feeds.errors import SettingsError
from feeds.section import Section

__all__ = ["DataSettings", "MarketSettings", "SyntheticSettings", "check_one_instrument", "make_calendar"]


_NAME = r"^[A-Z0-9][A-Z0-9&_-]{0,31}$"


class MarketSettings(Section):
    """Section ``market``: what is traded, and when."""

    instrument: str = Field(
        default="NIFTY",
        pattern=_NAME,
        description="underlying of the near-month future; the contract tables know NIFTY and BANKNIFTY",
    )
    instruments: tuple[Annotated[str, Field(pattern=_NAME)], ...] = Field(
        default=(), description="several underlyings, traded side by side; empty: only 'instrument'"
    )
    lot_size: Literal["dated"] | Annotated[int, Field(ge=1)] = Field(
        default="dated", description="units per lot; 'dated' takes it from the contract of the day"
    )
    tick_size: Literal["dated"] | Annotated[float, Field(ge=0)] = Field(
        default="dated",
        description="smallest price step in index points; 'dated' takes the exchange's, 0 rounds no price",
    )
    freeze_quantity: Literal["dated"] | Annotated[int, Field(ge=0)] = Field(
        default="dated",
        description="largest order in units; 'dated' takes the exchange's table by date, 0 means no limit",
    )
    margin_percent: Literal["dated"] | Annotated[float, Field(gt=0, le=100)] = Field(
        default="dated",
        description="margin as percent of the position's value; 'dated' takes the table by date",
    )
    extra_sessions: dict[dt.date, str] = Field(
        default_factory=dict,
        description="hours (Asia/Kolkata) of days the calendar does not know, or knows differently, "
        "such as {2026-11-08: '18:00-19:00'}; parts of a broken day are separated by a space",
    )
    extra_holidays: tuple[dt.date, ...] = Field(
        default=(), description="days without a session that the calendar calls open"
    )

    @property
    def traded(self) -> tuple[str, ...]:
        """The underlyings that are traded: ``instruments``, or the one ``instrument`` where that is empty."""
        return self.instruments or (self.instrument,)

    @model_validator(mode="after")
    def _check_instruments(self) -> MarketSettings:
        names = self.instruments
        if len(names) == 1:
            raise ValueError(
                f"instruments holds {names[0]} only, expected two names or more; set instrument instead"
            )
        if len(set(names)) < len(names):
            raise ValueError(f"instruments is {', '.join(names)}, expected each name once")
        for name in ("lot_size", "freeze_quantity") if names else ():
            if getattr(self, name) != "dated":
                raise ValueError(
                    f"{name} is {getattr(self, name)} for {' and '.join(names)} alike, expected dated where "
                    "several instruments are traded"
                )
        return self


class SyntheticSettings(Section):
    """Section ``data.synthetic``: bars made up by a seeded generator, with a known edge or none."""

    seed: int = Field(default=7, ge=0, description="seed of the generator; the same seed gives the same bars")
    sessions: int = Field(default=750, ge=1, le=4000, description="number of trading sessions")
    first_date: dt.date = Field(default=dt.date(2023, 1, 2), description="day from which sessions are made")
    start_price: float = Field(default=18_000.0, gt=100, description="first price, index points")
    annual_volatility_percent: float = Field(
        default=14.0, gt=0, le=200, description="standard deviation of a year's returns, percent"
    )
    edge: Literal["none", "momentum"] = Field(
        default="none",
        description="what can be predicted: 'none' (returns are a martingale) or 'momentum' (a bar of "
        "unusual volume is followed by a drift in its direction)",
    )
    edge_bps: float = Field(
        default=20.0,
        ge=0,
        le=500,
        description="the planted drift over its 9 minutes, basis points of the price",
    )
    edge_probability: float = Field(
        default=0.03, ge=0, le=1, description="chance that a 3-minute bar starts the planted pattern"
    )


class DataSettings(Section):
    """Section ``data``: where bars come from and how they are read."""

    source: str = Field(
        default="synthetic",
        min_length=1,
        description="a CSV or Parquet file, a folder of them, 'store' or 'synthetic'",
    )
    sources: dict[str, str] = Field(
        default_factory=dict,
        description="file or folder by instrument, in place of 'source'; empty: 'source' has them all",
    )
    bar_minutes: int = Field(default=3, ge=1, le=375, description="length of the strategy's bars, minutes")
    store: str = Field(
        default="bars",
        min_length=1,
        description="folder of stored bars, read where the source is 'store'; 'timescale' is the PostgreSQL "
        "or TimescaleDB of TIMESCALE_DSN",
    )
    timezone: str | None = Field(
        default=None,
        description="time zone of files whose stamps carry none, such as Asia/Kolkata; null refuses them",
    )
    detail: Literal["none", "1minute"] = Field(
        "none",
        description="what settles a bar that touches both stop and target: 'none' (the stop) or '1minute' "
        "(the 1-minute bars inside it, where the source has them)",
    )
    calendar_mismatch: Literal["error", "reject"] = Field(
        default="error",
        description="bars outside the calendar's sessions: 'error' stops, 'reject' sets them aside "
        "and counts them",
    )
    synthetic: SyntheticSettings = Field(
        default=SyntheticSettings(), description="settings of the synthetic source"
    )

    def source_of(self, instrument: str) -> str:
        """Return where the bars of an instrument come from: its entry of ``sources``, else ``source``.

        Raises
        ------
        SettingsError
            ``sources`` names others only.
        """
        if self.sources and instrument not in self.sources:
            raise SettingsError(
                f"data.sources names {', '.join(self.sources)}, expected {instrument} among them; "
                "add it, or leave data.sources empty"
            )
        return self.sources.get(instrument, self.source)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ZoneInfo(value)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise ValueError(f"{value!r} is no time zone, expected one like Asia/Kolkata") from error
        return value


def check_one_instrument(market: MarketSettings, what: str) -> None:
    """Refuse several instruments where one at a time is worked on; ``what`` says who refuses.

    Raises
    ------
    SettingsError
        ``market.instruments`` holds any.
    """
    names = market.instruments
    if names:
        raise SettingsError(
            f"{what} takes one instrument at a time, market.instruments holds {', '.join(names)}; "
            f"set market.instruments to [] and market.instrument to {names[0]}"
        )


def make_calendar(market: MarketSettings) -> TradingCalendar:
    """Return the calendar with the extra days of the settings laid over it."""
    return TradingCalendar(market.extra_sessions, market.extra_holidays)
