"""All leakage checks over what the settings describe: features, labels, splits, training, trading."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from feeds.calendar import TradingCalendar
from feeds.errors import DataError
from ml.factory import make_labels, make_splitter, train
from ml.features import FeatureSet
from ml.leakage.features import WarmUp, check_future, check_warm_up
from ml.leakage.finding import Finding
from ml.leakage.fitting import check_fitting
from ml.leakage.overlap import check_overlap
from ml.leakage.target import check_target
from ml.purged import CombinatorialPurgedSplit, PurgedKFold
from ml.splits import Splitter
from ml.train import WalkForward
from strategies.arm_predictors import AnyPredictor, ArmPredictors
from strategies.leakage import check_decisions, check_fills, simulate_with
from strategies.leakage_start import check_live_start
from strategies.plugins import models_of
from strategies.settings import Settings
from strategies.trade_cost import choosing_cost
from strategies.warm_up import live_warmup_bars

__all__ = ["Check", "LeakageReport", "run_leakage_checks"]

_FUTURE_SESSIONS = 60
_TRADED_BARS = 4000


class Check(NamedTuple):
    """One check that was made: its name, what it looked at, in words, and how many findings it had."""

    name: str
    looked_at: str
    findings: int


class LeakageReport(NamedTuple):
    """What was checked and what was found.

    Attributes
    ----------
    checks : list of Check
        In the order in which they were made.
    findings : list of Finding
        Empty where nothing leaks.
    warm_ups : list of WarmUp
        Of every feature.
    """

    checks: list[Check]
    findings: list[Finding]
    warm_ups: list[WarmUp]


def run_leakage_checks(
    settings: Settings,
    frame: pd.DataFrame,
    calendar: TradingCalendar,
    features: Sequence[str] | None = None,
    on_check: Callable[[str], None] = lambda _: None,
) -> LeakageReport:
    """Check features, labels, splits, training, decisions and fills for knowledge of the future.

    Parameters
    ----------
    settings : Settings
        The pipeline.
    frame : pandas.DataFrame
        A bar frame of ``settings.data.bar_minutes``, longer than a training window.
    calendar : TradingCalendar
        Sessions.
    features : sequence of str, optional
        Check these features only, and nothing else; the settings' and everything after them without it.
    on_check : callable
        Told the name of each check as it begins.

    Raises
    ------
    DataError
        The frame is too short for a training and a test window.
    """
    work = _Work(frame, on_check)
    chosen = FeatureSet(features or settings.ml.features, allow_levels=features is not None)
    labels = make_labels(frame, settings.ml.label)
    some = frame.iloc[-_first_bars(frame, _FUTURE_SESSIONS) :]
    count = f"{len(chosen.features)} features"
    work.check("future", f"{count}, {len(some):,} bars", lambda: check_future(chosen.features, some))
    warm_ups: list[WarmUp] = []

    def warm_up() -> list[Finding]:
        findings, found = check_warm_up(chosen.features, frame)
        warm_ups.extend(found)
        return findings

    work.check("warm-up", count, warm_up)
    matrix = chosen.compute(frame)
    work.check(
        "target", f"{count} alone against the label", lambda: check_target(chosen.names, matrix, labels)
    )
    if features is None:
        _check_pipeline(work, settings, frame, calendar)
    return LeakageReport(work.checks, work.findings, warm_ups)


def _check_pipeline(work: _Work, settings: Settings, frame: pd.DataFrame, calendar: TradingCalendar) -> None:
    ml, embargo = settings.ml, settings.ml.split.embargo_bars
    labels = make_labels(frame, ml.label)
    splitters: dict[str, Splitter] = {
        "walk-forward": make_splitter(ml.split, "walkforward"),
        "chronological": make_splitter(ml.split, "chronological"),
        "purged folds": PurgedKFold(5, embargo),
        "combinatorial": CombinatorialPurgedSplit(6, 2, embargo),
    }
    for name, splitter in splitters.items():
        overlap = partial(check_overlap, name, splitter, frame, labels, embargo)
        work.check("overlap", f"every split of {name}", overlap)
    window = frame.iloc[: _first_window(settings, frame)]

    def learn(bars: pd.DataFrame) -> WalkForward:
        return train(bars, ml, cost_bps=choosing_cost(settings, bars))

    work.check(
        "fitting",
        f"scaler, trees, stopping, thresholds of a window of {len(window):,} bars",
        lambda: check_fitting(learn, window),
    )
    _check_trading(work, settings, window, calendar, learn(window))


def _check_trading(
    work: _Work, settings: Settings, window: pd.DataFrame, calendar: TradingCalendar, trained: WalkForward
) -> None:
    begin = int(window.index.searchsorted(pd.Timestamp(trained.windows[0].test_first)))
    predictor = _asked_by(settings, trained)
    warmup = live_warmup_bars(settings, predictor)
    traded = window.iloc[max(0, begin - warmup) :].iloc[: warmup + _TRADED_BARS]
    simulate = simulate_with(settings, calendar, predictor)
    recorded = simulate(traded)
    what = f"{settings.strategy.name}, {len(traded):,} bars, {len(recorded.fills)} fills"
    decisions = partial(check_decisions, simulate, traded, recorded, warmup_bars=warmup)
    work.check("decision", what, decisions)
    start = partial(check_live_start, simulate, traded, recorded, warmup_bars=warmup)
    work.check("live start", f"{settings.strategy.name}, a session that {warmup} bars come before", start)
    work.check("fill", what, lambda: check_fills(recorded, traded))


def _asked_by(settings: Settings, trained: WalkForward) -> AnyPredictor | None:
    """Return the trained model as the strategy asks it; every arm of several gets the same."""
    arms = models_of(settings.strategy)
    if not arms or "" in arms:
        return trained.predictor if arms else None
    return ArmPredictors(dict.fromkeys(arms, trained.predictor), trained.windows[0].test_first)


class _Work:
    """Collects what the checks say."""

    def __init__(self, frame: pd.DataFrame, on_check: Callable[[str], None]) -> None:
        if len(frame) == 0:
            raise DataError("found no bars to check, expected months of them; give --data")
        self.checks: list[Check] = []
        self.findings: list[Finding] = []
        self._on_check = on_check

    def check(self, name: str, looked_at: str, work: Callable[[], list[Finding]]) -> None:
        self._on_check(f"{name}: {looked_at}")
        found = work()
        self.checks.append(Check(name, looked_at, len(found)))
        self.findings.extend(found)


def _first_bars(frame: pd.DataFrame, sessions: int) -> int:
    """Return how many bars the newest ``sessions`` have."""
    days = pd.DatetimeIndex(frame.index).tz_localize(None).normalize()
    firsts = np.flatnonzero(np.append(True, days[1:] != days[:-1]))
    return int(len(frame) - firsts[-sessions:][0])


def _first_window(settings: Settings, frame: pd.DataFrame) -> int:
    """Return the position after the first walk-forward window's last test bar."""
    _, test = next(iter(make_splitter(settings.ml.split, "walkforward").split(frame)))
    return int(test[-1]) + 1
