"""A small market day at a sandbox in the test's own process, and ``run_live.py`` run against it.

The day is played from half past two: early enough for an entry, a position over a few bars, and the
square-off; at 600 times real time it is over in seconds. Prices swing within a few points, so that neither a
stop nor a target of the wide distances used here is ever reached.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from brokers.sandbox.config import ExchangeConfig
from brokers.sandbox.faults import Fault
from brokers.sandbox.instruments import near_next_far
from brokers.sandbox.market import MarketTrade
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.server_config import SandboxConfig
from feeds.calendar import TradingCalendar
from feeds.clock import IST

DAY = dt.date(2026, 9, 24)
"""An ordinary Thursday, days away from an expiry."""

TOKEN = "tokenOfTheDay7"
PRICE = 25_000.0
WAIT = 60.0
"""Seconds that a test waits for what has to happen."""

_ROOT = Path(__file__).resolve().parents[1]
_CALENDAR = TradingCalendar()
_HISTORY_SESSIONS = 5
_SECONDS_BETWEEN_PRINTS = 5
_SWING_SECONDS = 420.0
_SWING_POINTS = 4.0

NO_PAGE = ("--set", "status.enabled=false")
"""Leave the companion out: tests of trading do without."""

HOLD = (
    *NO_PAGE, "--strategy", "random_entry", "--set", "strategy.parameters.entry_probability=1",
    "--set", "strategy.stop_atr=10", "--set", "strategy.target_atr=20",
    "--set", "strategy.sizer=fixed", "--set", "strategy.fixed_units=130",
    "--set", "report.tearsheet=false", "--set", "report.embedded_bars=0",
    "--set", "report.bootstrap_samples=200",
)  # fmt: skip
"""Enter on the first bar, and hold until something ends it."""


def at(text: str, day: dt.date = DAY) -> dt.datetime:
    return dt.datetime.combine(day, dt.time.fromisoformat(text), IST)


def price_at(moment: dt.datetime) -> float:
    swing = math.sin(2 * math.pi * moment.timestamp() / _SWING_SECONDS)
    return round(PRICE + round(_SWING_POINTS * swing / 0.1) * 0.1, 2)


def prints(first: str, last: str, lot: int) -> list[MarketTrade]:
    """Return a print every few seconds from ``first`` up to, but without, ``last``."""
    moments = pd.date_range(at(first), at(last), freq=f"{_SECONDS_BETWEEN_PRINTS}s", inclusive="left")
    return [MarketTrade(moment.to_pydatetime(), price_at(moment), lot, 1_000_000.0) for moment in moments]


def history() -> pd.DataFrame:
    """Return 1-minute bars of the sessions before the day."""
    sessions = _CALENDAR.sessions(DAY - dt.timedelta(days=14), DAY - dt.timedelta(days=1))
    parts = []
    for session in sessions[-_HISTORY_SESSIONS:]:
        starts = pd.date_range(session.open, session.close, freq="1min", inclusive="left", name="datetime")
        opens = [price_at(start) for start in starts]
        closes = [price_at(start + dt.timedelta(seconds=59)) for start in starts]
        pairs = list(zip(opens, closes, strict=True))
        frame = pd.DataFrame(
            {
                "open": opens, "high": [max(pair) for pair in pairs], "low": [min(pair) for pair in pairs],
                "close": closes, "volume": 900.0, "open_interest": 1e6, "complete": True,
            },
            index=starts.as_unit("us"),
        )  # fmt: skip
        parts.append(frame)
    return pd.concat(parts)


def day_config(
    *,
    underlying: str = "NIFTY",
    begins: str = "14:30",
    speed: float = 600.0,
    exchange: dict[str, Any] | None = None,
    **server: Any,
) -> SandboxConfig:
    """Return a sandbox whose time begins to run with the first subscription."""
    instruments = near_next_far(underlying, DAY, _CALENDAR, PRICE)
    near = instruments[0]
    rules = {
        "instruments": instruments, "day": DAY, "rate_limits": False,
        "previous_closes": {one.token: PRICE for one in instruments}, **(exchange or {}),
    }  # fmt: skip
    given = {
        "trades": {near.token: prints("14:00", "15:40", near.lot)},
        "histories": {near.token: history()},
        "clock_start": at(begins), "speed": speed, "access_token": TOKEN, **server,
    }  # fmt: skip
    return SandboxConfig(exchange=ExchangeConfig(**rules), **given)


class Market(SandboxServer):
    """A sandbox that counts what is asked of it about orders."""

    def __init__(self, config: SandboxConfig) -> None:
        super().__init__(config)
        # A delay of nothing is a counter; the board counts a request before anything is made of it
        self._counters = {
            method: self.faults.add(
                Fault(kind="delay", seconds=0.0, count=None, route=f"{method} /orders/*")
            )[0]
            for method in ("POST", "PUT", "DELETE")
        }

    @property
    def order_requests(self) -> dict[str, int]:
        """How many orders were placed, changed and cancelled, or tried to be."""
        return {method: self.faults.happened(number) for method, number in self._counters.items()}

    @property
    def placed(self) -> int:
        """How many orders were sent."""
        return self.order_requests["POST"]

    def account(self) -> Account:
        """Return what the exchange holds."""
        return self.ask(
            lambda exchange: Account(
                sum(row["quantity"] for row in exchange.positions()["net"]),
                [row for row in exchange.orders() if row["status"] in ("OPEN", "TRIGGER PENDING")],
                exchange.orders(),
            )
        )

    def arguments(self, out: Path, *, mode: str = "live", clock: str = "feed") -> list[str]:
        """Return arguments that trade the day at this sandbox."""
        agreed = ["--yes"] if mode == "live" else []
        return [
            "--mode", mode, "--now", "--clock", clock, *agreed, "--out", str(out),
            *self.addresses, "--set", "live.idle_end_seconds=5", *NO_PAGE,
        ]  # fmt: skip

    @property
    def addresses(self) -> list[str]:
        """Return settings that lead here."""
        return [
            "--set", f"broker.kite.api_root={self.api_root}",
            "--set", f"broker.kite.ticker_root={self.ticker_root}",
        ]  # fmt: skip


class Account(NamedTuple):
    """Units held, working orders, and all orders, as the exchange writes them."""

    position: int
    working: list[dict[str, Any]]
    orders: list[dict[str, Any]]

    @property
    def is_protected(self) -> bool:
        """Whether there is a position, and one stop over exactly it."""
        if not self.position or len(self.working) != 1:
            return False
        (order,) = self.working
        side = 1 if order["transaction_type"] == "BUY" else -1
        return (
            order["order_type"] in ("SL", "SL-M")
            and order["status"] == "TRIGGER PENDING"
            and side * order["pending_quantity"] == -self.position
        )


class Program:
    """``run_live.py`` in a process of its own; ``lines`` are what it has told so far."""

    command: tuple[str, ...] = (str(_ROOT / "run_live.py"),)

    def __init__(self, folder, *arguments, **variables):
        environment = {
            **os.environ, "HOME": str(folder), "KITE_API_KEY": "sandbox", "KITE_ACCESS_TOKEN": TOKEN,
            "PYTHONUNBUFFERED": "1", **variables,
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, *self.command, *map(str, arguments)],
            cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self.lines = []
        self.complaints = []
        self._readers = [
            threading.Thread(target=lambda: self.lines.extend(self.process.stdout)),
            threading.Thread(target=lambda: self.complaints.extend(self.process.stderr)),
        ]
        for reader in self._readers:
            reader.start()

    def has_told(self, words):
        return any(words in line for line in list(self.lines))

    def send(self, number):
        self.process.send_signal(number)

    def end(self):
        code = self.process.wait(WAIT)
        for reader in self._readers:
            reader.join()
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.end()
        self.process.stdout.close()
        self.process.stderr.close()

    def __repr__(self):
        return "".join([*self.lines[-15:], *self.complaints])


def wait_until(condition: Callable[[], bool], what: str, seconds: float = WAIT) -> None:
    """Wait for a condition; say what did not happen."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain until {what}")
        time.sleep(0.02)
