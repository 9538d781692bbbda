"""A sound entry and a quiet account, from which the tests of the rules deviate in one point each."""

from __future__ import annotations

import datetime as dt

from brokers.risk.rule import AccountState, EntryRequest

NOON = dt.datetime(2026, 6, 1, 12, 0)  # noqa: DTZ001 # the gate speaks the exchange's wall clock

ENTRY = EntryRequest(
    time=NOON,
    instrument="NIFTY",
    size=130.0,
    price=25_000.0,
    stop_price=24_950.0,
    target_price=25_075.0,
    lot=65,
    margin_per_unit=3_750.0,
    volatility=20.0,
    bar_complete=True,
    data_age_seconds=0.0,
    model_age_days=30.0,
    tick=0.05,
    largest_order=1_755.0,
)


def account(**changes):
    """Return a quiet account of a million rupees with some of its counters changed."""
    values = {"day": NOON.date(), "cash": 1_000_000.0, "day_start_equity": 1_000_000.0, **changes}
    return AccountState(**values)
