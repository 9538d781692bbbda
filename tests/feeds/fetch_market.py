"""A sandbox with years of an index, and the command that fetches from it in a process of its own."""

from __future__ import annotations

import datetime as dt
import functools
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brokers.sandbox.config import ExchangeConfig
from brokers.sandbox.faults import Fault
from brokers.sandbox.instruments import SandboxIndex, near_next_far
from brokers.sandbox.read_limits import ReadLimits
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.server_config import SandboxConfig
from feeds.calendar import TradingCalendar
from feeds.settings import SyntheticSettings
from feeds.sources.synthetic import make_bars

ROOT = Path(__file__).resolve().parents[2]
CALENDAR = TradingCalendar()
DAY = dt.date(2024, 10, 15)
"""The sandbox's day; what it has of the past ends before it."""

CANDLES = "GET /instruments/historical/*"
INDEX = SandboxIndex(256265, 1001, "NIFTY 50")
NEAR = near_next_far("NIFTY", DAY, CALENDAR)[0]


@functools.cache
def index_minutes(first: dt.date, last: dt.date) -> pd.DataFrame:
    """Return synthetic minutes of an index: no volume, no open interest."""
    sessions = len(CALENDAR.sessions(first, last))
    bars = make_bars(SyntheticSettings(sessions=sessions, first_date=first), CALENDAR)
    return bars.assign(volume=0.0, open_interest=np.nan)


class Requests:
    """When the server was asked for history, seconds of its monotonic clock."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self._changed = threading.Condition()

    def note(self) -> None:
        with self._changed:
            self.times.append(time.monotonic())
            self._changed.notify_all()

    def wait_for(self, count: int, seconds: float) -> bool:
        """Wait until so many were made; False if they were not in time."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.times) >= count, seconds)

    @property
    def most_in_a_second(self) -> int:
        """The most in any second, wherever it begins."""
        return max((sum(0 <= later - at < 1.0 for later in self.times) for at in self.times), default=0)


@contextmanager
def history_server(
    histories: dict[int, pd.DataFrame], monkeypatch: Any, *faults: Fault
) -> Iterator[tuple[SandboxServer, Requests]]:
    """Run a sandbox with these minutes by token; tell when it is asked for history, refused or not."""
    requests = Requests()
    real = ReadLimits.take

    def take(limits: ReadLimits, kind: Any) -> None:
        if kind == "historical":
            requests.note()
        real(limits, kind)

    monkeypatch.setattr(ReadLimits, "take", take)
    rules = ExchangeConfig(
        instruments=near_next_far("NIFTY", DAY, CALENDAR), indices=(INDEX,), day=DAY, calendar=CALENDAR,
        previous_closes={NEAR.token: 25_000.0},
    )  # fmt: skip
    config = SandboxConfig(
        exchange=rules, histories=histories, start="manual", access_token="alive", faults=faults
    )  # fmt: skip
    with SandboxServer(config) as server:
        yield server, requests


def fetch_arguments(
    server: SandboxServer, store: object, first: object, last: object, *more: str
) -> list[str]:
    return [
        "fetch", "--source", "kite", "--instrument", "NIFTY", "--from", str(first), "--to", str(last),
        "--store", str(store), "--set", f"broker.kite.api_root={server.api_root}", *more,
    ]  # fmt: skip


def environment(server: SandboxServer, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KITE_", "UPSTOX_"))}
    login = {"KITE_API_KEY": server.api_key, "KITE_ACCESS_TOKEN": server.access_token}
    return {**kept, **login, "PYTHONPATH": str(ROOT), **more}


def log_in(server: SandboxServer, monkeypatch: Any) -> None:
    """Let commands in this process use the sandbox's login."""
    monkeypatch.setenv("KITE_API_KEY", server.api_key)
    monkeypatch.setenv("KITE_ACCESS_TOKEN", server.access_token)
