"""Seeded NIFTY-like minute bars, for trying things out and for tests. They are NOT market data.

What is imitated, and after what, stands in ``docs/synthetic.md``. The price is a martingale but for
two things: the roll gap at each expiry, which no intraday trade can collect, and the planted edge
when one is asked for. The pattern of the edge is planted either way, so that data with and without
an edge differ in nothing but the drift after the pattern.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.signal import lfilter

from feeds.bars import TIME_ZONE
from feeds.calendar import Session, TradingCalendar
from feeds.contracts import Contract, contract_for
from feeds.errors import SettingsError
from feeds.settings import SyntheticSettings

__all__ = ["PATTERN_MINUTES", "PAYOFF_MINUTES", "make_bars"]

PATTERN_MINUTES = 3
"""Length of the planted pattern, minutes; it is aligned to bins of this size from the segment's open."""

PAYOFF_MINUTES = 9
"""Length of the drift that follows the pattern when an edge is planted, minutes."""

Floats = NDArray[np.float64]

_ORDINARY_SESSION = np.arange(375) / 374
_TRADING_DAYS_A_YEAR = 250
_OVERNIGHT_SHARE_OF_VARIANCE = 0.4
_OPEN_SHARE_OF_VARIANCE = 0.05  # between one minute's last trade and the next one's first
_TAIL_DEGREES_OF_FREEDOM = 5.0
_LEVEL_DEVIATION = 0.35  # of the logarithm of the volatility, from day to day and from minute to minute
_ROLL_GAP, _ROLL_GAP_DEVIATION = 0.005, 0.001  # carry of one month, as a log return
_UNITS_A_MINUTE = 30_000.0
_OPEN_INTEREST_UNITS = 17_000_000.0
_PATTERN_VOLUME_FACTOR = 8.0
_PATTERN_JUMP_DEVIATIONS = 3.0  # of the local PATTERN_MINUTES return


class _Minutes(NamedTuple):
    # One row per minute: its start, its session's number, its position in the session from 0 to 1,
    # its position in its segment and how many minutes of the segment are left, itself included.
    start: NDArray[np.datetime64]
    session: NDArray[np.intp]
    fraction: Floats
    of_segment: NDArray[np.intp]
    left: NDArray[np.intp]
    first: NDArray[np.bool_]


class _Draws:
    # One generator per purpose and per-purpose draws in time order: a longer run starts with the shorter one.
    def __init__(self, seed: int) -> None:
        self._sequences = np.random.SeedSequence(seed)

    def __call__(self) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64(self._sequences.spawn(1)[0]))


def make_bars(
    settings: SyntheticSettings, calendar: TradingCalendar, underlying: str = "NIFTY"
) -> pd.DataFrame:
    """Make 1-minute bars of a synthetic near-month future.

    Parameters
    ----------
    settings : SyntheticSettings
        Seed, length, level, volatility and edge.
    calendar : TradingCalendar
        Gives the sessions, special ones included, and through the contracts the expiries.
    underlying : str
        Whose lot, tick and expiry rules hold.

    Returns
    -------
    pandas.DataFrame
        A bar frame: stamps are the START of the minute, Asia/Kolkata; every minute of every session
        is there; prices are multiples of the tick, volume and open interest of the lot. The same
        settings and calendar give the same frame, to the last bit.

    Raises
    ------
    SettingsError
        If the calendar has too few sessions from ``first_date`` on.
    """
    sessions = _sessions(settings, calendar)
    contracts = [contract_for(underlying, session.date, calendar) for session in sessions]
    minutes = _minutes(sessions)
    draw = _Draws(settings.seed)
    day_level = np.exp(_ar1(draw(), len(sessions), persistence=0.95, deviation=_LEVEL_DEVIATION))
    minute_level = np.exp(_ar1(draw(), len(minutes.start), persistence=0.97, deviation=_LEVEL_DEVIATION))
    tails = _tail_scale(draw(), len(minutes.start))
    # E[exp(2x)] is exp(2 deviation²): this keeps the mean variance at what the settings say.
    level = day_level[minutes.session] * minute_level * np.exp(-2 * _LEVEL_DEVIATION**2)
    minute_deviation = _intraday_deviation(settings) * level * _volatility_shape(minutes.fraction)
    jump, drift, is_pattern = _pattern(settings, draw(), minutes, minute_deviation)

    deviation = minute_deviation * tails
    normal = draw().standard_normal((len(deviation), 2))
    between = np.sqrt(_OPEN_SHARE_OF_VARIANCE) * deviation * normal[:, 0]
    between[minutes.first] = _overnight(settings, draw(), draw(), contracts, day_level)
    within_deviation = np.sqrt(1 - _OPEN_SHARE_OF_VARIANCE) * deviation
    within = within_deviation * normal[:, 1] + jump + drift
    between[0] = 0.0

    log_close = np.log(settings.start_price) + np.cumsum(between + within)
    log_open = log_close - within
    log_high, log_low = _extremes(draw(), log_open, log_close, within_deviation)
    lots = np.array([contract.lot for contract in contracts], dtype=float)[minutes.session]
    ticks = np.array([contract.tick for contract in contracts])[minutes.session]
    activity = np.sqrt(level) * np.sqrt(tails) * np.where(is_pattern, _PATTERN_VOLUME_FACTOR, 1.0)
    return pd.DataFrame(
        {
            "open": _on_tick(log_open, ticks),
            "high": _on_tick(log_high, ticks),
            "low": _on_tick(log_low, ticks),
            "close": _on_tick(log_close, ticks),
            "volume": np.maximum(np.rint(_volume(draw(), minutes, activity) / lots), 1.0) * lots,
            "open_interest": np.rint(_open_interest(draw(), minutes, sessions, contracts) / lots) * lots,
            "complete": True,
        },
        index=pd.DatetimeIndex(minutes.start, name="datetime").tz_localize("UTC").tz_convert(TIME_ZONE),
    )


