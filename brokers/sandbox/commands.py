"""The command ``sandbox`` of ``python -m brokers``."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import secrets
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from feeds.calendar import TradingCalendar
from feeds.errors import SettingsError
from feeds.sessions import published_sessions

if TYPE_CHECKING:
    from brokers.sandbox.day import MarketDay
    from brokers.sandbox.faults import Fault
    from brokers.sandbox.server import SandboxServer
    from brokers.sandbox.server_config import SandboxConfig

__all__ = ["add_parsers"]

_NEEDED = ("aiohttp",)


def add_parsers(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command; it sets ``run``, which takes the options and returns the exit code."""
    parser = subparsers.add_parser(
        "sandbox", help="a local exchange that speaks Kite Connect and Upstox' API, replaying a day",
        description="A local exchange that speaks Kite Connect v3 and Upstox' API on 127.0.0.1. The "
        "first line on the standard output is JSON with the addresses and credentials. Ends on Ctrl-C or "
        "SIGTERM.",
    )  # fmt: skip
    market = parser.add_argument_group("the market")
    market.add_argument("--ticks", type=Path, metavar="FILE", help="recorded ticks; made up if not given")
    market.add_argument("--day", type=_date, metavar="DATE", help="session to replay, YYYY-MM-DD")
    market.add_argument("--history", type=Path, metavar="FILE", help="1-minute bars from before the day")
    market.add_argument("--instrument", default="NIFTY", metavar="NAME", help="index (default NIFTY)")
    market.add_argument("--speed", type=float, default=1.0, metavar="N", help="times real time (default 1)")
    market.add_argument(
        "--start", default="subscribe", choices=("subscribe", "now", "manual"),
        help="when market time begins to run (default: with the first subscription)",
    )  # fmt: skip
    market.add_argument(
        "--clock-start", metavar="TIME", help="market time until then, HH:MM[:SS]; a minute before the open"
    )
    account = parser.add_argument_group("the account")
    account.add_argument("--cash", type=float, default=1_000_000.0, metavar="N", help="rupees")
    account.add_argument("--latency-ms", type=float, default=100.0, metavar="N", help="order to exchange, ms")
    account.add_argument("--partial-fills", type=float, default=0.0, metavar="P", help="chance, 0 to 1")
    account.add_argument("--no-rate-limits", action="store_true", help="take any number of requests")
    account.add_argument("--access-token", metavar="TOKEN", help="alive from the start; random if not given")
    account.add_argument("--redirect", metavar="URL", help="where the login page sends the browser")
    server = parser.add_argument_group("the server")
    server.add_argument("--port", type=int, default=0, metavar="N", help="on 127.0.0.1; 0 for a free one")
    server.add_argument("--seed", type=int, default=0, metavar="N", help="of everything that is drawn")
    server.add_argument("--faults", metavar="JSON", help="a fault or a list of them, or @FILE")
    server.add_argument(
        "--exit-with-parent", action="store_true", help="end when the standard input is closed"
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    try:
        from brokers.sandbox.server import SandboxServer
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        raise SettingsError(
            f"the sandbox needs {error.name}, which is not installed; pip install 'muhurat[live]'"
        ) from error
    config, market = _config(options)
    ends = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ends.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    with SandboxServer(config) as server:
        _introduce(server, config, market)
        if options.exit_with_parent:
            threading.Thread(target=_wait_for_end_of_input, args=(ends,), daemon=True).start()
        while not ends.wait(1.0) and server.failure is None:
            pass
    return 0


def _config(options: argparse.Namespace) -> tuple[SandboxConfig, MarketDay]:
    from brokers.sandbox.config import ExchangeConfig
    from brokers.sandbox.control import moment
    from brokers.sandbox.day import make_day
    from brokers.sandbox.server_config import SandboxConfig

    if not 0 <= options.port <= 65_535:
        raise SettingsError(f"--port is {options.port}, expected 0 to 65535")
    if options.seed < 0:
        raise SettingsError(f"--seed is {options.seed}, expected 0 or more")
    # A session whose hours were not published cannot be replayed, and must not spoil the others.
    unknown = [day for day, session in published_sessions().items() if not session.segments]
    calendar = TradingCalendar(extra_holidays=unknown)
    market = make_day(
        options.instrument, calendar, ticks=options.ticks, history=options.history, day=options.day,
        seed=options.seed,
    )  # fmt: skip
    near = market.instruments[0].token
    exchange = ExchangeConfig(
        instruments=market.instruments, day=market.day, calendar=calendar, cash=options.cash,
        previous_closes=market.previous_closes, latency_ms=options.latency_ms,
        partial_fill_probability=options.partial_fills, seed=options.seed,
        rate_limits=not options.no_rate_limits,
    )  # fmt: skip
    config = SandboxConfig(
        exchange=exchange, trades={near: market.trades}, histories={near: market.history},
        clock_start=moment(options.clock_start, market.day) if options.clock_start else None,
        speed=options.speed, start=options.start, port=options.port,
        access_token=options.access_token or secrets.token_hex(16), redirect=options.redirect,
        faults=tuple(_faults(options.faults)), seed=options.seed,
    )  # fmt: skip
    return config, market


def _faults(text: str | None) -> list[Fault]:
    from brokers.sandbox.control import read_faults

    if not text:
        return []
    given_text = text
    if text.startswith("@"):
        try:
            given_text = Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"cannot read --faults {text} ({error}); check the path") from error
    try:
        given = json.loads(given_text)
    except ValueError as error:
        raise SettingsError(f"--faults is no JSON ({error}); see docs/sandbox.md for examples") from error
    return read_faults(given)


def _introduce(server: SandboxServer, config: SandboxConfig, market: MarketDay) -> None:
    """Tell programs on the standard output, and people on the standard error, where to go."""
    line: dict[str, Any] = {
        "api_root": server.api_root, "ticker_root": server.ticker_root, "api_key": server.api_key,
        "api_secret": server.api_secret, "access_token": server.access_token, "login": server.login_url,
        "instruments_url": server.instruments_url,
        "day": str(market.day),
    }  # fmt: skip
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
    near = market.instruments[0]
    starts = {
        "subscribe": "starts with the first subscription",
        "now": "has started",
        "manual": f"starts with POST {server.api_root}/sandbox/start",
    }[config.start]
    lines = [
        f"sandbox: {near.symbol} (token {near.token}, lot {near.lot}, tick {near.tick:g}) on {market.day}, "
        f"{len(market.trades):,} prints at {config.speed:g} times real time; {starts}",
        *(f"sandbox: {note}" for note in market.notes),
        f"sandbox: REST {server.api_root}, stream {server.ticker_root}, login {server.login_url}",
        f"sandbox: faults and clock by {server.api_root}/sandbox/state and its neighbours",
    ]
    sys.stderr.write("\n".join(lines) + "\n")


def _wait_for_end_of_input(ends: threading.Event) -> None:
    # Not through sys.stdin: its lock, held by a thread that reads, would stop the interpreter from ending.
    while os.read(0, 4096):
        pass
    ends.set()


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date, expected YYYY-MM-DD") from error
