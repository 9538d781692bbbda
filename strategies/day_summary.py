"""What a day came to in a few numbers: from its report, or from its books where there is none."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from analyzers.parity.files import FILLS_FILE, read_fills
from analyzers.trades import open_trade_ids
from brokers.desk.facts import EntryDenied
from brokers.desk.journal_file import read_journal
from brokers.desk.state import DeskState
from brokers.journal import Fill, OrderEvent
from brokers.paper_book import PaperBook
from brokers.paper_records import KeptFill
from feeds.errors import DataError

__all__ = ["DaySummary", "summarise_day"]


class DaySummary(NamedTuple):
    """A day in numbers.

    Attributes
    ----------
    day : datetime.date
        The session's.
    mode : str
        ``demo``, ``paper`` or ``live``.
    trades, wins : int
        Closed round trips, and those that earned something after charges.
    net_pnl, charges : float
        Rupees of the closed round trips.
    max_drawdown : float or None
        Deepest fall of the account at a bar's close, rupees, not negative; None without a report.
    cash : float or None
        Rupees at the end of the day, an open position at its last price; None without a report.
    entries_denied : int
        By the risk rules.
    left_open : bool
        Whether a round trip is not closed.
    has_report : bool
        Whether the numbers are those of the report.
    """

    day: dt.date
    mode: str
    trades: int = 0
    wins: int = 0
    net_pnl: float = 0.0
    charges: float = 0.0
    max_drawdown: float | None = None
    cash: float | None = None
    entries_denied: int = 0
    left_open: bool = False
    has_report: bool = False


def summarise_day(folder: Path, day: dt.date, mode: str) -> DaySummary:
    """Return the numbers of a day.

    A day that was broken off has no report; then its journal or paper book tells. A day that has neither
    has traded nothing.

    Raises
    ------
    DataError, BrokerError
        A file is damaged, or the paper book is in use.
    """
    empty = DaySummary(day, mode)
    if (folder / "summary.json").is_file():
        return _of_report(folder, empty)
    if (folder / "journal.sqlite").is_file():
        return _of_journal(folder / "journal.sqlite", empty)
    if (folder / "paper.sqlite").is_file():
        return _of_paper_book(folder / "paper.sqlite", empty)
    return empty


def _of_report(folder: Path, empty: DaySummary) -> DaySummary:
    try:
        figures = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["metrics"]
        net = pd.read_csv(folder / "trades.csv", usecols=["net_pnl"])["net_pnl"]
        orders = pd.read_csv(folder / "orders.csv", usecols=["role", "state"])
        return empty._replace(
            trades=int(figures["trades"]),
            wins=int((net > 0.0).sum()),
            net_pnl=float(figures["net_pnl"]),
            charges=float(figures["charges"]),
            max_drawdown=float(figures["max_drawdown"]),
            cash=float(figures["final_value"]),
            entries_denied=int(((orders["role"] == "entry") & (orders["state"] == "denied")).sum()),
            left_open=_is_left_open(folder),
            has_report=True,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"the report in {folder} cannot be read ({type(error).__name__}: "
            f"{' '.join(str(error).split())}), expected that of a live, paper or demo day; its files are "
            "damaged or of another version"
        ) from error


def _is_left_open(folder: Path) -> bool:
    journal = folder / "journal.sqlite"
    if journal.is_file():  # it also knows what somebody else closed
        return DeskState(row.fact for row in read_journal(journal)).position != 0
    return bool(open_trade_ids([timed.fill for timed in read_fills(folder / FILLS_FILE)]))


def _of_journal(path: Path, empty: DaySummary) -> DaySummary:
    facts = [row.fact for row in read_journal(path)]
    state = DeskState(facts)
    closed: dict[int, list[tuple[float, float, float]]] = {
        trip.number: [trade for order in trip.orders for trade in order.trades.values()]
        for trip in state.trips.values()
        if trip.closed and not trip.taken
    }
    denied = sum(isinstance(fact, EntryDenied) for fact in facts)
    return _summed(empty, closed.values())._replace(entries_denied=denied, left_open=state.position != 0)


def _of_paper_book(path: Path, empty: DaySummary) -> DaySummary:
    book = PaperBook(path)
    try:
        stored = book.load()
    finally:
        book.close()
    records: list[Any] = [] if stored is None else list(stored.records)
    fills = [record.fill for record in records if isinstance(record, KeptFill)]
    open_trades = set(open_trade_ids(fills))
    closed: dict[int, list[Fill]] = {}
    for fill in fills:
        if fill.trade_id not in open_trades:
            closed.setdefault(fill.trade_id, []).append(fill)
    denied = sum(
        isinstance(record, OrderEvent) and record.role == "entry" and record.state == "denied"
        for record in records
    )
    trades = [[(fill.size, fill.price, fill.charges) for fill in trade] for trade in closed.values()]
    return _summed(empty, trades)._replace(entries_denied=denied, left_open=bool(open_trades))


def _summed(empty: DaySummary, closed: Iterable[list[tuple[float, float, float]]]) -> DaySummary:
    """Return the sums over round trips, each a list of units (signed), price and charges of its fills."""
    nets, paid = [], 0.0
    for trade in closed:
        if not trade:  # an entry that found nobody
            continue
        paid += sum(charges for _, _, charges in trade)
        nets.append(sum(-size * price - charges for size, price, charges in trade))
    return empty._replace(
        trades=len(nets), wins=sum(net > 0.0 for net in nets), net_pnl=sum(nets), charges=paid
    )