def _sessions(settings: SyntheticSettings, calendar: TradingCalendar) -> list[Session]:
    # Asking for no more than is needed keeps the end of the calendar, and days of unknown hours, out of it.
    found: list[Session] = []
    first = settings.first_date
    while len(found) < settings.sessions and first <= calendar.last_date:
        days = settings.sessions - len(found)  # there is at most one session a day
        last = min(first + dt.timedelta(days=days - 1), calendar.last_date)
        found.extend(calendar.sessions(first, last))
        first = last + dt.timedelta(days=1)
    if len(found) < settings.sessions:
        raise SettingsError(
            f"data.synthetic.sessions is {settings.sessions}, but the calendar, which ends on "
            f"{calendar.last_date}, has only {len(found)} sessions from {settings.first_date} on; "
            "lower data.synthetic.sessions or set an earlier data.synthetic.first_date"
        )
    return found[: settings.sessions]


def _minutes(sessions: list[Session]) -> _Minutes:
    start, of_segment, left, number, fraction = [], [], [], [], []
    for position, session in enumerate(sessions):
        session_minutes = 0
        for segment_start, segment_end in session.segments:
            length = int((segment_end - segment_start) / dt.timedelta(minutes=1))
            opens = np.datetime64(segment_start.astimezone(dt.UTC).replace(tzinfo=None), "us")
            start.append(opens + np.arange(length) * np.timedelta64(1, "m"))
            of_segment.append(np.arange(length))
            left.append(length - np.arange(length))
            session_minutes += length
        number.append(np.full(session_minutes, position))
        fraction.append(np.arange(session_minutes) / max(session_minutes - 1, 1))
    session_number = np.concatenate(number)
    return _Minutes(
        np.concatenate(start),
        session_number,
        np.concatenate(fraction),
        np.concatenate(of_segment),
        np.concatenate(left),
        np.diff(session_number, prepend=-1) > 0,
    )


def _ar1(generator: np.random.Generator, count: int, *, persistence: float, deviation: float) -> Floats:
    # Stationary from the first value on: the first shock has the process's own deviation.
    shocks = generator.standard_normal(count) * deviation
    shocks[1:] *= np.sqrt(1 - persistence**2)
    return np.asarray(lfilter([1.0], [1.0, -persistence], shocks), dtype=np.float64)


def _tail_scale(generator: np.random.Generator, count: int) -> Floats:
    # A normal times this is a Student t of unit variance; one minute is never wilder than five ordinary ones.
    degrees = _TAIL_DEGREES_OF_FREEDOM
    return np.minimum(np.sqrt((degrees - 2) / generator.chisquare(degrees, count)), 5.0)


def _intraday_deviation(settings: SyntheticSettings) -> float:
    # Of a minute where the shape is 1, as a log return; over 375 minutes the shape averages out.
    daily_variance = (settings.annual_volatility_percent / 100) ** 2 / _TRADING_DAYS_A_YEAR
    shape_variance = float(np.mean(_volatility_shape(_ORDINARY_SESSION) ** 2))
    return float(np.sqrt(daily_variance * (1 - _OVERNIGHT_SHARE_OF_VARIANCE) / 375 / shape_variance))


def _volatility_shape(fraction: Floats) -> Floats:
    opening, closing = np.exp(-25 * fraction), np.exp(-(((fraction - 0.93) / 0.08) ** 2))
    return 0.8 + 1.3 * opening + 0.5 * closing


