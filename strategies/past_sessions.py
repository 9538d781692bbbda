"""Sessions of the past at the start of a live day: what correlations and shares are worked out from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from brokers.broker_store import BrokerStore
from brokers.instrument import Instrument
from feeds.clock import IST
from feeds.errors import DataError
from strategies.session_returns import session_returns
from strategies.settings import Settings

__all__ = ["RETURNS_FILE", "past_returns", "read_returns", "sessions_needed"]

RETURNS_FILE = "session_returns.csv"
"""In the folder of a day of several instruments, where they were needed."""

_DAYS_A_SESSION = 1.6
_SPARE_DAYS = 14  # holidays, and the days since a period of shares began
_BY_RETURNS = ("inverse_volatility", "risk_parity", "mean_variance")


def sessions_needed(settings: Settings) -> dict[str, int]:
    """Return how many past sessions are needed, by the setting that needs them."""
    allocation, limits = settings.strategy.allocation, settings.risk.account
    needed = {}
    if limits.max_correlation is not None:
        needed["risk.account.correlation_sessions"] = limits.correlation_sessions
    if allocation.kind in _BY_RETURNS:
        needed["strategy.allocation.sessions"] = allocation.sessions
    return needed


def past_returns(
    store: BrokerStore,
    instruments: Mapping[str, Instrument],
    day: dt.date,
    needed: Mapping[str, int],
    folder: Path,
) -> pd.DataFrame:
    """Ask the broker for the sessions before a day, and keep their returns beside the day's files.

    Parameters
    ----------
    store : BrokerStore
        Knows the past of today's contracts.
    instruments : mapping
        By name.
    day : datetime.date
        The trading day.
    needed : mapping
        As from :func:`sessions_needed`.
    folder : pathlib.Path
        Of the day.

    Returns
    -------
    pandas.DataFrame
        As from :func:`strategies.session_returns.session_returns`.

    Raises
    ------
    BrokerError, DataError
        It cannot be asked, or there are fewer sessions than are needed: then no order is sent.
    """
    days = int(max(needed.values()) * _DAYS_A_SESSION) + _SPARE_DAYS
    first = dt.datetime.combine(day - dt.timedelta(days=days), dt.time(), IST)
    last = dt.datetime.combine(day, dt.time(), IST) - dt.timedelta(minutes=1)
    frames = {name: store.history(one).minutes(first, last) for name, one in instruments.items()}
    returns = session_returns(frames)
    found = len(returns.dropna())
    for setting, sessions in needed.items():
        if found < sessions:
            symbols = ", ".join(one.symbol for one in instruments.values())
            raise DataError(
                f"found {found} sessions before {day} that {symbols} all have at {store.name}, expected "
                f"{sessions} ({setting}); ask for fewer: a contract is listed for about 60"
            )
    returns.to_csv(folder / RETURNS_FILE, lineterminator="\n")
    return returns


def read_returns(folder: Path) -> pd.DataFrame | None:
    """Return what :func:`past_returns` kept; None where nothing was needed."""
    path = folder / RETURNS_FILE
    return pd.read_csv(path, index_col=0, parse_dates=True) if path.exists() else None
