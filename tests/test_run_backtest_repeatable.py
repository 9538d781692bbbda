"""The same input, settings and seed give the same trades, in any process, on every way through the bars."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from analyzers.fingerprint import trades_fingerprint
from analyzers.trades import trades_frame
from feeds.calendar import TradingCalendar
from feeds.clock import IST
from run_backtest import main
from strategies.assembly import assemble_backtest
from strategies.loading import load_run_bars
from strategies.modelling import prepare_model
from strategies.settings import load_settings

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = [
    "data.synthetic.sessions=46", "data.synthetic.edge=momentum", "ml.split.train_months=1",
    "ml.split.test_months=1", "ml.model.rounds=30", "ml.model.leaf_rows=20",
    "strategy.parameters={buy_probability: 0.4, sell_probability: 0.4}",
    "report.tearsheet=false", "report.embedded_bars=0", "report.bootstrap_samples=200",
]  # fmt: skip


def command(folder, *settings):
    overrides = [part for setting in (*SETTINGS, *settings) for part in ("--set", setting)]
    registry = ["--set", f"ml.registry={folder / 'models'}"]
    return ["--quiet", "--out", str(folder / "run"), *registry, *overrides]


def result(folder):
    summary = json.loads((folder / "run" / "summary.json").read_text())
    assert summary["metrics"]["trades"] > 20, "too few trades to compare"
    files = {
        name: (folder / "run" / name).read_bytes() for name in ("trades.csv", "orders.csv", "equity.csv")
    }
    return summary["fingerprint"], files


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    assert main(command(folder)) == 0
    return result(folder)


@pytest.mark.slow
@pytest.mark.parametrize("hash_seed", ["0", "1", "random"])
def test_another_process_with_another_hash_seed(reference, tmp_path, hash_seed):
    subprocess.run(
        [sys.executable, str(ROOT / "run_backtest.py"), *command(tmp_path)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed}, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert result(tmp_path) == reference


@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_workers(reference, tmp_path, workers):
    assert main(command(tmp_path, f"ml.workers={workers}")) == 0
    assert result(tmp_path) == reference


@pytest.mark.parametrize("kind", ["lightgbm", "ensemble"])
def test_every_learner_repeats_itself(tmp_path, kind):
    results = []
    for name, workers in (("first", 1), ("second", 2)):
        folder = tmp_path / name
        assert main(command(folder, f"ml.model.kind={kind}", f"ml.workers={workers}")) == 0
        results.append(result(folder))
    assert results[0] == results[1]


def test_a_stored_model_trades_as_the_one_that_was_just_trained(tmp_path):
    assert main([*command(tmp_path), "--model", "train"]) == 0
    trained = result(tmp_path)
    (tmp_path / "run").rename(tmp_path / "trained")
    assert main([*command(tmp_path), "--model", "v0001"]) == 0
    assert result(tmp_path) == trained


def test_another_seed_is_another_result(reference, tmp_path):
    assert main(command(tmp_path, "data.synthetic.seed=8")) == 0
    assert result(tmp_path)[0] != reference[0]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    settings = load_settings(None, [*SETTINGS, f"ml.registry={folder}"])
    calendar = TradingCalendar()
    bars = load_run_bars(settings, calendar)
    now = calendar.session(bars.frame.index[0].date()).open.astimezone(IST)
    model = prepare_model(settings, bars, "walkforward", now=now)
    begin = int(bars.frame.index.searchsorted(model.judges_from)) - model.predictor.warmup_bars
    return settings, bars._replace(frame=bars.frame.iloc[begin : begin + 1_400]), model.predictor


def traded(prepared, options, cerebro):
    settings, bars, predictor = prepared
    assembled = assemble_backtest(
        settings, bars.frame, TradingCalendar(), predictor=predictor, minutes=bars.minutes, **options
    )
    assembled.engine.run(**cerebro)
    trades = trades_frame(assembled.journal.fills, assembled.journal.contexts, bars.frame)
    assert len(trades) > 5
    return trades_fingerprint(trades), trades.to_csv(), assembled.journal.events


@pytest.mark.parametrize(
    ("options", "cerebro"),
    [
        ({}, {"preload": False}),
        ({}, {"runonce": False}),
        ({}, {"preload": False, "runonce": False}),
        ({"skip": False}, {}),
        ({"verify": True}, {}),
    ],
    ids=["preload off", "runonce off", "both off", "every bar", "verify"],
)
def test_every_way_through_the_bars_gives_the_same_trades(prepared, options, cerebro):
    assert traded(prepared, options, cerebro) == traded(prepared, {}, {})


def test_repeating_a_run_is_no_new_trial_and_the_data_keep_their_name(tmp_path):
    summaries = []
    for name in ("first", "second"):
        arguments = command(tmp_path)
        arguments[arguments.index(str(tmp_path / "run"))] = str(tmp_path / name)
        assert main(arguments) == 0
        summary = json.loads((tmp_path / name / "summary.json").read_text())
        del summary["timing"]
        summaries.append(summary)
    assert summaries[0] == summaries[1]
    assert len((tmp_path / "models" / "trials.jsonl").read_text().splitlines()) == 1
