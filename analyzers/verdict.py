"""Whether the trades support the belief in an edge, in one line and with the reason."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from analyzers.figures import percent, rupees
from analyzers.metrics import Metrics
from ml.significance import SessionBootstrap

__all__ = ["EdgeVerdict", "judge_edge"]

SUSPICIOUS_SHARPE = 1.0  # a net Sharpe above this, from trades of minutes, is an error until shown otherwise


class EdgeVerdict(NamedTuple):
    """What the trades say about an edge.

    Attributes
    ----------
    label : {'edge supported', 'edge not supported', 'too few trades'}
        The verdict.
    reason : str
        One or two sentences with the figures behind it.
    caution : str
        What to check before believing it; empty when there is nothing.
    net_per_trade, net_low, net_high : float or None
        Mean net profit per trade and its confidence interval, rupees.
    gross_per_trade, gross_low, gross_high : float or None
        The same before slippage and charges.
    confidence_percent : float
        Of both intervals.
    """

    label: Literal["edge supported", "edge not supported", "too few trades"]
    reason: str
    caution: str = ""
    net_per_trade: float | None = None
    net_low: float | None = None
    net_high: float | None = None
    gross_per_trade: float | None = None
    gross_low: float | None = None
    gross_high: float | None = None
    confidence_percent: float = 95.0


def judge_edge(
    trades: pd.DataFrame,
    metrics: Metrics,
    *,
    confidence_percent: float = 95.0,
    minimum_trades: int = 30,
    minimum_sessions: int = 20,
    samples: int = 2000,
    seed: int = 0,
    metrics_today: Metrics | None = None,
) -> EdgeVerdict:
    """Judge a run.

    An edge is supported when the interval of the net profit per trade lies above zero AND the deflated Sharpe
    ratio, which knows how many trials there were, reaches the same confidence AND entries at random did as
    well before costs more rarely than the confidence leaves room for (``random_entry_p`` of the metrics;
    where it is absent, nobody asked). The interval is a bootstrap over whole sessions: trades of one day
    share its weather, so they are drawn together.

    Parameters
    ----------
    trades, metrics
        As from :func:`analyzers.trades.trades_frame` and :func:`analyzers.metrics.compute_metrics`.
    confidence_percent : float
        Two-sided, of the intervals.
    minimum_trades, minimum_sessions : int
        Below either (sessions with trades) there is no verdict.
    samples, seed : int
        Bootstrap samples and the seed of their generator; the same trades get the same verdict.
    metrics_today : dict, optional
        The metrics at today's charges: an edge that they would have eaten brings a caution.

    Returns
    -------
    EdgeVerdict
    """
    entered = trades["entry_time"].dt.tz_localize(None).dt.normalize()
    sessions = int(entered.nunique())
    if len(trades) < minimum_trades or sessions < minimum_sessions:
        return EdgeVerdict(
            "too few trades",
            f"{len(trades)} trades in {sessions} session{'' if sessions == 1 else 's'}; "
            f"at least {minimum_trades} in {minimum_sessions} "
            "are needed to tell skill from luck.",
            confidence_percent=confidence_percent,
        )
    draw = SessionBootstrap(pd.factorize(entered)[0].astype(np.int64), samples, seed)
    net = trades["net_pnl"].to_numpy(np.float64)
    gross = trades["gross_pnl"].to_numpy(np.float64)
    net_low, net_high = draw.interval(net, confidence_percent)
    gross_low, gross_high = draw.interval(gross, confidence_percent)
    deflated = metrics["deflated_sharpe"]
    odds = deflated if isinstance(deflated, float) else 0.0
    asked = metrics.get("random_entry_p")
    as_lucky = asked if isinstance(asked, float) else 0.0
    beats_random = as_lucky <= 1.0 - confidence_percent / 100.0
    supported = net_low > 0.0 and odds >= confidence_percent / 100.0 and beats_random
    interval = f"{confidence_percent:g} % interval {rupees(net_low)} to {rupees(net_high)}"
    reason = f"Net profit per trade is {rupees(net.mean())} ({interval})"
    if supported:
        reason += f", and after {_trials(metrics)} the deflated Sharpe ratio is {percent(odds)} sure."
    elif net_low > 0.0 and not beats_random:
        reason += (
            f", but {percent(as_lucky)} of random portfolios with the same hours, durations and sides did "
            f"as well before costs; at most {100.0 - confidence_percent:g} % may."
        )
    elif net_low > 0.0:
        reason += (
            f", but after {_trials(metrics)} the deflated Sharpe ratio is only {percent(odds)} sure; "
            f"{confidence_percent:g} % are needed."
        )
    else:
        before_costs = (float(gross.mean()), gross_low, gross_high)
        reason += ". " + _why_not(before_costs, (gross - net).mean(), net_high, metrics)
    return EdgeVerdict(
        "edge supported" if supported else "edge not supported",
        reason,
        _caution(metrics, metrics_today if supported else None),
        float(net.mean()),
        net_low,
        net_high,
        float(gross.mean()),
        gross_low,
        gross_high,
        confidence_percent,
    )


# The first argument is mean, low and high of the gross profit per trade.
def _why_not(before_costs: tuple[float, float, float], cost: float, net_high: float, metrics: Metrics) -> str:
    gross, gross_low, gross_high = before_costs
    if gross_low > 0.0:
        # Only the net result is deflated, so a gross edge may be the luck of the best of many trials.
        unproven = "" if metrics["trials"] == 1 else f" (not corrected for {_trials(metrics)})"
        edge = f"gross edge of {rupees(gross)} per trade{unproven}"
        if gross < cost:
            return f"There is a {edge}, but costs of {rupees(cost)} eat it."
        return f"A {edge} shows, but after costs of {rupees(cost)} zero is not ruled out."
    if gross_high < 0.0:
        return f"The trades lose {rupees(-gross)} each before costs, which take another {rupees(cost)}."
    if net_high < 0.0:
        return (
            f"Gross profit of {rupees(gross)} per trade cannot be told from zero; costs take {rupees(cost)}."
        )
    return (
        f"Neither net nor gross profit ({rupees(gross)} per trade before costs of {rupees(cost)}) "
        "can be told from zero."
    )


def _caution(metrics: Metrics, metrics_today: Metrics | None) -> str:
    cautions = []
    today = metrics_today["net_pnl"] if metrics_today is not None else None
    if isinstance(today, float) and today <= 0.0:
        cautions.append(
            f"The edge is gone: at today's charges the same trades would have lost {rupees(-today)}."
        )
    sharpe = metrics["sharpe"]
    if isinstance(sharpe, float) and sharpe > SUSPICIOUS_SHARPE:
        cautions.append(
            f"A net Sharpe ratio of {sharpe:.2f} at this horizon is far more often an error than an edge: "
            "look for the future in the features, for fills that were too good, and for costs left out."
        )
    return " ".join(cautions)


def _trials(metrics: Metrics) -> str:
    count = metrics["trials"]
    return "1 trial" if count == 1 else f"{count} trials"
