"""A whole backtest: bars, model, run, analysis, files."""

from __future__ import annotations

from dataclasses import replace

from analyzers.result import RunResult
from analyzers.writer import check_output_folder, write_run
from feeds.settings import make_calendar
from ml.registry import ModelRegistry
from strategies.arm_models import prepare_models
from strategies.assumptions import assumptions
from strategies.backtest_request import BacktestRequest, StageTimes
from strategies.checks import check_before_loading
from strategies.loading import RunBars, load_run_bars
from strategies.modelling import PreparedModel, trial_id
from strategies.outcome import BacktestOutcome
from strategies.plugins import models_of
from strategies.progress import ProgressReporter
from strategies.run_warnings import run_warnings
from strategies.settings import Settings
from strategies.several_backtest import run_several
from strategies.simulation import Simulation, prepare_simulation
from strategies.why import explained_trades

__all__ = ["BacktestRequest", "run_backtest"]


def run_backtest(request: BacktestRequest, progress: ProgressReporter) -> BacktestOutcome:
    """Run a backtest and write its folder.

    Raises
    ------
    MuhuratError
        Anything the user can mend: settings, bars, models, the folder to write to.
    """
    settings = request.settings
    check_output_folder(request.folder("new"))
    if settings.market.instruments:
        return run_several(request, progress)
    check_before_loading(settings, request.model)
    timing = StageTimes(progress)
    calendar = make_calendar(settings.market)
    with timing.stage("load"):
        bars = load_run_bars(settings, calendar, first=request.first, last=request.last)
    model = None
    if models_of(settings.strategy):
        with timing.stage("train"):
            model = prepare_models(
                settings, bars, request.model, now=request.clock.now(), on_progress=progress.advance
            )
    simulation = prepare_simulation(
        settings,
        calendar,
        bars.frame,
        predictor=model.predictor if model else None,
        counts_from=model.judges_from if model else None,
        minutes=bars.minutes,
    )
    with timing.stage("run"):
        simulation.run(lambda done: progress.advance(done, simulation.bars))
    timing.seconds["bars_per_second"] = simulation.bars / timing.seconds["run"]
    with timing.stage("analyse"):
        result = _result(request, bars, model, simulation)
    with timing.stage("write"):
        out_dir = request.folder(result.fingerprint)
        write_run(replace(result, timing=timing.rounded()), out_dir, settings.report)
    return BacktestOutcome(result, out_dir)


def _result(
    request: BacktestRequest, bars: RunBars, model: PreparedModel | None, simulation: Simulation
) -> RunResult:
    settings = request.settings
    earlier, identity = _earlier_trials(request, bars)
    journal, frame, analysis, gate = simulation.analyse(earlier)
    predictor = None if model is None else model.predictor
    analysis = analysis._replace(trades=explained_trades(analysis.trades, predictor, bars.frame))
    _record_trial(settings, bars, identity, analysis.metrics["sharpe"])
    return RunResult(
        **analysis._asdict(),
        instrument=settings.market.instrument,
        strategy=settings.strategy.name,
        bars=frame,
        bar_minutes=settings.data.bar_minutes,
        events=journal.events,
        starting_cash=settings.broker.starting_cash,
        settings=settings.model_dump(mode="json"),
        data=bars.info | {"traded_from": frame.index[0].isoformat(), "traded_bars": len(frame)},
        model=None if model is None else model.info | {"trials": len(earlier) + 1},
        windows=[] if model is None else model.windows,
        risk_rules=[(rule.name, rule.describe()) for rule in gate.rules],
        assumptions=assumptions(settings),
        rejects=bars.rejects,
        warnings=run_warnings(bars, journal, settings.market.instrument),
    )


def _earlier_trials(request: BacktestRequest, bars: RunBars) -> tuple[list[float | None], str]:
    """Return the Sharpe ratios of the other trials on the same data, and what identifies this one."""
    identity = trial_id(request.settings, bars, request.model)
    return ModelRegistry(request.settings.ml.registry).sharpes(bars.info["sha256"], but=identity), identity


def _record_trial(settings: Settings, bars: RunBars, identity: str, sharpe: object) -> None:
    trial = {
        "id": identity,
        "data": bars.info["sha256"],
        "strategy": settings.strategy.name,
        "sharpe": sharpe,
    }
    ModelRegistry(settings.ml.registry).record_trial(trial)
