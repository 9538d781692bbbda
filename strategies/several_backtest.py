"""A whole backtest of several instruments: bars and a model for each, one account, files of each and all."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from analyzers.result import RunResult
from analyzers.writer import write_run
from feeds.calendar import TradingCalendar
from feeds.settings import make_calendar
from ml.registry import ModelRegistry
from strategies.arm_models import prepare_models
from strategies.assumptions import assumptions
from strategies.backtest_request import BacktestRequest, StageTimes
from strategies.checks import check_before_loading
from strategies.loading import RunBars, load_run_bars
from strategies.modelling import PreparedModel, trial_id
from strategies.outcome import BacktestOutcome
from strategies.per_instrument import for_instrument
from strategies.plugins import models_of
from strategies.progress import ProgressReporter
from strategies.run_warnings import run_warnings
from strategies.settings import Settings
from strategies.several_simulation import SeveralSimulated, SeveralSimulation
from strategies.simulation import Simulated
from strategies.why import explained_trades

__all__ = ["run_several"]

_Models = Mapping[str, PreparedModel | None]


def run_several(request: BacktestRequest, progress: ProgressReporter) -> BacktestOutcome:
    """Run a backtest of ``market.instruments`` on one account and write its folder.

    Raises
    ------
    MuhuratError
        Anything the user can mend.
    """
    settings = request.settings
    own = {name: for_instrument(settings, name) for name in settings.market.traded}
    for one in (settings, *own.values()):
        check_before_loading(one, request.model)
    timing = StageTimes(progress)
    calendar = make_calendar(settings.market)
    with timing.stage("load"):
        bars = {
            name: load_run_bars(one, calendar, first=request.first, last=request.last)
            for name, one in own.items()
        }
    models: dict[str, PreparedModel | None] = dict.fromkeys(own)
    if models_of(settings.strategy):
        with timing.stage("train"):
            for name, one in own.items():
                models[name] = prepare_models(
                    one, bars[name], request.model, now=request.clock.now(), on_progress=progress.advance
                )
    simulation = SeveralSimulation(settings, calendar, bars, models)
    with timing.stage("run"):
        simulation.run(lambda done: progress.advance(done, simulation.bars))
    timing.seconds["bars_per_second"] = simulation.bars / timing.seconds["run"]
    with timing.stage("analyse"):
        result = _result(request, bars, models, simulation, calendar)
    with timing.stage("write"):
        out_dir = request.folder(result.fingerprint)
        write_run(replace(result, timing=timing.rounded()), out_dir, settings.report)
    return BacktestOutcome(result, out_dir)


def _result(
    request: BacktestRequest,
    bars: Mapping[str, RunBars],
    models: _Models,
    simulation: SeveralSimulation,
    calendar: TradingCalendar,
) -> RunResult:
    settings = request.settings
    registry = ModelRegistry(settings.ml.registry)
    info = _info(bars, calendar)
    identity = trial_id(settings, _pooled(bars, info), request.model)
    earlier = registry.sharpes(info["sha256"], but=identity)
    done = simulation.analyse(earlier)
    trial = {
        "id": identity,
        "data": info["sha256"],
        "strategy": settings.strategy.name,
        "sharpe": done.account.metrics["sharpe"],
    }
    registry.record_trial(trial)
    parts = {
        name: _part(for_instrument(settings, name), bars[name], models[name], one)
        for name, one in done.by_instrument.items()
    }
    traded = [part.data["traded_from"] for part in parts.values()]
    account = done.account._replace(
        trades=_joined_reasons(done.account.trades, [part.trades for part in parts.values()])
    )
    used = {name: model.info for name, model in models.items() if model is not None}
    return RunResult(
        **account._asdict(),
        instrument=" + ".join(parts),
        strategy=settings.strategy.name,
        bars=next(iter(parts.values())).bars.iloc[:0],
        bar_minutes=settings.data.bar_minutes,
        events=sorted(
            (event for part in parts.values() for event in part.events), key=lambda event: event.time
        ),
        starting_cash=settings.broker.starting_cash,
        settings=settings.model_dump(mode="json"),
        data=info
        | {"traded_from": min(traded), "traded_bars": sum(len(part.bars) for part in parts.values())},
        model=used | {"trials": len(earlier) + 1} if used else None,
        risk_rules=_risk_rules(done),
        assumptions=[*assumptions(settings), *_assumptions(settings)],
        warnings=[
            *(f"{name}: {warning}" for name, part in parts.items() for warning in part.warnings),
            *_warnings(done),
        ],
        parts=parts,
        shares=done.shares if len(done.shares) else None,
    )


def _part(settings: Settings, bars: RunBars, model: PreparedModel | None, done: Simulated) -> RunResult:
    """Return what is known of one instrument: its trades, on the cash of the whole account."""
    journal, frame, analysis, gate = done
    predictor = None if model is None else model.predictor
    analysis = analysis._replace(trades=explained_trades(analysis.trades, predictor, bars.frame))
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
        model=None if model is None else model.info,
        windows=[] if model is None else model.windows,
        risk_rules=[(rule.name, rule.describe()) for rule in gate.rules],
        assumptions=[
            *assumptions(settings),
            "The account was shared: money that other instruments made or lost is not in these figures, but "
            "entries were sized, reduced and denied by the account as it then stood.",
        ],
        rejects=bars.rejects,
        warnings=run_warnings(bars, journal, settings.market.instrument),
    )


def _info(bars: Mapping[str, RunBars], calendar: TradingCalendar) -> dict[str, Any]:
    """Return what is to be said of the bars of all: the fingerprint is that of theirs and their names."""
    infos = {name: loaded.info for name, loaded in bars.items()}
    parts = "\n".join(f"{name} {info['sha256']}" for name, info in infos.items())
    index = (
        pd.DatetimeIndex(pd.concat([loaded.frame for loaded in bars.values()]).index).unique().sort_values()
    )
    missing = calendar.missing_sessions(index)
    return {
        "source": ", ".join(f"{name}: {info['source']}" for name, info in infos.items()),
        "sha256": hashlib.sha256(parts.encode()).hexdigest(),
        "first": index[0].isoformat(),
        "last": index[-1].isoformat(),
        "bars": sum(info["bars"] for info in infos.values()),
        "sessions": int(index.tz_localize(None).normalize().nunique()),
        "rejects": sum(info["rejects"] for info in infos.values()),
        "missing_sessions": [session.date.isoformat() for session in missing],
        "synthetic": any(info["synthetic"] for info in infos.values()),
        "instruments": infos,
    }


def _pooled(bars: Mapping[str, RunBars], info: dict[str, Any]) -> RunBars:
    first = next(iter(bars.values()))
    return RunBars(first.frame, None, first.rejects, info)


def _joined_reasons(trades: pd.DataFrame, explained: list[pd.DataFrame]) -> pd.DataFrame:
    why = {
        number: words
        for part in explained
        for number, words in zip(part["trade_id"], part["why"], strict=True)
    }
    return trades.assign(why=trades["trade_id"].map(why).astype("object"))


def _risk_rules(done: SeveralSimulated) -> list[tuple[str, str]]:
    gate = next(iter(done.by_instrument.values())).gate
    account = [] if gate.seat is None else gate.seat.account.describe()
    return [(rule.name, f"each: {rule.describe()}") for rule in gate.rules] + account


def _assumptions(settings: Settings) -> list[str]:
    names = ", ".join(settings.market.traded)
    kind = settings.strategy.allocation.kind.replace("_", " ")
    return [
        f"{names} are traded side by side on one account: one strategy and one position each, cash and "
        "margin shared. What happens at the same moment is booked in this order.",
        "Each entry is sized by the whole cash."
        if kind == "none"
        else f"Each entry is sized by its instrument's share of the cash ({kind}), from sessions before.",
    ]


def _warnings(done: SeveralSimulated) -> list[str]:
    without = done.periods_without_past
    if not without:
        return []
    return [
        f"{without} of {len(done.shares)} periods had too few sessions before them to work shares out from; "
        "the cash was shared out in equal parts (shares.csv)"
    ]
