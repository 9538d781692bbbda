"""A live process in the middle of a session with which all is well, as the page and the runbook see it."""

from __future__ import annotations

import datetime as dt

from analyzers.status.now import AccountNow, BrokerNow, FeedNow, Now

__all__ = ["ACCOUNT", "NOON", "WELL", "but"]

NOON = dt.datetime(2026, 9, 24, 12, 0, tzinfo=dt.UTC)
ACCOUNT = AccountNow(
    starting_cash=1e6, cash=1e6, realised_today=0.0, unrealised=0.0, entries_today=1, position=65,
    average_price=25_000.0, last_price=25_000.0, stop_price=24_950.0, target_price=25_100.0,
)  # fmt: skip
WELL = Now(
    written_at=NOON, market_time=NOON, pulse_age_seconds=0.0, process_id=1, version="1", mode="live",
    is_synthetic=False, instrument="NIFTY", symbol="NIFTY26SEPFUT", strategy="ml", phase="session",
    state="trading", why="", folder=None, account=ACCOUNT,
    feed=FeedNow(state="up", reason="", tick_age_seconds=1.0, reconnects=0),
    broker=BrokerNow(session="alive", obstacle="", unresolved=0),
)  # fmt: skip


def but(part, **changes):
    return part.model_copy(update=changes)
