"""A recorded day once more, through the backtest: same bars, settings, model, cash and losing streak."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from pydantic import ValidationError

from analyzers.bar_record import BarRecord
from analyzers.parity.day import DayRun, RecordedDay, naive_times
from analyzers.parity.trips import trips_of
from brokers.journal import Journal
from brokers.risk.gate import RiskGate
from feeds.bars import BAR_COLUMNS, TIME_ZONE, close_times
from feeds.errors import DataError
from feeds.settings import make_calendar
from feeds.settings_error import settings_error
from feeds.sources.chosen import in_bar_minutes
from feeds.sources.files import load_bars
from feeds.terms import DatedTerms
from ml.features import FeatureSet
from ml.predict import Predictor
from ml.registry import ModelRegistry
from strategies.arm_predictors import AnyPredictor, ArmPredictors
from strategies.assembly import assemble_backtest
from strategies.past_sessions import read_returns
from strategies.plugins import models_of
from strategies.settings import Settings
from strategies.side_by_side import TradedBars, assemble_side_by_side

__all__ = ["ReplayedDay", "load_reference", "recorded_settings", "replay_day", "replay_days"]


class ReplayedDay(NamedTuple):
    """The backtest of a recorded day.

    Attributes
    ----------
    run : DayRun
        In the shape of the recorded one.
    settings : Settings
        What it ran with.
    tick : float
        Price step of the contract on that day, index points.
    """

    run: DayRun
    settings: Settings
    tick: float


def replay_day(day: RecordedDay, reference: pd.DataFrame | None = None) -> ReplayedDay:
    """Run the backtest of a recorded day.

    Bars that were not built from ticks are warm-up: the strategy sees them and enters on none.

    Parameters
    ----------
    day : RecordedDay
        As :func:`analyzers.parity.files.read_day` gives it.
    reference : pandas.DataFrame, optional
        Bars to use instead of the recorded ones from the first that counts to the last, such as the broker's
        candles; see :func:`load_reference`.

    Raises
    ------
    MuhuratError
        The settings are of another version, or the model is gone or damaged.
    """
    settings = recorded_settings(day)
    calendar = make_calendar(settings.market)
    bars = _bars(day, reference)
    records: dict[dt.datetime, BarRecord] = {}

    def keep(record: BarRecord) -> None:
        records[record.start] = record

    assembled = assemble_backtest(settings, bars, calendar, predictor=_predictor(day, settings), on_bar=keep)
    _set_losing_streak(assembled.broker.gate, day)
    assembled.engine.run()
    return _replayed(day, settings, bars, records, assembled.journal)


def replay_days(days: Mapping[str, RecordedDay]) -> dict[str, ReplayedDay]:
    """Run the backtest of a recorded day of several instruments, all together on their one account.

    Parameters
    ----------
    days : mapping
        What was recorded of each instrument, by its name, in the order in which they were traded.

    Raises
    ------
    MuhuratError
        As :func:`replay_day`.
    """
    own = {name: recorded_settings(day) for name, day in days.items()}
    first = next(iter(own.values()))
    calendar = make_calendar(first.market)
    bars = {name: _bars(day, None) for name, day in days.items()}
    records: dict[str, dict[dt.datetime, BarRecord]] = {name: {} for name in days}

    def keep(name: str, record: BarRecord) -> None:
        records[name][record.start] = record

    traded = {
        name: TradedBars(frame, frame, _predictor(days[name], own[name])) for name, frame in bars.items()
    }
    returns = read_returns(next(iter(days.values())).folder.parent)
    together = assemble_side_by_side(first, traded, calendar, own=own, returns=returns, on_bar=keep)
    for name, day in days.items():
        _set_losing_streak(together.dealings[name].gate, day)
    together.engine.run()
    return {
        name: _replayed(day, own[name], bars[name], records[name], together.dealings[name].journal)
        for name, day in days.items()
    }


def _replayed(
    day: RecordedDay,
    settings: Settings,
    bars: pd.DataFrame,
    records: dict[dt.datetime, BarRecord],
    journal: Journal,
) -> ReplayedDay:
    calendar = make_calendar(settings.market)
    index = pd.DatetimeIndex(bars.index)
    run = DayRun(
        bars=bars.assign(end=close_times(index, settings.data.bar_minutes, calendar)),
        records=records,
        trips=trips_of(
            journal.fills,
            {context.trade_id: context.signal_time for context in journal.contexts},
            naive_times(index),
            float(bars["close"].iloc[-1]),
        ),
        events=journal.events,
    )
    return ReplayedDay(run, settings, DatedTerms(settings.market, calendar)(day.first.date()).tick)


def recorded_settings(day: RecordedDay) -> Settings:
    """Return the settings of a recorded day as its backtest needs them.

    The account begins with what the live one had. A kill switch or a pause of today says nothing about that
    day.
    """
    try:
        settings = Settings.model_validate(day.settings)
    except ValidationError as error:
        raise settings_error(
            error, Settings, where=lambda _: f"settings in {day.folder / 'summary.json'}"
        ) from None
    return settings.model_copy(
        update={
            "broker": settings.broker.model_copy(update={"starting_cash": day.starting_cash}),
            "risk": settings.risk.model_copy(update={"kill_switch_file": None, "pause_file": None}),
        }
    )


def load_reference(path: Path, day: RecordedDay) -> pd.DataFrame:
    """Load bars of a recorded day from a file, in its bar size.

    Raises
    ------
    DataError
        The file is wrong, or holds no bar of the time that was recorded.
    """
    settings = recorded_settings(day)
    calendar = make_calendar(settings.market)
    data = settings.data
    loaded = load_bars(str(path), calendar=calendar, timezone=data.timezone, calendar_mismatch="reject")
    frame = in_bar_minutes(loaded.frame, loaded.bar_minutes, data.bar_minutes, loaded.source, calendar)
    chosen = _while_recorded(frame, day)
    if chosen.empty:
        raise DataError(
            f"{path} holds no bar from {day.first} to {day.run.starts[-1]}, expected the bars of that day; "
            "give another file with --bars"
        )
    return chosen


def _bars(day: RecordedDay, reference: pd.DataFrame | None) -> pd.DataFrame:
    recorded = day.run.bars[list(BAR_COLUMNS)]
    if reference is None:
        return recorded
    first = pd.Timestamp(day.first, tz=TIME_ZONE)
    counted = _while_recorded(reference[list(BAR_COLUMNS)], day)
    return pd.concat([recorded[recorded.index < first], counted])


def _while_recorded(frame: pd.DataFrame, day: RecordedDay) -> pd.DataFrame:
    recorded = pd.DatetimeIndex(day.run.bars.index)
    first = pd.Timestamp(day.first, tz=TIME_ZONE)
    return frame[(frame.index >= first) & (frame.index <= recorded[-1])]


def _predictor(day: RecordedDay, settings: Settings) -> AnyPredictor | None:
    asked = models_of(settings.strategy)
    model = day.model or {}
    if not asked:
        return None
    if "" in asked:
        return _stored(day, settings, model)[0]
    arms: dict[str, Any] = model.get("arms", {})
    stored = {arm: _stored(day, settings, arms.get(arm, {})) for arm in asked}
    return ArmPredictors(
        {arm: predictor for arm, (predictor, _) in stored.items()},
        max(judges_from for _, judges_from in stored.values()),
    )


def _stored(day: RecordedDay, settings: Settings, model: Mapping[str, Any]) -> tuple[Predictor, dt.datetime]:
    if "version" not in model:
        raise DataError(
            f"{day.folder / 'summary.json'} names no model version, expected model.version and "
            f"model.registry: strategy {settings.strategy.name} cannot be replayed without its model"
        )
    features = FeatureSet(settings.ml.features)
    stored = ModelRegistry(model.get("registry", settings.ml.registry)).load(str(model["version"]), features)
    return stored.predictor(features), stored.card.valid_from


def _set_losing_streak(gate: RiskGate, day: RecordedDay) -> None:
    before = day.run.starts[0]
    for _ in range(day.starting_losses):
        gate.on_trade_closed(before, -1.0)
