"""When a training is due, what it stores, and that it runs beside the days without holding anything up."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from feeds.clock import IST
from feeds.settings import SyntheticSettings
from ml.registry import ModelRegistry
from ml.settings import MlSettings, ModelSettings, RetrainSettings, SplitSettings
from strategies.kept_process import environment_beside
from strategies.loading import load_run_bars
from strategies.modelling import trial_id
from strategies.retraining import newest_training, reason_to_retrain, retrain
from strategies.retraining_process import RETRAIN_LOG, RetrainingProcess
from tests.analyzers.alerts.support import MemoryLog
from tests.parity.recorded import CALENDAR, settings_for

THURSDAY = dt.date(2026, 9, 24)
NOW = dt.datetime(2026, 9, 24, 16, 0, tzinfo=IST)


def due(newest, drift="ok", **settings):
    return reason_to_retrain(RetrainSettings(**settings), THURSDAY, newest, drift)


@pytest.mark.parametrize(
    ("newest", "is_due"),
    [
        (None, True),
        (dt.date(2026, 9, 18), True),
        (dt.date(2026, 9, 20), True),  # Sunday: the week before
        (dt.date(2026, 9, 21), False),
        (THURSDAY, False),
        (dt.date(2025, 12, 31), True),
    ],
)
def test_weekly_is_after_the_first_session_of_a_week(newest, is_due):
    assert bool(due(newest, schedule="weekly")) is is_due


@pytest.mark.parametrize(
    ("newest", "is_due"),
    [(None, True), (dt.date(2026, 8, 31), True), (dt.date(2026, 9, 1), False), (dt.date(2025, 9, 24), True)],
)
def test_monthly_is_after_the_first_session_of_a_month(newest, is_due):
    assert bool(due(newest, schedule="monthly")) is is_due


@pytest.mark.parametrize(
    ("drift", "days_ago", "reason"),
    [
        ("alarm", 6, ""),
        ("alarm", 7, "drift alarm"),
        ("alarm", 8, "drift alarm"),
        ("warning", 30, ""),
        ("unknown", 30, ""),
    ],
)
def test_an_alarm_trains_once_a_week_at_most(drift, days_ago, reason):
    assert due(THURSDAY - dt.timedelta(days=days_ago), drift, on_drift=True) == reason


def test_the_default_never_trains():
    assert due(None, "alarm") == ""


# -- a training --------------------------------------------------------------------------------------------


def settings_in(folder, sessions=60):
    settings = settings_for("ml")
    data = settings.data.model_copy(
        update={
            "source": "synthetic",
            "synthetic": SyntheticSettings(sessions=sessions, seed=5, edge="momentum"),
        }
    )
    ml = MlSettings(
        features=("return_zscore", "volume_ratio_20", "atr_14_percent"),
        registry=str(folder / "models"),
        split=SplitSettings(embargo_bars=10),
        model=ModelSettings(rounds=10, leaf_rows=50, learning_rate=0.3, stopping_rounds=5),
        retrain=RetrainSettings(data="synthetic"),
        workers=1,
    )
    return settings.model_copy(update={"ml": ml, "data": data})


def test_a_training_stores_a_challenger_with_its_hit_rate_and_promotes_nothing(tmp_path):
    settings = settings_in(tmp_path)
    bars = load_run_bars(settings, CALENDAR)
    done = retrain(settings, bars, CALENDAR, now=NOW)
    registry = ModelRegistry(settings.ml.registry)
    card = registry.check(done.version)
    assert registry.champion is None
    assert card.hit_rate == done.hit_rate
    assert done.hit_rate.trades > 0
    assert card.trained_until == done.trained_until < card.valid_from
    assert newest_training(settings.ml) == THURSDAY
    (trial,) = registry.trials()
    assert trial["data"] == bars.info["sha256"]
    retrain(settings, bars, CALENDAR, now=NOW)
    assert (len(registry.trials()), registry.versions()) == (1, ("v0001", "v0002"))


def test_what_stops_entries_today_is_no_part_of_its_backtest(tmp_path):
    """A pause after an alarm is the very time to train: no trades would look like a model without any."""
    settings = settings_in(tmp_path)
    (tmp_path / "PAUSE").touch()
    drift = settings.risk.on_drift.model_copy(update={"alarm": "stop", "level": "alarm"})
    risk = {
        "pause_file": str(tmp_path / "PAUSE"),
        "kill_switch_file": str(tmp_path / "PAUSE"),
        "on_drift": drift,
    }
    limited = settings.model_copy(update={"risk": settings.risk.model_copy(update=risk)})
    bars = load_run_bars(settings, CALENDAR)
    free = retrain(settings, bars, CALENDAR, now=NOW)
    assert retrain(limited, bars, CALENDAR, now=NOW).hit_rate == free.hit_rate
    assert free.hit_rate.trades > 0


def test_a_training_beside_a_strategy_without_a_model_is_a_trial_of_its_own(tmp_path):
    """And leaves the Sharpe ratio of the strategy's backtest on the same bars as it is."""
    settings = settings_in(tmp_path)
    strategy = settings.strategy.model_copy(update={"name": "ema_cross", "parameters": {}})
    settings = settings.model_copy(update={"strategy": strategy})
    bars = load_run_bars(settings, CALENDAR)
    registry = ModelRegistry(settings.ml.registry)
    data = bars.info["sha256"]
    registry.record_trial({"id": trial_id(settings, bars, "walkforward"), "data": data, "sharpe": 1.7})
    retrain(settings, bars, CALENDAR, now=NOW)
    assert registry.sharpes(data, but="") == [1.7, None]


