"""Everything that is known of a finished run; what the writer writes and the report shows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from analyzers.arms import ArmsResult
from analyzers.metrics import Metrics
from analyzers.verdict import EdgeVerdict
from brokers.journal import OrderEvent

__all__ = ["RunResult"]


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """A finished run.

    Attributes
    ----------
    instrument, strategy : str
        Names as in the settings.
    bars : pandas.DataFrame
        The bar frame that was traded: stamps = START of the bar, Asia/Kolkata.
    bar_minutes : int
        Length of a bar.
    trades, equity : pandas.DataFrame
        As from :func:`analyzers.trades.trades_frame` and :func:`analyzers.equity.equity_frame`.
    events : sequence of OrderEvent
        Every change of every order, in order of time.
    starting_cash : float
        Rupees.
    metrics, metrics_today : mapping
        As from :func:`analyzers.metrics.compute_metrics`; the second with every order charged at
        the rates of ``today_rates_date``.
    today_rates_date : datetime.date
        Day whose rates "today's charges" are: the newest in the table of charges.
    verdict : EdgeVerdict
        Whether the trades support an edge.
    arms : ArmsResult or None
        What each arm earned, where several share the account.
    settings : mapping
        The effective settings by section, secrets masked.
    data : mapping
        ``source`` (str), ``sha256`` (str), ``first`` and ``last`` (ISO times of the first and the last bar),
        ``bars``, ``sessions``, ``rejects`` (counts), ``missing_sessions`` (list of ISO dates),
        ``synthetic`` (bool); more keys are shown as they come.
    model : mapping or None
        What the models were: ``name``, ``features`` (list of str), ``label``, ``split``, ``trials`` (int) and
        whatever else; None where the strategy asks no model.
    windows : sequence of mapping
        One for each walk-forward window: ``train_first``, ``train_last``, ``test_first``, ``test_last`` (ISO
        times), ``rows_train``, ``rows_test``, ``accuracy``, ``log_loss``, ``brier``, ``confusion`` (3×3
        counts, rows = truth, columns = prediction, order −1, 0, 1), ``calibration`` (list of mappings
        ``predicted``, ``observed``, ``count``; probabilities from 0 to 1), ``importance`` (feature → share).
        Keys that are absent are not shown.
    risk_rules : sequence of (str, str)
        Name and one-line description of every rule that was on; denials and reductions are counted from
        ``events``.
    assumptions : sequence of str
        Sentences: how orders fill, what costs are, what is left out.
    timing : mapping
        Seconds by stage, and ``bars_per_second``.
    rejects : pandas.DataFrame or None
        Bars of the source that were left out, with their ``reason``; written beside the trades.
    fingerprint : str
        As from :func:`analyzers.fingerprint.trades_fingerprint`.
    warnings : sequence of str
        What the reader has to know before trusting the result.
    parts : mapping
        Where several instruments were traded on one account: what is known of each, by name, with the whole
        account's cash at its start. ``bars`` of the whole are empty then, ``windows`` are those of the parts.
    shares : pandas.DataFrame or None
        The parts of the cash by period, where it was shared out.
    """

    instrument: str
    strategy: str
    bars: pd.DataFrame
    bar_minutes: int
    trades: pd.DataFrame
    equity: pd.DataFrame
    events: Sequence[OrderEvent]
    starting_cash: float
    metrics: Metrics
    metrics_today: Metrics
    today_rates_date: dt.date
    verdict: EdgeVerdict
    settings: Mapping[str, Any]
    data: Mapping[str, Any]
    model: Mapping[str, Any] | None = None
    windows: Sequence[Mapping[str, Any]] = ()
    risk_rules: Sequence[tuple[str, str]] = ()
    assumptions: Sequence[str] = ()
    timing: Mapping[str, float] = field(default_factory=dict)
    rejects: pd.DataFrame | None = None
    fingerprint: str = ""
    warnings: Sequence[str] = ()
    arms: ArmsResult | None = None
    parts: Mapping[str, RunResult] = field(default_factory=dict)
    shares: pd.DataFrame | None = None

    @property
    def synthetic(self) -> bool:
        """Whether the bars are made up."""
        return bool(self.data.get("synthetic", False))

    @property
    def title(self) -> str:
        """What the run is called on its pages."""
        return f"{self.instrument} · {self.strategy} · {self.bar_minutes}-minute bars"
