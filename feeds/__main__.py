"""Command line of the package: check bars, keep them in a store, and show the calendar."""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from feeds.calendar import TradingCalendar
from feeds.clock import WallClock
from feeds.command_line import run_command
from feeds.errors import SettingsError

__all__ = ["main"]

_READERS_HELP = "form of a vendor's file without a header; found from its first row if not given"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 2 for wrong arguments, 3 for wrong data."""
    options = _parser().parse_args(arguments)
    return run_command(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    # Below the parser, so that --help does not wait for pandas and the calendar.
    from feeds import commands
    from feeds.stamps import StampConvention
    from feeds.store.parquet import ParquetStore

    calendar = TradingCalendar(_extra_sessions(options.session), tuple(options.holiday))
    if options.command == "calendar":
        first = options.first or WallClock().now().date()
        last = options.last or max(first, min(first + dt.timedelta(days=30), calendar.last_date))
        return commands.show_calendar(calendar, options.instrument, first, last)
    if options.command == "export":
        return commands.export_bars(
            options.out,
            ParquetStore(options.store),
            calendar,
            instrument=options.instrument,
            bar_minutes=options.bar_minutes,
            first=options.first,
            last=options.last,
        )
    if options.command == "stored":
        return commands.list_store(ParquetStore(options.store))
    how = {
        "reader": options.reader,
        "stamps": StampConvention(options.stamps) if options.stamps else None,
        "timezone": options.timezone,
        "instrument": options.instrument,
        "rejects": options.rejects,
    }
    if options.command == "check":
        return commands.check(options.path, calendar, **how)
    return commands.import_bars(options.path, ParquetStore(options.store), calendar, **how)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m feeds", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    check = commands.add_parser(
        "check", help="check every row of a file or folder; exit code 3 if any is bad"
    )
    check.add_argument("--instrument", default="NIFTY", help="underlying of a file with a header (NIFTY)")
    _add_input(check)

    bring = commands.add_parser("import", help="bring good bars of a file or folder into the store")
    bring.add_argument("--instrument", help="underlying; needed for a file with a header")
    _add_input(bring)
    _add_store(bring)

    export = commands.add_parser("export", help="write stored bars into a .csv, .csv.gz or .parquet file")
    export.add_argument("out", type=Path, metavar="OUT", help="file to write; must not exist")
    export.add_argument("--instrument", default="NIFTY", help="underlying (NIFTY)")
    export.add_argument("--bar-minutes", type=int, default=1, help="length of the bars, minutes (1)")
    _add_dates(export)
    _add_store(export)

    _add_store(commands.add_parser("stored", help="list what the store holds"))

    calendar = commands.add_parser("calendar", help="list sessions, expiries and lots")
    calendar.add_argument("--instrument", default="NIFTY", help="whose expiries and lots (NIFTY)")
    _add_dates(calendar)

    for command in commands.choices.values():
        command.add_argument(
            "--session", action="append", default=[], type=_session, metavar="DATE=HOURS",
            help="a session the calendar does not know, such as '2026-11-08=18:00-19:00'; may be repeated",
        )  # fmt: skip
        command.add_argument(
            "--holiday", action="append", default=[], type=_date, metavar="DATE",
            help="a day without a session that the calendar calls open; may be repeated",
        )  # fmt: skip
    return parser


def _add_input(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="FILE|DIR", help="bars; all files below a folder")
    parser.add_argument("--reader", help=_READERS_HELP)
    parser.add_argument("--stamps", choices=["start", "end"], help="what whole-minute stamps of a bar are")
    parser.add_argument("--timezone", help="time zone of a file with a header whose stamps have none")
    parser.add_argument("--rejects", type=Path, metavar="OUT.csv", help="write the rejected rows here")


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store", type=Path, default=Path("bars"), metavar="DIR", help="folder of the store (bars)"
    )


def _add_dates(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="first", type=_date, metavar="DATE", help="first day, YYYY-MM-DD")
    parser.add_argument("--to", dest="last", type=_date, metavar="DATE", help="last day, YYYY-MM-DD")


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date, expected YYYY-MM-DD") from error


def _session(text: str) -> tuple[dt.date, str]:
    day, _, hours = text.partition("=")
    return _date(day), hours


def _extra_sessions(given: Sequence[tuple[dt.date, str]]) -> dict[dt.date, str]:
    sessions = dict(given)
    if len(sessions) < len(given):
        raise SettingsError("--session names a day twice; give all its hours in one, separated by a space")
    return sessions


if __name__ == "__main__":
    raise SystemExit(main())