# -- the process -------------------------------------------------------------------------------------------


def last_of(log, event):
    return [record for record in log.records if record["event"] == event][-1]


def wait_for(log, event, seconds=120.0):
    with log._changed:
        assert log._changed.wait_for(lambda: any(one["event"] == event for one in log.records), seconds)
    return last_of(log, event)


@pytest.mark.slow
def test_a_process_trains_last_in_line_without_secrets_and_tells(tmp_path, monkeypatch):
    monkeypatch.setenv("KITE_API_SECRET", "not for it")
    log = MemoryLog()
    with RetrainingProcess(tmp_path, log) as retraining:
        begun = time.monotonic()
        assert retraining.start(settings_in(tmp_path), "first session of the week")
        assert time.monotonic() - begun < 5.0  # it is started, not waited for
        assert not retraining.start(settings_in(tmp_path), "again")
        process_id = last_of(log, "retraining")["process_id"]
        environment = Path(f"/proc/{process_id}/environ").read_bytes()
        assert b"not for it" not in environment
        while retraining.is_running and os.getpriority(os.PRIO_PROCESS, process_id) != 19:
            threading.Event().wait(0.01)
        told = wait_for(log, "retrained")
    assert told["outcome"] == "stored", told
    assert told["version"] == "v0001"
    assert told["trades"] >= told["wins"] >= 0
    assert ModelRegistry(tmp_path / "models").champion is None


@pytest.mark.slow
def test_a_training_that_cannot_be_done_is_told_in_its_own_words(tmp_path):
    log = MemoryLog()
    settings = settings_in(tmp_path, sessions=1)
    with RetrainingProcess(tmp_path, log) as retraining:
        retraining.start(settings, "drift alarm")
        told = wait_for(log, "retrained")
    assert (told["level"], told["outcome"]) == ("error", "failed")
    assert told["reason"].startswith("exit code 3: error:")
    assert (tmp_path / RETRAIN_LOG).read_text()


def test_a_training_ends_with_the_program(tmp_path):
    log = MemoryLog()
    with RetrainingProcess(tmp_path, log) as retraining:
        retraining.start(settings_in(tmp_path, sessions=600), "first session of the month")
        process_id = last_of(log, "retraining")["process_id"]
    assert (last_of(log, "retrained")["outcome"], retraining.is_running) == ("ended", False)
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    log = MemoryLog()
    with RetrainingProcess(tmp_path / "gone", log) as retraining:
        assert not retraining.start(settings_in(tmp_path), "first session of the week")
    assert last_of(log, "retrained")["outcome"] == "failed"


PARENT = """
import pathlib, sys, time
from strategies.retraining_process import RetrainingProcess
from tests.analyzers.alerts.support import MemoryLog
from tests.strategies.test_retraining import settings_in
folder, log = pathlib.Path(sys.argv[1]), MemoryLog()
settings = settings_in(folder, sessions=600)
model = settings.ml.model.model_copy(update={"rounds": 5000, "stopping_rounds": 5000})
settings = settings.model_copy(update={"ml": settings.ml.model_copy(update={"model": model})})
RetrainingProcess(folder, log).start(settings, "drift alarm")
print(log.records[-1]["process_id"], flush=True)
time.sleep(600.0)
"""


@pytest.mark.slow
def test_a_training_does_not_outlive_a_program_that_was_killed(tmp_path):
    """The next one knows nothing of it, and would trade beside it."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True,
        env=environment_beside(),
    ) as parent:  # fmt: skip
        try:
            training = int(parent.stdout.readline())
            until = time.monotonic() + 60.0  # the imports are over when it has given way
            while os.getpriority(os.PRIO_PROCESS, training) != 19 and time.monotonic() < until:
                threading.Event().wait(0.05)
        finally:
            parent.kill()
    try:
        until = time.monotonic() + 10.0
        while is_running(training) and time.monotonic() < until:
            threading.Event().wait(0.05)
        assert not is_running(training)
    finally:
        if is_running(training):
            os.kill(training, signal.SIGKILL)


def is_running(process_id):
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
