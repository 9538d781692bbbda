"""The day a sandbox replays: recorded ticks or made-up ones, and the bars of the sessions before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from brokers.sandbox.instruments import SandboxInstrument, near_next_far
from brokers.sandbox.market import MarketTrade
from brokers.sandbox.prints import prints_of
from feeds.bars import VALUE_COLUMNS
from feeds.calendar import TradingCalendar
from feeds.errors import DataError, SettingsError
from feeds.readers.ticks import read_recorded_trades
from feeds.settings import SyntheticSettings
from feeds.sources.files import load_bars
from feeds.sources.synthetic import make_bars

__all__ = ["SYNTHETIC_DAY", "MarketDay", "make_day"]

SYNTHETIC_DAY = dt.date(2026, 10, 15)
"""What is replayed when nothing is asked for: an ordinary Thursday, that of `run_live.py --mode demo`."""

_SESSIONS_BEFORE = 30
_PRICE = 25_000.0
_SEED_OFFSET = 90_001  # other draws than those of bars made with the same seed to learn from
_CARRY_OF_A_MONTH = 1.005
_PRICES = ("open", "high", "low", "close")


class MarketDay(NamedTuple):
    """What a sandbox needs of the market for one day.

    Attributes
    ----------
    day : datetime.date
        The session.
    instruments : tuple of SandboxInstrument
        Near, next and far month, as far as the calendar reaches.
    trades : list of MarketTrade
        Prints of the near month.
    history : pandas.DataFrame
        1-minute bars of sessions before, of the near month.
    previous_closes : mapping of int to float
        Index points by token, where they do not follow from the history.
    notes : tuple of str
        What a user should know, such as that prices are made up.
    """

    day: dt.date
    instruments: tuple[SandboxInstrument, ...]
    trades: list[MarketTrade]
    history: pd.DataFrame
    previous_closes: Mapping[int, float]
    notes: tuple[str, ...]


def make_day(
    underlying: str,
    calendar: TradingCalendar,
    *,
    ticks: Path | None = None,
    history: Path | None = None,
    day: dt.date | None = None,
    seed: int = 0,
) -> MarketDay:
    """Put a day together; what is not given is made up, and said so.

    Parameters
    ----------
    underlying : str
        ``NIFTY`` or ``BANKNIFTY``.
    calendar : TradingCalendar
        Sessions.
    ticks : Path, optional
        File of recorded ticks, see :mod:`feeds.readers.ticks`.
    history : Path, optional
        1-minute bars, CSV or Parquet; those from before the day are used.
    day : datetime.date, optional
        The first of the ticks if not given; without ticks :data:`SYNTHETIC_DAY`.
    seed : int
        Of what is made up.

    Raises
    ------
    DataError
        A file cannot be read or holds nothing of the day, or bars are not of one minute.
    SettingsError
        The day has no session.
    """
    recorded = None if ticks is None else _recorded(ticks, day)
    day = day or (SYNTHETIC_DAY if recorded is None else recorded[0].time.date())
    if calendar.session(day) is None:
        raise SettingsError(f"{day} has no session in the calendar; choose a trading day with --day")
    instruments = near_next_far(underlying, day, calendar)
    near = instruments[0]
    notes: list[str] = []
    given = None if history is None else _bars_before(history, day, calendar)
    past, today = _made_up(underlying, near, day, calendar, seed)
    if recorded is None:
        notes.append("prices of the day are synthetic: made up by a seeded generator, no market data")
        if given is not None:
            today = _scaled(today, float(given["close"].iloc[-1]) / float(today["open"].iloc[0]), near.tick)
        recorded = prints_of(today, lot=near.lot, tick=near.tick, seed=seed)
    if given is None:
        notes.append(f"history, {_SESSIONS_BEFORE} sessions before the day, is synthetic")
        given = _scaled(past, recorded[0].price / float(past["close"].iloc[-1]), near.tick)
    first_price = recorded[0].price
    closes = {
        one.token: round(round(first_price * _CARRY_OF_A_MONTH**months / one.tick) * one.tick, 2)
        for months, one in enumerate(instruments)
    }
    if len(given) and given.index[-1].date() == calendar.previous_session(day).date:
        del closes[near.token]
    else:
        notes.append("history does not reach up to the session before the day")
    return MarketDay(day, instruments, recorded, given, closes, tuple(notes))


def _recorded(path: Path, day: dt.date | None) -> list[MarketTrade]:
    trades = [
        MarketTrade(one.time, one.price, int(one.quantity), one.open_interest, one.bid, one.ask)
        for one in read_recorded_trades(path)
    ]
    days = sorted({trade.time.date() for trade in trades})
    if not days:
        raise DataError(f"{path} holds no trade, expected recorded ticks; give another file")
    if day is None and len(days) > 1:
        raise DataError(f"{path} holds {len(days)} days, {days[0]} to {days[-1]}; choose one with --day")
    found = [trade for trade in trades if trade.time.date() == (day or days[0])]
    if not found:
        raise DataError(
            f"{path} holds no trade of {day}, but {days[0]} to {days[-1]}; give another --day, or other ticks"
        )
    return found


def _bars_before(path: Path, day: dt.date, calendar: TradingCalendar) -> pd.DataFrame:
    loaded = load_bars(path, calendar=calendar, calendar_mismatch="reject")
    if loaded.bar_minutes != 1:
        raise DataError(f"{path} holds bars of {loaded.bar_minutes} minutes, expected 1-minute bars")
    before = loaded.frame[loaded.frame.index < pd.Timestamp(day, tz="Asia/Kolkata")]
    if before.empty:
        raise DataError(f"{path} holds no bar from before {day}; give another --history, or none")
    return before[[*VALUE_COLUMNS, "complete"]]


def _made_up(
    underlying: str, near: SandboxInstrument, day: dt.date, calendar: TradingCalendar, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return synthetic bars of the sessions before the day, and of the day."""
    first = max(calendar.first_date, day - dt.timedelta(days=3 * _SESSIONS_BEFORE))
    sessions = calendar.sessions(first, day)[-_SESSIONS_BEFORE - 1 :]
    settings = SyntheticSettings(
        seed=seed + _SEED_OFFSET, sessions=len(sessions), first_date=sessions[0].date, start_price=_PRICE,
        edge="momentum",
    )  # fmt: skip
    bars = make_bars(settings, calendar, underlying)
    midnight = pd.Timestamp(day, tz="Asia/Kolkata")
    # Lots may have changed in between; the day's is the one that is traded.
    bars["volume"] = (bars["volume"] / near.lot).round().clip(lower=1.0) * near.lot
    return bars[bars.index < midnight], bars[bars.index >= midnight]


def _scaled(bars: pd.DataFrame, factor: float, tick: float) -> pd.DataFrame:
    scaled = bars.copy()
    for name in _PRICES:
        scaled[name] = ((bars[name] * factor / tick).round() * tick).round(2)
    return scaled
