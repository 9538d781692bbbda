"""Command line of the package: check bars, keep them in a store, and show the calendar."""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from feeds.calendar import TradingCalendar
from feeds.clock import WallClock
from feeds.command_line import run_command
from feeds.errors import SettingsError

if TYPE_CHECKING:
    from feeds.store.base import BarStore

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

    calendar = TradingCalendar(_extra_sessions(options.session), tuple(options.holiday))
    if options.command == "calendar":
        first = options.first or WallClock().now().date()
        last = options.last or max(first, min(first + dt.timedelta(days=30), calendar.last_date))
        return commands.show_calendar(calendar, options.instrument, first, last)
    if options.command == "export":
        return commands.export_bars(
            options.out,
            _opened(options),
            calendar,
            instrument=options.instrument,
            bar_minutes=options.bar_minutes,
            first=options.first,
            last=options.last,
        )
    if options.command == "database":
        return _database(options)
    own = {"continuous": _continuous, "fetch": _fetch, "record": _record}
    if options.command in own:
        return own[options.command](options, calendar)
    if options.command == "check" and options.store is not None:
        return _check_store(options, calendar)
    if options.command == "stored":
        return commands.list_store(_opened(options))
    if options.path is None:
        raise SettingsError("found nothing to check, expected FILE, DIR or --store; name one")
    how = {
        "reader": options.reader,
        "stamps": StampConvention(options.stamps) if options.stamps else None,
        "timezone": options.timezone,
        "instrument": options.instrument,
        "rejects": options.rejects,
    }
    if options.command == "check":
        return commands.check(options.path, calendar, **{**how, "instrument": options.instrument or "NIFTY"})
    return commands.import_bars(options.path, _opened(options), calendar, **how)


def _fetch(options: argparse.Namespace, calendar: TradingCalendar) -> int:
    # An entry point may know the brokers; nothing else of this package does.
    from brokers.command_settings import CommandSettings
    from brokers.commands import guarded
    from brokers.history_choice import open_history
    from feeds.fetch.command import fetch_bars
    from feeds.fetch.wanted import Wanted, interval_minutes
    from feeds.secrets import Secrets

    clock = WallClock()
    wanted = Wanted(
        underlying=options.instrument,
        bar_minutes=interval_minutes(options.interval),
        first=options.first,
        last=options.last or clock.now().date(),
        month=options.contract,
        is_index=options.index,
    )
    store = _opened(options)

    def run(_: argparse.Namespace, settings: CommandSettings, secrets: Secrets) -> None:
        with open_history(options.source, settings, secrets) as source:
            fetch_bars(
                wanted, source, store, calendar, clock=clock, again=options.again, rejects=options.rejects
            )

    return guarded(run)(options)


def _record(options: argparse.Namespace, _: TradingCalendar) -> int:
    # An entry point may know the brokers; nothing else of this package does.
    from brokers.command_settings import CommandSettings
    from brokers.commands import guarded
    from feeds.fetch.wanted import interval_minutes
    from feeds.secrets import Secrets
    from strategies.record_command import record_today

    if (options.clock == "feed") != (options.day is not None):
        raise SettingsError("--clock feed and --day belong together, found one of them; give both or none")
    calendar = _calendar_of(options, options.day or WallClock().now().date())

    def run(_: argparse.Namespace, settings: CommandSettings, secrets: Secrets) -> None:
        record_today(
            settings,
            secrets,
            calendar,
            underlying=options.instrument,
            bar_minutes=interval_minutes(options.interval),
            store=_opened(options),
            folder=options.out,
            day=options.day,
            keeps_partial=options.partial,
        )

    return guarded(run)(options)


def _calendar_of(options: argparse.Namespace, day: dt.date) -> TradingCalendar:
    """Return a calendar for one day: others whose hours were not published must not stand in its way."""
    from feeds.sessions import published_sessions

    given = _extra_sessions(options.session)
    unknown = [
        other
        for other, session in published_sessions().items()
        if not session.segments and other != day and other not in given
    ]
    return TradingCalendar(given, (*options.holiday, *unknown))


def _check_store(options: argparse.Namespace, calendar: TradingCalendar) -> int:
    from feeds.store_check import check_store

    if options.path is not None:
        raise SettingsError(
            f"found {options.path} and --store, expected one of them to check; leave the other out"
        )
    return check_store(
        _opened(options),
        calendar,
        instrument=options.instrument,
        first=options.first,
        last=options.last,
        picture=options.picture,
    )


def _continuous(options: argparse.Namespace, calendar: TradingCalendar) -> int:
    from feeds.continuous_command import continuous_series

    return continuous_series(
        options.out,
        _opened(options),
        calendar,
        instrument=options.instrument,
        bar_minutes=options.bar_minutes,
        method=options.adjust,
        roll=options.roll,
        table=options.table or options.out.with_name(f"{options.out.name}.adjustments.csv"),
        first=options.first,
        last=options.last,
    )


def _database(options: argparse.Namespace) -> int:
    from feeds.store import database_commands as database
    from feeds.store.chosen import ADMIN_DSN_SECRET, database_address

    store = database_address()
    if options.action == "status":
        return database.show_database(store)
    if options.print:
        return database.print_statements(store, options.tables or "plain")
    if options.action == "migrate":
        owner = database_address(ADMIN_DSN_SECRET, otherwise=store)
        return database.migrate_database(store, owner, options.tables)
    return database.create_database(store, database_address(ADMIN_DSN_SECRET), options.tables)


