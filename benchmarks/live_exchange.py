"""The exchange of the live benchmark, in a process of its own: a sandbox that notes when orders reach it.

Started by :mod:`benchmarks.live`. It ends when its standard input does, and then says what it saw.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from pathlib import Path

from benchmarks.exit_audit import ExitAudit
from brokers.sandbox.config import ExchangeConfig
from brokers.sandbox.control import moment
from brokers.sandbox.day import make_day
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.server_config import SandboxConfig
from feeds.calendar import TradingCalendar
from feeds.sessions import published_sessions


def main() -> None:
    """Serve until the standard input ends, then print what was seen."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ticks", type=Path)
    parser.add_argument("--minutes", type=int, required=True)
    parser.add_argument("--speed", type=float, required=True)
    parser.add_argument("--partial-fills", type=float, default=0.0)
    options = parser.parse_args()
    with ExitAudit() as audit, SandboxServer(_config(options)) as server:
        told = {
            "api_root": server.api_root, "ticker_root": server.ticker_root, "api_key": server.api_key,
            "access_token": server.access_token, "day": str(server.config.exchange.day),
        }  # fmt: skip
        print(json.dumps(told), flush=True)
        sys.stdin.read()
        seen = {
            "arrivals": audit.arrivals, "changes": audit.changes, "violations": audit.violations,
            "orders": server.ask(lambda exchange: len(exchange.orders())),
        }  # fmt: skip
        print(json.dumps(seen), flush=True)


def _config(options: argparse.Namespace) -> SandboxConfig:
    unknown = [day for day, session in published_sessions().items() if not session.segments]
    calendar = TradingCalendar(extra_holidays=unknown)
    market = make_day("NIFTY", calendar, ticks=options.ticks)
    near = market.instruments[0].token
    opens = moment("09:15", market.day)
    last = opens + dt.timedelta(minutes=options.minutes)
    return SandboxConfig(
        exchange=ExchangeConfig(
            instruments=market.instruments, day=market.day, calendar=calendar, cash=20_000_000.0,
            previous_closes=market.previous_closes, partial_fill_probability=options.partial_fills,
        ),
        trades={near: [trade for trade in market.trades if trade.time < last]},
        histories={near: market.history}, speed=options.speed, access_token="benchmark",  # noqa: S106 # of a sandbox
        clock_start=opens - dt.timedelta(seconds=5),
    )  # fmt: skip


if __name__ == "__main__":
    main()
