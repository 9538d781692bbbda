"""What the commands of the models do where it takes more than models: an account, or recorded days."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from feeds.errors import DataError
from feeds.settings import make_calendar
from ml.drift import Drift, check_drift
from ml.drift_reference import DRIFT_SESSIONS, PROBABILITY_SERIES
from ml.features import FeatureSet
from ml.promotion import Promotion, promote
from ml.purged import CombinatorialPurgedSplit
from ml.registry import ModelRegistry
from ml.train import OnProgress
from strategies.days_file import DAYS_FILE, read_days
from strategies.loading import load_run_bars
from strategies.modelling import trial_id
from strategies.promotion_test import compare_models
from strategies.recorded_drift import recorded_drift
from strategies.retraining import Retrained, retrain
from strategies.settings import Settings, load_settings
from strategies.validation_paths import ValidationPaths, validation_paths

__all__ = ["Refused", "drift_of_bars", "drift_of_days", "judge_paths", "promote_after_test", "retrain_now"]


class Refused(NamedTuple):
    """Why a version was not put into use."""

    words: str


def promote_after_test(
    settings_file: Path | None,
    version: str,
    *,
    source: str | None,
    why: str,
    by: str,
    at: dt.datetime,
    is_forced: bool,
) -> Promotion | Refused:
    """Put a version into use if it has beaten the champion on bars new to both.

    The first champion has nobody to beat. Forced, a version goes in without a test, and the log says so.

    Parameters
    ----------
    settings_file : pathlib.Path or None
        Strategy, costs and risk of the test; defaults without it.
    version : str
        The challenger.
    source : str or None
        Bars; ``data.source`` without it.
    why, by : str
        For the log.
    at : datetime.datetime
        Now, aware.
    is_forced : bool
        Whether to do without the test.

    Raises
    ------
    MuhuratError
        Settings, bars or models are not as they should be.
    """
    settings = _settings(settings_file, source)
    registry = ModelRegistry(settings.ml.registry)
    registry.check(version)
    champion = registry.champion
    if champion is None:
        return promote(registry, version, why=why, by=by, at=at, note="the first champion: nobody to beat")
    if champion == version:
        return Refused(f"{version} is the champion already")
    if is_forced:
        return promote(registry, version, why=why, by=by, at=at, forced=True, note="forced without a test")
    calendar = make_calendar(settings.market)
    bars = load_run_bars(settings, calendar)
    test = compare_models(settings, calendar, bars.frame, champion, version, minutes=bars.minutes)
    if not test.passes:
        return Refused(
            f"{version} was not promoted: {test.words()}; let it run beside the champion for longer, or "
            "--force it, which the log will say"
        )
    return promote(registry, version, why=why, by=by, at=at, test=test)


def judge_paths(
    settings_file: Path | None, source: str | None, blocks: int, test_blocks: int, on_progress: OnProgress
) -> ValidationPaths:
    """Trade the paths of combinatorial purged validation, and count them as one trial: the median's.

    Parameters
    ----------
    settings_file : pathlib.Path or None
        Model, strategy, costs and risk; defaults without it.
    source : str or None
        Bars; ``data.source`` without it.
    blocks, test_blocks : int
        As of :class:`ml.purged.CombinatorialPurgedSplit`.
    on_progress : callable
        Told (steps done, steps in all).
    """
    settings = _settings(settings_file, source)
    splitter = CombinatorialPurgedSplit(blocks, test_blocks, settings.ml.split.embargo_bars)
    bars = load_run_bars(settings, make_calendar(settings.market))
    found = validation_paths(settings, bars, splitter, on_progress)
    sharpe = found.spread("sharpe")
    trial = {
        "id": trial_id(settings, bars, repr(splitter)),
        "what": "paths",
        "data": bars.info["sha256"],
        "strategy": settings.strategy.name,
        "sharpe": sharpe.median if sharpe else None,
    }
    ModelRegistry(settings.ml.registry).record_trial(trial)
    return found


def retrain_now(settings_file: Path | None, source: str | None, at: dt.datetime) -> Retrained:
    """Train and store a version; ``source`` is ``ml.retrain.data`` where nothing is said."""
    settings = _settings(settings_file, None)
    chosen = source or settings.ml.retrain.data
    data = settings.data.model_copy(update={"source": chosen})
    settings = settings.model_copy(update={"data": data})
    calendar = make_calendar(settings.market)
    return retrain(settings, load_run_bars(settings, calendar), calendar, now=at)


def drift_of_bars(settings_file: Path | None, source: str | None, version: str) -> Drift:
    """Hold the newest sessions of bars against the card of a stored model."""
    settings = _settings(settings_file, source)
    features = FeatureSet(settings.ml.features)
    stored = ModelRegistry(settings.ml.registry).load(version, features)
    frame = load_run_bars(settings, make_calendar(settings.market)).frame
    matrix = features.compute(frame)
    answers = stored.predictor(features).predict_frame(frame)
    days = pd.DatetimeIndex(frame.index).tz_localize(None).normalize()
    sessions = []
    for day in days.unique()[-DRIFT_SESSIONS:]:
        rows = np.asarray(days == day)
        session = dict(zip(features.names, matrix[rows].T, strict=True))
        if np.isfinite(answers[rows]).any():  # bars that the model may judge
            session |= dict(zip(PROBABILITY_SERIES, answers[rows][:, [0, 2]].T, strict=True))
        sessions.append(session)
    return check_drift(stored.card.drift, sessions)


def drift_of_days(state_folder: Path) -> Drift:
    """Check the last recorded day of a process, as it does after the market.

    Raises
    ------
    DataError
        There is no day, or it cannot be read.
    """
    folders = [state_folder / row.folder for row in read_days(state_folder / DAYS_FILE)]
    if not folders:
        raise DataError(
            f"found no day in {state_folder / DAYS_FILE}, expected the state folder of a live process; it "
            "lies beside the folders of the days"
        )
    return recorded_drift(folders[-1], folders[:-1])


def _settings(settings_file: Path | None, source: str | None) -> Settings:
    settings = load_settings(settings_file)
    if source is None:
        return settings
    data = settings.data.model_copy(update={"source": source})
    return settings.model_copy(update={"data": data})
