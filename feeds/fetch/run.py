"""Fetches what is missing of a series, one request after the other, each kept before the next is asked.

What is in the store with its span recorded is never asked for again: a run that was killed goes on where it
was, and one that has nothing left to do asks for nothing. A session without a single candle is not recorded.
"""

from __future__ import annotations

import datetime as dt
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from feeds.bars import TIME_ZONE
from feeds.calendar import TradingCalendar
from feeds.clock import IST, Clock
from feeds.errors import DataError
from feeds.fetch.days import closed_days, time_at
from feeds.fetch.parts import find_parts
from feeds.fetch.plan import Request, plan_requests
from feeds.fetch.progress import FetchProgress, Step
from feeds.fetch.screen import screen
from feeds.fetch.wanted import Wanted
from feeds.sources.history import HistorySource
from feeds.store.base import BarStore, FetchedSpan

__all__ = ["Fetched", "fetch"]

_PAUSE_SECONDS = 1.0
_END_OF_DAY = dt.time(23, 59)


@dataclass(kw_only=True)
class Fetched:
    """What a fetch did.

    Attributes
    ----------
    wanted : Wanted
        What was wanted.
    sessions, known : int
        Sessions wanted that are over, and those of them that had been fetched before.
    requests : int
        Requests for candles.
    added, already_stored : int
        Bars that were new to the store, and those it had.
    rejects : list of DataFrame
        Candles that were set aside, see :func:`feeds.fetch.screen.screen`.
    empty : list of datetime.date
        Sessions without a candle; asked for again next time.
    left_out : list of datetime.date
        Sessions that are not over.
    note : str
        What is to be said of the broker's clock; mostly nothing.
    """

    wanted: Wanted
    sessions: int
    known: int
    left_out: list[dt.date]
    note: str
    requests: int = 0
    added: int = 0
    already_stored: int = 0
    rejects: list[pd.DataFrame] = field(default_factory=list)
    empty: list[dt.date] = field(default_factory=list)


def fetch(
    wanted: Wanted,
    source: HistorySource,
    store: BarStore,
    calendar: TradingCalendar,
    *,
    clock: Clock,
    make_progress: Callable[[int], AbstractContextManager[FetchProgress]],
    again: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Fetched:
    """Bring what is missing of a series into the store.

    Parameters
    ----------
    wanted : Wanted
        Series and days.
    source : HistorySource
        Whose candles; it keeps its own limits.
    store : BarStore
        Where bars go, and where it is recorded which spans they are the whole answer to.
    calendar : TradingCalendar
        The sessions.
    clock : Clock
        Of this machine, where the broker does not tell the time.
    make_progress : callable
        Given the number of requests, returns who is told of each.
    again : bool
        Ask for everything, also what was fetched before.
    sleep : callable
        How to wait, seconds.

    Raises
    ------
    SettingsError
        If the days or the length of the bars cannot be had.
    BrokerError
        If the broker cannot be asked, refuses, or does not have the contract.
    DataError
        If the answer cannot be read, holds nothing at all, or contradicts what is stored. What was kept
        before stays kept.
    """
    span = source.longest_span(wanted.bar_minutes)
    now, note = time_at(source, clock)
    closed = closed_days(wanted, now, calendar)
    spans = [] if again else store.fetched(wanted.series, wanted.bar_minutes, source.name)
    known = {day for day in closed.days if any(span.first <= day <= span.last for span in spans)}
    done = Fetched(
        wanted=wanted, sessions=len(closed.days), known=len(known), left_out=closed.left_out, note=note
    )
    if len(known) == len(closed.days):
        return done
    requests = plan_requests(find_parts(wanted, closed.days, source, calendar), known, span.days)
    # A run that was killed a moment ago has asked too, and the limit counts both.
    sleep(_PAUSE_SECONDS)
    with make_progress(len(requests)) as progress:
        for request in requests:
            progress(_carry_out(request, len(requests), done, source, store, calendar))
    if not done.added and not done.already_stored:
        raise _nothing(done, source, requests)
    return done


def _carry_out(
    request: Request,
    requests: int,
    done: Fetched,
    source: HistorySource,
    store: BarStore,
    calendar: TradingCalendar,
) -> Step:
    wanted = done.wanted
    first = dt.datetime.combine(request.first, dt.time(), tzinfo=IST)
    last = dt.datetime.combine(request.last, _END_OF_DAY, tzinfo=IST)
    answer = source.candles(request.key, wanted.bar_minutes, first, last)
    done.requests += 1
    screened = screen(answer, request, wanted, calendar)
    if len(screened.rejects):
        done.rejects.append(screened.rejects)
    added = 0
    for days, has_bars in _runs(request.days, screened.frame):
        if not has_bars:
            done.empty += days
            continue
        kept = store.append(
            wanted.series,
            wanted.bar_minutes,
            _between(screened.frame, days[0], days[-1]),
            fetched=FetchedSpan(source.name, days[0], days[-1]),
        )
        added += kept.added
        done.already_stored += kept.already_stored
    done.added += added
    return Step(request, done.requests, requests, added)


def _runs(days: Sequence[dt.date], frame: pd.DataFrame) -> Iterator[tuple[list[dt.date], bool]]:
    """Yield sessions that follow each other and have bars, or have none."""
    with_bars = set(np.unique(np.asarray(pd.DatetimeIndex(frame.index).date)))
    for has_bars, group in itertools.groupby(days, with_bars.__contains__):
        yield list(group), has_bars


def _between(frame: pd.DataFrame, first: dt.date, last: dt.date) -> pd.DataFrame:
    start, end = pd.Timestamp(first, tz=TIME_ZONE), pd.Timestamp(last + dt.timedelta(days=1), tz=TIME_ZONE)
    return frame[(frame.index >= start) & (frame.index < end)]


def _nothing(done: Fetched, source: HistorySource, requests: Sequence[Request]) -> DataError:
    rejected = sum(map(len, done.rejects))
    return DataError(
        f"{source.name} gave no good candle of {requests[0].symbol} from {requests[0].first} to "
        f"{requests[-1].last} ({rejected} rejected), expected those of {len(done.empty)} sessions; it may "
        "not have been listed yet, or the history is not kept that long: choose later days"
    )
