"""From the journal of a run to its figures, in one call."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from analyzers.arms import ArmsResult, judge_arms
from analyzers.costs import at_todays_charges
from analyzers.equity import equity_frame
from analyzers.fingerprint import trades_fingerprint
from analyzers.luck import random_entry_figures, sharpe_figures
from analyzers.metrics import Metrics, compute_metrics
from analyzers.settings import ReportSettings
from analyzers.trades import trades_frame
from analyzers.verdict import EdgeVerdict, judge_edge
from brokers.charges import OrderCharges
from brokers.journal import Journal

__all__ = ["Analysis", "Booked", "analyze", "judged"]


class Booked(NamedTuple):
    """Trades and equity of a run, as from :mod:`analyzers.trades` and :mod:`analyzers.equity`."""

    trades: pd.DataFrame
    equity: pd.DataFrame


class Analysis(NamedTuple):
    """What follows from a journal; the fields carry the names of :class:`analyzers.result.RunResult`."""

    trades: pd.DataFrame
    equity: pd.DataFrame
    metrics: Metrics
    metrics_today: Metrics
    today_rates_date: dt.date
    verdict: EdgeVerdict
    fingerprint: str
    arms: ArmsResult | None


def analyze(
    journal: Journal,
    bars: pd.DataFrame,
    starting_cash: float,
    *,
    plan: OrderCharges,
    today_rates_date: dt.date,
    largest_order_today: float = math.inf,
    trials: Sequence[float | None] = (),
    settings: ReportSettings | None = None,
    arms: Sequence[str] = (),
) -> Analysis:
    """Return trades, equity, metrics (as charged and at one day's rates), verdict and fingerprint.

    Parameters
    ----------
    journal : Journal
        Of a finished run.
    bars : pandas.DataFrame
        The bar frame of the run.
    starting_cash : float
        Rupees before the first bar.
    plan : OrderCharges
        The broker's charges, for the result at today's rates.
    today_rates_date : datetime.date
        Day whose rates these are.
    largest_order_today : float
        Units above which an order goes in slices today.
    trials : sequence of float or None
        Annualised Sharpe ratios of the trials before this run, None where there is none.
    settings : ReportSettings, optional
        Confidence and minima of the verdict; the defaults when left out.
    arms : sequence of str
        The arms that share the account, where there are any.
    """
    chosen = settings or ReportSettings()
    recharged = at_todays_charges(journal.fills, plan, today_rates_date, largest_order_today)
    charged, today = (
        Booked(trades_frame(fills, journal.contexts, bars), equity_frame(fills, bars, starting_cash))
        for fills in (journal.fills, recharged)
    )
    luck = random_entry_figures(charged.trades, bars, chosen)
    return judged(
        charged, today, starting_cash, luck=luck, today_rates_date=today_rates_date, trials=trials,
        chosen=chosen, arms=arms,
    )  # fmt: skip


def judged(
    charged: Booked,
    today: Booked,
    starting_cash: float,
    *,
    luck: Metrics,
    today_rates_date: dt.date,
    trials: Sequence[float | None],
    chosen: ReportSettings,
    arms: Sequence[str],
) -> Analysis:
    """Return the figures of what was booked; the parameters are those of :func:`analyze`.

    Parameters
    ----------
    charged, today : Booked
        As charged on the day, and at the rates of ``today_rates_date``.
    luck : dict
        As from :func:`analyzers.luck.random_entry_figures`: before costs, so the same at any charges.
    """
    trades, equity = charged
    metrics = compute_metrics(trades, equity, starting_cash, trials)
    metrics_today = compute_metrics(today.trades, today.equity, starting_cash, trials)
    metrics |= luck | sharpe_figures(equity, starting_cash, chosen)
    metrics_today |= luck | sharpe_figures(today.equity, starting_cash, chosen)
    verdict = judge_edge(
        trades,
        metrics,
        confidence_percent=chosen.confidence_percent,
        minimum_trades=chosen.minimum_trades,
        minimum_sessions=chosen.minimum_sessions,
        samples=chosen.bootstrap_samples,
        metrics_today=metrics_today,
    )
    return Analysis(
        trades,
        equity,
        metrics,
        metrics_today,
        today_rates_date,
        verdict,
        trades_fingerprint(trades),
        judge_arms(trades, arms, chosen),
    )
