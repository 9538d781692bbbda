"""A search: repeatable, resumable, counted, and silent about the holdout until its end."""

import datetime as dt
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from feeds.errors import DataError, SettingsError
from feeds.settings import make_calendar
from ml.registry import ModelRegistry
from strategies.loading import load_run_bars
from strategies.progress import QuietProgress
from strategies.search.objective import Judged, cut_bars, objective_of
from strategies.search.outcome import best_of, overfitting_of
from strategies.search.run import SearchRequest, run_search
from strategies.search.space import SearchSpace
from strategies.search.storage import open_study, storage_address
from strategies.search.study import FinishedTrial, SearchStudy
from strategies.settings import load_settings
from tests.strategies.search_example import write_search_file

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MUHURAT_STUDY_STORAGE", raising=False)


@pytest.fixture
def settings(tmp_path):
    return load_settings(write_search_file(tmp_path))


def search(settings, trials=6, workers=1, **more):
    return run_search(
        SearchRequest(settings=settings, trials=trials, workers=workers, **more), QuietProgress()
    )


def tried(outcome):
    return [(tuple(row.values.items()), row.objective) for row in outcome.page.trials]


def lines_of(kind):
    return [trial for trial in ModelRegistry("models").trials() if trial.get("what") == kind]


def test_a_second_run_goes_on_where_the_first_ended(settings, tmp_path):
    whole = search(settings, 6, study="whole", out_dir=tmp_path / "whole")
    search(settings, 3, study="parts")
    parts = search(settings, 6, study="parts", out_dir=tmp_path / "parts")
    assert tried(parts)[:3] == tried(whole)[:3]  # what comes then learned from fewer at once
    assert len(tried(parts)) == len(tried(whole)) == 6


def test_every_trial_is_counted_once_and_the_look_at_the_holdout_too(settings):
    search(settings, 5)
    outcome = search(settings, 5)
    assert len(lines_of("search")) == 5
    assert len({line["id"] for line in lines_of("search")}) == 5
    assert len(lines_of("holdout")) == 1
    assert outcome.page.looks == 1
    assert outcome.page.counted == 6


def test_another_study_on_the_same_bars_uses_the_same_holdout_up(settings):
    search(settings, 2, study="one")
    seed = settings.ml.search.model_copy(update={"seed": 99})
    other = settings.model_copy(update={"ml": settings.ml.model_copy(update={"search": seed})})
    assert search(other, 2, study="two").page.looks == 2


def test_a_trial_of_a_process_that_is_gone_is_made_again_with_the_same_values(settings, tmp_path):
    address = storage_address(None, None, tmp_path / "runs" / "search" / "cut.sqlite")
    search(settings, 5, study="cut")
    study = open_study("cut", address)
    space = SearchSpace(settings)
    # Another seed: drawn anew, the values would be others
    handle = SearchStudy(study, space, study.user_attrs["definition"], settings.ml.search.seed + 1000)
    left = handle.propose(8, 4)
    assert len(left) == 3
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for proposal in left[1:]:
        handle._asked[proposal.number].set_user_attr("owner", [os.uname().nodename, gone.pid])
    again = search(settings, 8, study="cut")
    assert len(tried(again)) == 8
    assert [row[0] for row in tried(again)[5:]] == [tuple(proposal.values.items()) for proposal in left]
    assert all(row[1] is not None for row in tried(again))
    assert len(lines_of("search")) == len({line["id"] for line in lines_of("search")})


def test_no_trial_sees_the_holdout(settings):
    bars = load_run_bars(settings, make_calendar(settings.market))
    parts = cut_bars(bars, 0.2)
    sessions = pd.DatetimeIndex(bars.frame.index).normalize().unique()
    assert parts.holdout_from == sessions[12]
    assert parts.seen.frame.index[-1] < parts.holdout_from
    assert parts.seen.minutes.index[-1] < parts.holdout_from
    outcome = search(settings, 2)
    assert outcome.page.holdout["first"] == f"{sessions[12]:%Y-%m-%d}"
    assert outcome.page.judged_sessions == 12
    # Bars that differ in the holdout alone: what is tried and found may not differ
    other = bars.frame.copy()
    later = other.index >= parts.holdout_from
    prices = ["open", "high", "low", "close"]
    other.loc[later, prices] = (other.loc[later, prices] * 1.07).round(2)
    other.to_parquet("other.parquet")
    changed = load_settings(Path("search.yaml"), ["data.source=other.parquet", "data.bar_minutes=3"])
    assert [row[1] for row in tried(search(changed, 2))] == [row[1] for row in tried(outcome)]


@pytest.mark.parametrize(("sessions", "kept"), [(10, 2), (9, 2), (11, 3)])
def test_the_holdout_has_at_least_its_share_of_sessions(settings, sessions, kept):
    settings = load_settings(Path("search.yaml"), [f"data.synthetic.sessions={sessions}"])
    parts = cut_bars(load_run_bars(settings, make_calendar(settings.market)), 0.2)
    assert parts.seen.info["sessions"] == sessions - kept


def test_one_session_is_too_little_to_keep_any_back(settings):
    settings = load_settings(Path("search.yaml"), ["data.synthetic.sessions=1"])
    with pytest.raises(DataError, match="found 1 sessions"):
        cut_bars(load_run_bars(settings, make_calendar(settings.market)), 0.2)


