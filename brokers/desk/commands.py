"""``python -m brokers journal`` and ``reconcile``: a live day's journal, alone and against the account.

Neither sends anything or writes to the journal.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from brokers.commands import guarded, settings_parser
from brokers.desk.facts import Fact
from brokers.desk.journal_file import read_journal
from brokers.desk.plan import Action, plan
from brokers.desk.state import DeskState
from brokers.desk.strangers import difference_of, judge_account
from brokers.reconcile import Book, never_sent, reconcile
from feeds.clock import IST, WallClock
from feeds.errors import DataError
from feeds.log import NullLog
from feeds.show import print_line, print_table

if TYPE_CHECKING:
    from brokers.command_settings import CommandSettings
    from brokers.settings import BrokerSettings
    from feeds.secrets import Secrets

__all__ = ["add_parsers"]


def add_parsers(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the two commands."""
    journal = subparsers.add_parser("journal", help="what a live day's journal holds")
    journal.set_defaults(run=_show_journal)
    check = subparsers.add_parser(
        "reconcile",
        parents=[settings_parser()],
        help="a journal against the account: what differs and what a start would do; sends nothing",
    )
    check.set_defaults(run=guarded(_show_reconciliation))
    for parser in (journal, check):
        parser.add_argument(
            "--run", type=Path, required=True, metavar="DIR", dest="folder", help="folder of the live day"
        )


def _show_journal(options: argparse.Namespace) -> int:
    rows = read_journal(options.folder / "journal.sqlite")
    table = [
        (
            str(row.sequence),
            f"{row.time.astimezone(IST):%H:%M:%S}",
            type(row.fact).__name__,
            _fields(row.fact),
        )
        for row in rows
    ]
    print_table(f"{options.folder}: {len(rows)} facts", (">no", "time", "fact", "says"), table)
    state = DeskState(row.fact for row in rows)
    print_line(f"position {state.position:+d}, {len(state.trips)} trips, {len(state.orders)} orders")
    return 0


def _show_reconciliation(options: argparse.Namespace, settings: CommandSettings, secrets: Secrets) -> None:
    rows = read_journal(options.folder / "journal.sqlite")
    state = DeskState(row.fact for row in rows)
    opened = state.opened
    if opened is None:
        raise DataError(
            f"the journal in {options.folder} is empty, expected that of a live day; give its folder"
        )
    book = _read_book(settings.broker, secrets, opened.symbol)
    facts = [*never_sent(state), *reconcile(state, book, lambda *_: 0.0)]
    for fact in facts:
        state.apply(fact)
    names = {"symbol": opened.symbol, "product": opened.product}
    differs = difference_of(state, book, **names)
    judged = judge_account(state, book, **names, differs=differs)
    for fact in judged:
        state.apply(fact)
    found = [*facts, *judged]
    print_table(
        "what the account adds to the journal", ("fact", "says"),
        [(type(fact).__name__, _fields(fact)) for fact in found] or [("nothing", "they agree")],
    )  # fmt: skip
    # A start finds that the moment of an entry that still works has passed
    stale = {order.tag for order in state.orders.values() if order.intent.role == "entry" and not order.over}
    actions = plan(state, impatient=stale, largest_order=float("inf"))
    print_table(
        "what a start would do", ("action", "on"),
        [(type(action).__name__, _fields(action)) for action in actions] or [("nothing", "")],
    )  # fmt: skip


def _read_book(broker: BrokerSettings, secrets: Secrets, symbol: str) -> Book:
    # The client takes a second to import, and the other commands need none
    from brokers.choice import chosen_broker

    access = chosen_broker(broker)
    store = access.open_store(access.find_session(secrets, WallClock()), NullLog())
    try:
        wire = store.wire_of(symbol)
        return Book(wire.orders(), wire.trades(), wire.positions())
    finally:
        store.close()


def _fields(row: Fact | Action) -> str:
    return ", ".join(f"{name}={value}" for name, value in row._asdict().items() if value != "")