def _volume_shape(fraction: Floats) -> Floats:
    return 0.65 + 5.0 * np.exp(-30 * fraction) + 1.5 * fraction**8


def _pattern(
    settings: SyntheticSettings, generator: np.random.Generator, minutes: _Minutes, deviation: Floats
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    # The jump is the pattern's first minute, so that nothing inside the pattern foretells the rest of it.
    uniform = generator.random((len(deviation), 2))
    starts_bin = (minutes.of_segment % PATTERN_MINUTES == 0) & (minutes.of_segment >= PATTERN_MINUTES)
    fits = minutes.left >= PATTERN_MINUTES + PAYOFF_MINUTES
    chosen: list[int] = []
    free_from = 0
    for position in np.flatnonzero(starts_bin & fits & (uniform[:, 0] < settings.edge_probability)).tolist():
        if position >= free_from:
            chosen.append(position)
            free_from = position + PATTERN_MINUTES + PAYOFF_MINUTES
    at = np.array(chosen, dtype=np.intp)
    direction = np.where(uniform[at, 1] < 0.5, -1.0, 1.0)
    jump, drift = np.zeros(len(deviation)), np.zeros(len(deviation))
    jump[at] = direction * _PATTERN_JUMP_DEVIATIONS * np.sqrt(PATTERN_MINUTES) * deviation[at]
    is_pattern = np.zeros(len(deviation), dtype=bool)
    is_pattern[(at[:, None] + np.arange(PATTERN_MINUTES)).ravel()] = True
    if settings.edge == "momentum":
        payoff = at[:, None] + PATTERN_MINUTES + np.arange(PAYOFF_MINUTES)
        drift[payoff] = direction[:, None] * settings.edge_bps / 1e4 / PAYOFF_MINUTES
    return jump, drift, is_pattern


def _overnight(
    settings: SyntheticSettings,
    normals: np.random.Generator,
    tails: np.random.Generator,
    contracts: list[Contract],
    day_level: Floats,
) -> Floats:
    # Gap before each session; the first session of a new contract adds the carry of a month.
    normal = normals.standard_normal((len(contracts), 2))
    daily_variance = (settings.annual_volatility_percent / 100) ** 2 / _TRADING_DAYS_A_YEAR
    deviation = (
        np.sqrt(daily_variance * _OVERNIGHT_SHARE_OF_VARIANCE) * day_level * np.exp(-(_LEVEL_DEVIATION**2))
    )
    gap = deviation * _tail_scale(tails, len(contracts)) * normal[:, 0]
    months = np.array([contract.month for contract in contracts])
    rolled = np.append(False, months[1:] != months[:-1])
    return np.asarray(gap + rolled * (_ROLL_GAP + _ROLL_GAP_DEVIATION * normal[:, 1]), dtype=np.float64)


def _extremes(
    generator: np.random.Generator, log_open: Floats, log_close: Floats, deviation: Floats
) -> tuple[Floats, Floats]:
    # Highest and lowest point of a Brownian bridge between two prices (inverse of its distribution function).
    exponential = generator.standard_exponential((len(deviation), 2))
    move = log_close - log_open
    reach = np.sqrt(move[:, None] ** 2 + 2 * deviation[:, None] ** 2 * exponential)
    return log_open + (move + reach[:, 0]) / 2, log_open + (move - reach[:, 1]) / 2


def _on_tick(log_price: Floats, ticks: Floats) -> Floats:
    # Rounded once more to the paisa, so that the stored number is the one a reader would type.
    return np.round(np.maximum(np.rint(np.exp(log_price) / ticks), 1.0) * ticks, 2)


def _volume(generator: np.random.Generator, minutes: _Minutes, activity: Floats) -> Floats:
    noise = np.exp(_ar1(generator, len(activity), persistence=0.7, deviation=0.4) - 0.4**2 / 2)
    shape = _volume_shape(minutes.fraction) / np.mean(_volume_shape(_ORDINARY_SESSION))
    return _UNITS_A_MINUTE * shape * activity * noise


def _open_interest(
    generator: np.random.Generator, minutes: _Minutes, sessions: list[Session], contracts: list[Contract]
) -> Floats:
    # The near month empties over its last week, as positions roll to the next one.
    days_left = np.array(
        [(c.expiry - s.date).days for s, c in zip(sessions, contracts, strict=True)], dtype=float
    )
    left = days_left[minutes.session] - minutes.fraction
    share = np.interp(left, [-1.0, 0.0, 7.0, 40.0], [0.3, 0.4, 1.0, 1.1])
    wander = np.exp(_ar1(generator, len(left), persistence=0.9999, deviation=0.15))
    return _OPEN_INTEREST_UNITS * share * wander
