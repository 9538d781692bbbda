"""What ``python -m feeds fetch`` does, and what it says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from feeds.calendar import TradingCalendar
from feeds.clock import Clock
from feeds.commands import refuse_existing, write_whole
from feeds.fetch.progress import make_progress
from feeds.fetch.run import Fetched, fetch
from feeds.fetch.wanted import Wanted
from feeds.show import print_line, print_table
from feeds.sources.history import HistorySource
from feeds.store.base import BarStore

__all__ = ["fetch_bars"]

_FEW = 5


def fetch_bars(
    wanted: Wanted,
    source: HistorySource,
    store: BarStore,
    calendar: TradingCalendar,
    *,
    clock: Clock,
    again: bool,
    rejects: Path | None,
) -> int:
    """Fetch, print what was found, and return 0. Raises as :func:`feeds.fetch.run.fetch`."""
    refuse_existing(rejects)
    done = fetch(wanted, source, store, calendar, clock=clock, make_progress=make_progress, again=again)
    _print_done(done, store)
    _print_rejects(done.rejects)
    if rejects is not None:
        table = pd.concat(done.rejects) if done.rejects else pd.DataFrame(columns=["datetime", "reason"])
        write_whole(table.set_index("datetime"), rejects)
    return 0


def _print_done(done: Fetched, store: BarStore) -> None:
    wanted = done.wanted
    counts = (done.sessions, done.known, done.requests, done.added, done.already_stored, len(done.empty))
    header = ["series", "first", "last", ">sessions", ">known", ">requests", ">added", ">already stored"]
    print_table(
        "fetched",
        [*header, ">empty"],
        [
            [
                f"{wanted.series} {wanted.bar_minutes}minute", str(wanted.first), str(wanted.last),
                *(f"{count:,}" for count in counts),
            ]
        ],
    )  # fmt: skip
    held = store.coverage(wanted.series, wanted.bar_minutes)
    if held is not None:
        print_line(f"{store!r} holds {held.bars:,} bars of {held.days:,} days of the series now")
    if done.note:
        print_line(done.note)
    if done.left_out:
        print_line(f"left out, because the session is not over: {_named(done.left_out)}")
    if done.empty:
        print_line(f"without a candle, and asked for again next time: {_named(done.empty)}")


def _print_rejects(rejects: list[pd.DataFrame]) -> None:
    if not rejects:
        return
    table = pd.concat(rejects)
    rows = [
        [str(reason), f"{len(part):,}", f"{part['datetime'].iloc[0]:%Y-%m-%d %H:%M}"]
        for reason, part in table.groupby("reason")
    ]
    print_table("rejected, not stored", ["reason", ">candles", "first"], rows)


def _named(days: Sequence[dt.date]) -> str:
    rest = len(days) - _FEW
    return ", ".join(map(str, days[:_FEW])) + (f" and {rest} more" if rest > 0 else "")