def _opened(options: argparse.Namespace) -> BarStore:
    from feeds.settings import DataSettings
    from feeds.store.chosen import open_store

    if not options.store:
        raise SettingsError("--store is empty, expected a folder or timescale; correct it")
    return open_store(DataSettings(store=options.store))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m feeds", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    check = commands.add_parser(
        "check", help="check every row of a file or folder (exit code 3 if any is bad), or a store's coverage"
    )
    check.add_argument(
        "--instrument", help="underlying of a file with a header (NIFTY), or the only series of the store"
    )
    _add_input(check, nargs="?")
    check.add_argument(
        "--store", nargs="?", const="bars", metavar="DIR",
        help="hold what this store has (bars) against the calendar, instead of checking a file",
    )  # fmt: skip
    check.add_argument("--picture", type=Path, metavar="OUT.svg", help="draw the store's sessions here")
    _add_dates(check)

    bring = commands.add_parser("import", help="bring good bars of a file or folder into the store")
    bring.add_argument("--instrument", help="underlying; needed for a file with a header")
    _add_input(bring)
    _add_store(bring)

    _add_fetch(commands.add_parser("fetch", help="bring bars of the past from the broker into the store"))

    _add_record(
        commands.add_parser("record", help="keep today's ticks and bars from the live feed; sends no order")
    )

    export = commands.add_parser("export", help="write stored bars into a .csv, .csv.gz or .parquet file")
    export.add_argument("out", type=Path, metavar="OUT", help="file to write; must not exist")
    export.add_argument("--instrument", default="NIFTY", help="underlying (NIFTY)")
    export.add_argument("--bar-minutes", type=int, default=1, help="length of the bars, minutes (1)")
    _add_dates(export)
    _add_store(export)

    continuous = commands.add_parser(
        "continuous", help="write the near month without the gaps of its rolls, and what was adjusted"
    )
    continuous.add_argument("out", type=Path, metavar="OUT", help="file to write; must not exist")
    continuous.add_argument("--instrument", default="NIFTY", help="underlying (NIFTY)")
    continuous.add_argument("--bar-minutes", type=int, default=1, help="length of the bars, minutes (1)")
    continuous.add_argument(
        "--adjust", choices=["ratio", "difference"], default="ratio", help="keep returns, or points (ratio)"
    )
    continuous.add_argument(
        "--roll",
        choices=["expiry", "open_interest"],
        default="expiry",
        help="go over after the expiry, or once the next contract has more open interest (expiry)",
    )
    continuous.add_argument(
        "--table", type=Path, metavar="FILE", help="table of adjustments (OUT.adjustments.csv)"
    )
    _add_dates(continuous)
    _add_store(continuous)

    _add_store(commands.add_parser("stored", help="list what the store holds"))

    database = commands.add_parser("database", help="make the role, database and tables of TIMESCALE_DSN")
    database.add_argument(
        "action", choices=["create", "migrate", "status"],
        help="create and migrate work as the owner, TIMESCALE_ADMIN_DSN",
    )  # fmt: skip
    database.add_argument(
        "--tables", choices=["plain", "timescale"], help="without or with TimescaleDB; what the server offers"
    )
    database.add_argument(
        "--print", action="store_true", help="print the statements of create for psql, execute nothing"
    )

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


def _add_fetch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--source",
        required=True,
        choices=["kite", "upstox"],
        help="whose history; needs today's login (python -m brokers login --broker NAME)",
    )
    parser.add_argument("--instrument", default="NIFTY", help="underlying (NIFTY): its near-month future")
    parser.add_argument("--contract", metavar="YYYY-MM", help="the future of this month instead")
    parser.add_argument("--index", action="store_true", help="the index itself instead")
    parser.add_argument(
        "--interval", default="minute", help="length of the bars: minute, 3minute, 5minute, ... (minute)"
    )
    _add_dates(parser, needs_first=True)
    parser.add_argument(
        "--again", action="store_true", help="ask for everything, also for what was fetched before"
    )
    parser.add_argument("--rejects", type=Path, metavar="OUT.csv", help="write the rejected candles here")
    _add_store(parser)
    _add_settings(parser)


def _add_record(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--instrument", default="NIFTY", help="underlying (NIFTY): its near-month future")
    parser.add_argument("--interval", default="minute", help="length of the bars: minute, 3minute, ...")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the day (recordings/DATE-INSTRUMENT-INTERVAL)"
    )
    parser.add_argument(
        "--partial", action="store_true", help="store the day even if bars of it are missing or incomplete"
    )
    parser.add_argument(
        "--clock", default="wall", choices=["wall", "feed"], help="feed: time is what the ticks say (wall)"
    )
    parser.add_argument("--day", type=_date, metavar="DATE", help="with --clock feed: the day of the ticks")
    _add_store(parser)
    _add_settings(parser)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--settings", type=Path, metavar="FILE", help="settings file; the project's own if not given"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", dest="overrides",
        help="one setting of market or broker, on top of the file; may be given again",
    )  # fmt: skip


def _add_input(parser: argparse.ArgumentParser, *, nargs: str | None = None) -> None:
    parser.add_argument(
        "path", type=Path, metavar="FILE|DIR", nargs=nargs, help="bars; all files below a folder"
    )
    parser.add_argument("--reader", help=_READERS_HELP)
    parser.add_argument("--stamps", choices=["start", "end"], help="what whole-minute stamps of a bar are")
    parser.add_argument("--timezone", help="time zone of a file with a header whose stamps have none")
    parser.add_argument("--rejects", type=Path, metavar="OUT.csv", help="write the rejected rows here")


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store",
        default="bars",
        metavar="DIR",
        help="folder of the store (bars), or timescale: the database of TIMESCALE_DSN",
    )


def _add_dates(parser: argparse.ArgumentParser, *, needs_first: bool = False) -> None:
    parser.add_argument(
        "--from", dest="first", type=_date, metavar="DATE", required=needs_first, help="first day, YYYY-MM-DD"
    )
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
