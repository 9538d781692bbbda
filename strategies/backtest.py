"""A whole backtest: bars, model, run, analysis, files."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from analyzers.analysis import analyze
from analyzers.result import RunResult
from analyzers.writer import check_output_folder, write_run
from brokers.charges import latest_date
from brokers.journal import Journal
from brokers.settings import make_charges
from feeds.calendar import TradingCalendar
from feeds.clock import Clock, WallClock
from feeds.errors import DataError
from feeds.settings import make_calendar
from feeds.terms import DatedTerms
from ml.registry import ModelRegistry
from strategies.assembly import Assembled, assemble_backtest
from strategies.assumptions import assumptions
from strategies.checks import check_before_loading
from strategies.loading import RunBars, load_run_bars
from strategies.modelling import PreparedModel, prepare_model, trial_id
from strategies.outcome import BacktestOutcome
from strategies.plugins import load_strategy
from strategies.progress import ProgressReporter
from strategies.run_warnings import run_warnings
from strategies.settings import Settings

__all__ = ["BacktestRequest", "run_backtest"]


@dataclass(frozen=True, kw_only=True)
class BacktestRequest:
    """What to backtest.

    Attributes
    ----------
    settings : Settings
        Everything that has a name in the settings.
    model : str
        ``walkforward``, ``train`` or a stored version; the first for strategies that ask no model.
    first, last : datetime.date or None
        Days to use, both included.
    out_dir : pathlib.Path or None
        Where the results go; None for ``runs/<time>-<fingerprint>``.
    clock : Clock
        Names the folder and dates a stored model.
    """

    settings: Settings
    model: str = "walkforward"
    first: dt.date | None = None
    last: dt.date | None = None
    out_dir: Path | None = None
    clock: Clock = field(default_factory=WallClock)


def run_backtest(request: BacktestRequest, progress: ProgressReporter) -> BacktestOutcome:
    """Run a backtest and write its folder.

    Raises
    ------
    MuhuratError
        Anything the user can mend: settings, bars, models, the folder to write to.
    """
    settings = request.settings
    check_output_folder(request.out_dir or _default_folder(request.clock, "new"))
    check_before_loading(settings, request.model)
    strategy = load_strategy(settings.strategy.name)
    timing = _Timing(progress)
    calendar = make_calendar(settings.market)
    with timing.stage("load"):
        bars = load_run_bars(settings, calendar, first=request.first, last=request.last)
    model = None
    if strategy.needs_model:
        with timing.stage("train"):
            model = prepare_model(
                settings, bars, request.model, now=request.clock.now(), on_progress=progress.advance
            )
    traded = _traded_bars(bars, model)
    with timing.stage("run"):
        assembled = assemble_backtest(
            settings,
            traded.frame,
            calendar,
            predictor=model.predictor if model else None,
            minutes=bars.minutes,
            on_progress=lambda done: progress.advance(done, len(traded.frame)),
        )
        assembled.engine.run()
    timing.seconds["bars_per_second"] = len(traded.frame) / timing.seconds["run"]
    with timing.stage("analyse"):
        result = _analyse(request, calendar, bars, model, traded, assembled)
    with timing.stage("write"):
        out_dir = request.out_dir or _default_folder(request.clock, result.fingerprint)
        seconds = {name: round(value, 3) for name, value in timing.seconds.items()}
        write_run(replace(result, timing=seconds), out_dir, settings.report)
    return BacktestOutcome(result, out_dir)


class _Traded(NamedTuple):
    """Bars the engine runs on: warm-up first, then the bars that count.

    ``first`` is the position of the first bar that counts.
    """

    frame: pd.DataFrame
    first: int


def _traded_bars(bars: RunBars, model: PreparedModel | None) -> _Traded:
    """Cut off what the models were trained on, but for the warm-up of the features."""
    if model is None:
        return _Traded(bars.frame, 0)
    begin = int(bars.frame.index.searchsorted(pd.Timestamp(model.judges_from)))
    if begin == len(bars.frame):
        raise DataError("no bar is left to trade after the training window; give more bars")
    warmup = min(begin, model.predictor.warmup_bars)
    return _Traded(bars.frame.iloc[begin - warmup :], warmup)


def _analyse(
    request: BacktestRequest,
    calendar: TradingCalendar,
    bars: RunBars,
    model: PreparedModel | None,
    traded: _Traded,
    assembled: Assembled,
) -> RunResult:
    settings = request.settings
    cash = settings.broker.starting_cash
    journal = _counted(assembled.journal, traded.first)
    frame = traded.frame.iloc[traded.first :]
    earlier, identity = _earlier_trials(request, bars)
    today = latest_date()
    analysis = analyze(
        journal,
        frame,
        cash,
        plan=make_charges(settings.broker),
        today_rates_date=today,
        largest_order_today=DatedTerms(settings.market, calendar)(today).largest_order,
        trials=earlier,
        settings=settings.report,
    )
    _record_trial(settings, bars, identity, analysis.metrics["sharpe"])
    return RunResult(
        **analysis._asdict(),
        instrument=settings.market.instrument,
        strategy=settings.strategy.name,
        bars=frame,
        bar_minutes=settings.data.bar_minutes,
        events=journal.events,
        starting_cash=cash,
        settings=settings.model_dump(mode="json"),
        data=bars.info | {"traded_from": frame.index[0].isoformat(), "traded_bars": len(frame)},
        model=None if model is None else model.info | {"trials": len(earlier) + 1},
        windows=[] if model is None else model.windows,
        risk_rules=[(rule.name, rule.describe()) for rule in assembled.broker.gate.rules],
        assumptions=assumptions(settings),
        rejects=bars.rejects,
        warnings=run_warnings(bars, journal, settings.market.instrument),
    )


def _counted(journal: Journal, first: int) -> Journal:
    """Return the journal with its bars numbered from the first bar that counts."""
    counted = Journal()
    counted.fills = [fill._replace(bar=fill.bar - first) for fill in journal.fills]
    counted.events, counted.contexts = journal.events, journal.contexts
    return counted


def _earlier_trials(request: BacktestRequest, bars: RunBars) -> tuple[list[float], str]:
    """Return the Sharpe ratios of the other trials on the same data, and what identifies this one."""
    identity = trial_id(request.settings, bars, request.model)
    trials = ModelRegistry(request.settings.ml.registry).trials()
    latest = {trial.get("id"): trial for trial in trials if trial.get("data") == bars.info["sha256"]}
    latest.pop(identity, None)
    return [float(trial["sharpe"]) for trial in latest.values() if trial.get("sharpe") is not None], identity


def _record_trial(settings: Settings, bars: RunBars, identity: str, sharpe: object) -> None:
    trial = {
        "id": identity,
        "data": bars.info["sha256"],
        "strategy": settings.strategy.name,
        "sharpe": sharpe,
    }
    ModelRegistry(settings.ml.registry).record_trial(trial)


def _default_folder(clock: Clock, fingerprint: str) -> Path:
    return Path("runs") / f"{clock.now():%Y%m%d-%H%M%S}-{fingerprint[:8]}"


class _Timing:
    """Seconds by stage."""

    def __init__(self, progress: ProgressReporter) -> None:
        self._progress = progress
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self._progress.stage(name)
        started = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - started
