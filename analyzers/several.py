"""Trades and equity of several instruments on one account, together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from analyzers.analysis import Analysis, Booked, judged
from analyzers.costs import at_todays_charges
from analyzers.equity import equity_frame
from analyzers.luck import figures_of_odds, several_odds
from analyzers.settings import ReportSettings
from analyzers.trades import trades_frame
from brokers.charges import OrderCharges
from brokers.journal import Fill, Journal

__all__ = ["InstrumentJournal", "analyze_several", "joined_equity", "joined_trades"]


class InstrumentJournal(NamedTuple):
    """What happened in one instrument.

    Attributes
    ----------
    journal : Journal
        Its fills, events and decisions; ``Fill.bar`` counts the rows of ``bars``.
    bars : pandas.DataFrame
        Its bar frame.
    largest_order_today : float
        Units above which an order goes in slices today.
    """

    journal: Journal
    bars: pd.DataFrame
    largest_order_today: float


def analyze_several(
    runs: Mapping[str, InstrumentJournal],
    starting_cash: float,
    *,
    plan: OrderCharges,
    today_rates_date: dt.date,
    trials: Sequence[float | None] = (),
    settings: ReportSettings | None = None,
    arms: Sequence[str] = (),
) -> Analysis:
    """Return the figures of the whole account; further parameters as of :func:`analyzers.analysis.analyze`.

    Parameters
    ----------
    runs : mapping
        By instrument, in the order of the settings.
    starting_cash : float
        Rupees of the account before the first bar of any.
    """
    chosen = settings or ReportSettings()
    recharged = {
        name: at_todays_charges(run.journal.fills, plan, today_rates_date, run.largest_order_today)
        for name, run in runs.items()
    }
    charged = _booked(runs, {name: run.journal.fills for name, run in runs.items()}, starting_cash)
    today = _booked(runs, recharged, starting_cash)
    bars = {name: run.bars for name, run in runs.items()}
    luck = figures_of_odds(several_odds(charged.trades, bars, chosen.bootstrap_samples))
    return judged(
        charged, today, starting_cash, luck=luck, today_rates_date=today_rates_date, trials=trials,
        chosen=chosen, arms=arms,
    )  # fmt: skip


def _booked(
    runs: Mapping[str, InstrumentJournal], fills: Mapping[str, Sequence[Fill]], starting_cash: float
) -> Booked:
    trades = [trades_frame(fills[name], run.journal.contexts, run.bars) for name, run in runs.items()]
    equity = {name: equity_frame(fills[name], run.bars, 0.0) for name, run in runs.items()}
    return Booked(joined_trades(trades), joined_equity(equity, starting_cash))


def joined_trades(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the trades of all frames in the order of entry; at the same moment, in that of the frames.

    Parameters
    ----------
    frames : sequence of pandas.DataFrame
        As from :func:`analyzers.trades.trades_frame`.
    """
    held = [frame for frame in frames if len(frame)]
    if not held:
        return frames[0]
    joined = pd.concat(held, ignore_index=True)
    return joined.sort_values("entry_time", kind="stable", ignore_index=True)


def joined_equity(frames: Mapping[str, pd.DataFrame], starting_cash: float) -> pd.DataFrame:
    """Return the account of several instruments at every bar of any of them.

    Parameters
    ----------
    frames : mapping
        By instrument, as from :func:`analyzers.equity.equity_frame` with a starting cash of 0: its profit.
    starting_cash : float
        Rupees before the first bar.

    Returns
    -------
    pandas.DataFrame
        Index: START of the bar, Asia/Kolkata, of every bar that any instrument had. ``cash`` and ``value`` in
        rupees as in :func:`analyzers.equity.equity_frame`; ``position`` is the number of instruments held;
        ``<NAME>_profit`` (rupees, realised and open) and ``<NAME>_position`` (units) for each. An instrument
        without a bar at that time stands as at its last one.
    """
    index = pd.DatetimeIndex(pd.concat(list(frames.values())).index).unique().sort_values()
    joined = pd.DataFrame(index=index.rename("datetime"))
    cash, value, held = np.full(len(joined), float(starting_cash)), np.zeros(len(joined)), 0
    apart: dict[str, np.ndarray] = {}
    for name, frame in frames.items():
        latest = frame.reindex(joined.index, method="ffill").fillna(0.0)
        cash = cash + latest["cash"].to_numpy()
        value = value + (latest["value"] - latest["cash"]).to_numpy()
        held = held + (latest["position"].to_numpy() != 0.0)
        apart |= {
            f"{name}_profit": latest["value"].to_numpy(),
            f"{name}_position": latest["position"].to_numpy(),
        }
    return joined.assign(cash=cash, value=cash + value, position=held, **apart)
