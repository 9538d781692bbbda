"""Raw vendor rows become clean 1-minute bars; what does not is set aside with its reason.

Nothing is repaired or filled. A row is kept as it is or rejected for the first reason of
:class:`Reason` that fits. What may be right although it looks odd is kept and counted as a
:class:`Oddity`. Rows out of order are kept in their place in time, and counted.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from feeds.bars import BAR_COLUMNS, PRICE_COLUMNS, VALUE_COLUMNS
from feeds.calendar import TradingCalendar
from feeds.contracts import tick_of
from feeds.errors import DataError
from feeds.readers import RawRows
from feeds.stamps import StampConvention, bar_starts

__all__ = ["Oddity", "Reason", "Validated", "ValidationReport", "bar_reasons", "validate"]

BoolArray = npt.NDArray[np.bool_]

_LONE_PRINT_SHARE = 0.1  # of the day's median minute; prints after the close of 2015 have under 4 %
_OI_JUMP = 5.0  # a digit too many multiplies by ten; open interest never grows fivefold within a day


class Reason(enum.StrEnum):
    """Why a row was rejected, in the order in which reasons are tried."""

    UNREADABLE = "unreadable"
    MISSING_VALUE = "missing_value"
    AFTER_CLOSE = "after_close"
    OUTSIDE_SESSION = "outside_session"
    IDENTICAL_DUPLICATE = "identical_duplicate"
    NON_POSITIVE = "non_positive"
    OHLC_RELATION = "ohlc_relation"
    OFF_TICK = "off_tick"
    SAME_MINUTE_OTHER_VALUES = "same_minute_other_values"


class Oddity(enum.StrEnum):
    """What was kept, but should be known."""

    OUT_OF_ORDER = "out_of_order"
    MISSING_MINUTES = "missing_minutes"
    MISSING_SESSIONS = "missing_sessions"
    FREAK_PRINT = "freak_print"
    ZERO_OPEN_INTEREST = "zero_open_interest"
    OPEN_INTEREST_JUMP = "open_interest_jump"
    CONTRARY_STAMP_DAYS = "contrary_stamp_days"


@dataclass(frozen=True)
class ValidationReport:
    """What a file held.

    Attributes
    ----------
    source, reader, underlying : str
        File, reader, and the index its ticker names.
    rows, kept : int
        Rows that were not blank, and those that became bars.
    rejected : dict
        Rows by reason; ``rows == kept + sum(rejected.values())``.
    oddities : dict
        Counts of what was kept although odd: rows, minutes, sessions or days.
    stamp_days : dict
        Days by the convention their stamps were read with.
    """

    source: str
    reader: str
    underlying: str
    rows: int
    kept: int
    rejected: dict[Reason, int]
    oddities: dict[Oddity, int]
    stamp_days: dict[StampConvention, int]


@dataclass(frozen=True)
class Validated:
    """Clean bars, rejected rows, and the report.

    Attributes
    ----------
    frame : DataFrame
        A bar frame of 1-minute bars.
    rejects : DataFrame
        ``line`` (from 1), ``reason`` and ``text`` of every rejected row, in the order of the file.
    report : ValidationReport
        The counts.
    """

    frame: pd.DataFrame
    rejects: pd.DataFrame
    report: ValidationReport

    def write_rejects(self, path: Path) -> None:
        """Write the rejected rows to a CSV file; one without rows has a header only."""
        self.rejects.to_csv(path, index=False, lineterminator="\n")


def validate(
    raw: RawRows,
    calendar: TradingCalendar,
    *,
    convention: StampConvention | None = None,
    freak_percent: float = 2.0,
) -> Validated:
    """Check raw rows and keep the good ones as 1-minute bars.

    Parameters
    ----------
    raw : RawRows
        Rows of one instrument, as a reader found them.
    calendar : TradingCalendar
        The sessions.
    convention : StampConvention, optional
        What the stamps are; found from the data if not given (see :func:`feeds.stamps.bar_starts`).
    freak_percent : float
        A high or low that lies further than this from the close before and from its own close is
        counted as a freak print, percent.

    Raises
    ------
    DataError
        If the rows are of more than one ticker, or the stamp convention cannot be told.
    """
    rows = raw.rows
    underlying = _underlying(rows, raw.source)
    reasons = pd.Series(pd.NA, index=rows.index, dtype="object")
    _mark(reasons, ~rows["readable"].to_numpy(), Reason.UNREADABLE)
    _mark(reasons, rows[[*PRICE_COLUMNS, "volume"]].isna().any(axis=1).to_numpy(), Reason.MISSING_VALUE)
    good = rows[reasons.isna()]
    stamped = bar_starts(
        pd.DatetimeIndex(good["stamp"]),
        calendar,
        has_seconds=raw.has_seconds,
        lone_print=_lone_prints(good),
        convention=convention,
        where=raw.source,
    )
    bars = good.set_axis(stamped.starts, axis=0)[list(VALUE_COLUMNS)].rename_axis("datetime")
    found = bar_reasons(bars, underlying, calendar)
    reasons.loc[good.index] = found
    kept = bars[pd.isna(found)]
    out_of_order = int((np.diff(pd.DatetimeIndex(kept.index).asi8) < 0).sum())
    frame = kept.sort_index().assign(complete=True)[list(BAR_COLUMNS)]
    rejected = reasons.notna()
    counts = reasons[rejected].value_counts()
    oddities = {
        Oddity.OUT_OF_ORDER: out_of_order,
        Oddity.CONTRARY_STAMP_DAYS: stamped.contrary_days,
        **_oddities(frame, calendar, freak_percent),
    }
    report = ValidationReport(
        source=raw.source,
        reader=raw.reader,
        underlying=underlying,
        rows=len(rows),
        kept=len(frame),
        rejected={reason: int(counts[reason]) for reason in Reason if reason in counts},
        oddities={oddity: count for oddity, count in oddities.items() if count},
        stamp_days=stamped.days,
    )
    rejects = rows.loc[rejected, ["line", "text"]].assign(reason=reasons[rejected].map(str))
    return Validated(frame, rejects[["line", "reason", "text"]].reset_index(drop=True), report)


def _underlying(rows: pd.DataFrame, source: str) -> str:
    tickers = rows.loc[rows["readable"], "ticker"].unique()
    if len(tickers) != 1:
        raise DataError(
            f"found {len(tickers)} tickers with readable rows in {source} "
            f"({', '.join(map(str, tickers[:3])) or 'none'}), expected one; split the file by ticker, "
            "or name its reader"
        )
    match = re.match(r"[A-Z]+", str(tickers[0]))
    if match is None:
        raise DataError(
            f"the ticker {tickers[0]!r} in {source} names no index, expected one such as NIFTY_F1"
        )
    return match.group()


def _mark(reasons: pd.Series, where: BoolArray, reason: Reason) -> None:
    reasons[where & reasons.isna().to_numpy()] = reason


def bar_reasons(
    bars: pd.DataFrame, underlying: str, calendar: TradingCalendar, *, has_ticks: bool = True
) -> npt.NDArray[np.object_]:
    """Return why each bar is rejected, NA for the good ones.

    Parameters
    ----------
    bars : DataFrame
        Columns of a bar frame without missing prices or volumes, by START; in any order, perhaps twice.
    underlying : str
        Whose tick the prices are held against.
    calendar : TradingCalendar
        The sessions.
    has_ticks : bool
        False for an index: it is computed, not traded.

    Returns
    -------
    ndarray of object
        A :class:`Reason` or NA, as long as ``bars``.
    """
    index = pd.DatetimeIndex(bars.index)
    reasons = pd.Series(pd.NA, index=pd.RangeIndex(len(bars)), dtype="object")
    outside = ~calendar.locate(index).in_session
    _mark(reasons, outside & _in_closing_minute(index, calendar), Reason.AFTER_CLOSE)
    _mark(reasons, outside, Reason.OUTSIDE_SESSION)
    _mark(reasons, bars.reset_index().duplicated().to_numpy(), Reason.IDENTICAL_DUPLICATE)
    prices = bars[list(PRICE_COLUMNS)].to_numpy()
    open_, high, low, close = prices.T
    negative = (bars[["volume", "open_interest"]] < 0).any(axis=1).to_numpy()
    _mark(reasons, (prices <= 0).any(axis=1) | negative, Reason.NON_POSITIVE)
    _mark(reasons, (high < np.maximum(open_, close)) | (low > np.minimum(open_, close)), Reason.OHLC_RELATION)
    if has_ticks:
        days, of_day = np.unique(np.asarray(index.date), return_inverse=True)
        steps = prices / np.array([tick_of(underlying, day) for day in days])[of_day][:, None]
        _mark(reasons, (np.abs(steps - np.rint(steps)) > 1e-6).any(axis=1), Reason.OFF_TICK)
    open_rows = reasons.isna().to_numpy()
    later = index[open_rows].duplicated(keep="first")
    reasons[np.flatnonzero(open_rows)[later]] = Reason.SAME_MINUTE_OTHER_VALUES
    return reasons.to_numpy()


def _in_closing_minute(index: pd.DatetimeIndex, calendar: TradingCalendar) -> BoolArray:
    # The minute that begins at the close holds the prints that settle the day's last trades.
    sessions = [calendar.session(day.date()) for day in index.normalize().unique()]
    closes = pd.DatetimeIndex([session.close for session in sessions if session is not None])
    return np.asarray(index.isin(closes))


def _lone_prints(rows: pd.DataFrame) -> BoolArray:
    flat = (rows["open"] == rows["high"]) & (rows["high"] == rows["low"]) & (rows["low"] == rows["close"])
    usual = rows.groupby(rows["stamp"].dt.normalize())["volume"].transform("median")
    return (flat & (rows["volume"] < _LONE_PRINT_SHARE * usual)).to_numpy()


def _oddities(frame: pd.DataFrame, calendar: TradingCalendar, freak_percent: float) -> dict[Oddity, int]:
    index = pd.DatetimeIndex(frame.index)
    if len(index) == 0:
        return {}
    numbers = np.unique(calendar.locate(index).session_number)
    minutes = sum(calendar.session_at(int(number)).minutes for number in numbers)
    interest = frame["open_interest"]
    usual = interest.groupby(index.date).transform("median")
    return {
        Oddity.MISSING_MINUTES: minutes - len(frame),
        Oddity.MISSING_SESSIONS: len(calendar.missing_sessions(index)),
        Oddity.FREAK_PRINT: int(_freaks(frame, freak_percent).sum()),
        Oddity.ZERO_OPEN_INTEREST: int((interest == 0).sum()),
        Oddity.OPEN_INTEREST_JUMP: int((interest > _OI_JUMP * usual.where(usual > 0)).sum()),
    }


def _freaks(frame: pd.DataFrame, freak_percent: float) -> BoolArray:
    close = frame["close"].to_numpy()
    before = np.append(close[:1], close[:-1])
    too_high = frame["high"].to_numpy() > np.maximum(close, before) * (1 + freak_percent / 100)
    too_low = frame["low"].to_numpy() < np.minimum(close, before) * (1 - freak_percent / 100)
    return np.asarray(too_high | too_low)