@pytest.mark.parametrize(
    ("sharpe", "trades", "expected"),
    [(2.0, 9, 1.8), (2.0, 10, 2.0), (2.0, 11, 2.0), (-2.0, 1, -2.0), (None, 0, 0.0), (0.0, 5, 0.0)],
)
def test_a_good_sharpe_ratio_of_few_trades_counts_in_proportion(sharpe, trades, expected):
    assert objective_of(Judged(sharpe, trades), 10) == pytest.approx(expected)


def test_settings_that_cannot_be_judged_are_tried_and_told(tmp_path):
    write_search_file(tmp_path)
    settings = load_settings(
        Path("search.yaml"),
        [
            "ml.search.space={strategy.parameters.fast_bars: [5, 40], "
            "strategy.parameters.slow_bars: [30, 60]}",
            "ml.search.batch=1",
        ],
    )
    outcome = search(settings, 8)
    failed = [row for row in outcome.page.trials if row.error]
    assert failed
    assert all(row.values["strategy.parameters.fast_bars"] == 40 for row in failed)
    assert all("not below slow_bars" in row.error for row in failed)
    assert "not below slow_bars" in (outcome.out_dir / "search.html").read_text(encoding="utf-8")
    assert len(lines_of("search")) == 3  # of four points, one makes no sense


def test_a_named_study_of_other_settings_is_refused(settings):
    search(settings, 1, study="mine")
    other = load_settings(Path("search.yaml"), ["strategy.risk_percent=0.4"])
    with pytest.raises(SettingsError, match="study mine was begun with other bars, settings or space"):
        search(other, 1, study="mine")


def test_the_best_settings_are_a_settings_file(settings):
    outcome = search(settings, 4)
    best = load_settings(outcome.out_dir / "best.yaml")
    assert best.strategy.stop_atr == outcome.page.best.values["strategy.stop_atr"]
    assert best.data == settings.data
    assert yaml.safe_load(outcome.page.best_yaml)["strategy"]["name"] == "ema_cross"
    table = pd.read_csv(outcome.out_dir / "trials.csv")
    assert table["number"].tolist() == [0, 1, 2, 3]
    assert table["strategy.stop_atr"].notna().all()


def finished(number, objective, returns, identity=None):
    judged = Judged(objective, 50, 0.0, "", returns)
    return FinishedTrial(number, {}, objective, judged, identity or str(number))


def test_the_best_is_the_earliest_of_equals_and_never_one_that_failed():
    trials = [finished(0, None, []), finished(1, -1.0, []), finished(2, 3.0, []), finished(3, 3.0, [])]
    assert best_of(trials).number == 2
    assert best_of(trials[:1]) is None


def test_overfitting_is_asked_of_different_trials_only():
    noise = np.random.default_rng(3).standard_normal((4, 40))
    trials = [finished(number, 1.0, list(row)) for number, row in enumerate(noise)]
    twice = [*trials, trials[0]._replace(number=9)]
    assert overfitting_of(twice).trials == 4
    assert overfitting_of(twice).probability == overfitting_of(trials).probability
    assert overfitting_of([trials[0], trials[0]]) is None
    assert (
        overfitting_of([trial._replace(judged=Judged(1.0, 5, 0.0, "", [0.1] * 3)) for trial in trials])
        is None
    )


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("nonsense", "expected sqlite:///FILE or postgresql"),
        ("oracle9://me:geheim1@here/x", r"oracle9://me:\*\*\*@here/x"),
        (
            "postgresql+psycopg://me:geheim1@127.0.0.1:1/x",
            r"me:\*\*\*@127.0.0.1:1/x.*finished trials are kept",
        ),
    ],
)
def test_a_storage_that_cannot_be_opened_is_told_without_its_password(address, words):
    with pytest.raises((SettingsError, DataError), match=words) as told:
        open_study("any", address)
    assert "geheim1" not in str(told.value)


def test_the_storage_is_the_arguments_then_the_secret_then_the_setting(monkeypatch, tmp_path):
    assert storage_address(None, None, tmp_path / "a.sqlite") == f"sqlite:///{tmp_path / 'a.sqlite'}"
    assert storage_address(None, "sqlite:///b", tmp_path) == "sqlite:///b"
    monkeypatch.setenv("MUHURAT_STUDY_STORAGE", "postgresql://c")
    assert storage_address(None, "sqlite:///b", tmp_path) == "postgresql://c"
    assert storage_address("sqlite:///d", "sqlite:///b", tmp_path) == "sqlite:///d"


@pytest.mark.slow
def test_fifty_trials_on_two_cores_survive_a_kill(settings, tmp_path):
    command = [
        sys.executable, "-m", "ml", "search", "--settings", str(tmp_path / "search.yaml"), "--trials", "50",
        "--workers", "2", "--study", "killed",
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as first:
        for line in first.stdout:
            if line.startswith("14 of 50"):
                os.killpg(first.pid, signal.SIGKILL)
                break
    assert first.returncode == -signal.SIGKILL
    second = subprocess.run(command, capture_output=True, text=True, env=environment, check=True, timeout=280)
    assert "made again" in second.stdout
    assert "best of 50 trials" in second.stdout
    lines = lines_of("search")
    assert len(lines) == len({line["id"] for line in lines}) == 50
    # One that was never killed, one worker: the same trials
    whole = search(settings, 50, study="whole")
    table = pd.read_csv(Path("runs/search/killed/trials.csv"))
    assert sorted(table["objective"]) == pytest.approx(sorted(row.objective for row in whole.page.trials))
    assert len(lines_of("search")) == 50
    assert json.dumps(whole.page.holdout)  # plain values
    assert dt.date.fromisoformat(whole.page.holdout["first"])
