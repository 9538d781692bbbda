"""The command as a whole: its help, its files, its last words."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from feeds.calendar import TradingCalendar
from feeds.settings import SyntheticSettings
from feeds.sources.synthetic import make_bars
from run_backtest import main

ROOT = Path(__file__).resolve().parents[1]
HEAVY = (
    "pandas",
    "numpy",
    "backtrader",
    "pydantic",
    "yaml",
    "rich",
    "xgboost",
    "lightgbm",
    "quantstats",
    "sklearn",
)
SHORT = ["--set", "data.synthetic.sessions=3", "--strategy", "random_entry"]


@pytest.fixture
def run(tmp_path):
    def call(*arguments):
        registry = ["--set", f"ml.registry={tmp_path / 'models'}"]
        return main([*registry, "--out", str(tmp_path / "run"), *SHORT, *arguments])

    return call


@pytest.mark.parametrize("argument", ["--help", "--bogus"])
def test_help_and_complaints_load_nothing_heavy(argument):
    code = (
        "import sys, run_backtest\n"
        "try:\n    run_backtest.main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        f"print('loaded:', [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, argument], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.splitlines()[-1] == "loaded: []"
    assert ("usage: run_backtest.py" in done.stdout) is (argument == "--help")


def test_help_names_every_option_of_the_design(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    told = capsys.readouterr().out
    for option in ("settings", "set", "data", "from", "to", "strategy", "model", "out", "quiet"):
        assert f"--{option}" in told


def test_a_run_writes_its_files_and_says_where(run, tmp_path, capsys):
    assert run() == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert told.out.splitlines()[:4] == ["load", "run", "analyse", "write"]
    assert str(tmp_path / "run" / "report.html") in told.out
    assert "SYNTHETIC DATA" in told.out
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["fingerprint"][:16] in told.out
    assert summary["data"]["synthetic"] is True
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "summary.json", "trades.csv", "orders.csv", "equity.csv", "tearsheet.html", "report.html",
    }  # fmt: skip


def test_a_quiet_run_says_nothing(run, capsys):
    assert run("--quiet") == 0
    assert capsys.readouterr() == ("", "")


def test_the_default_folder_bears_the_fingerprint(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([*SHORT, "--quiet", "--set", "report.tearsheet=false"]) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    summary = json.loads((folder / "summary.json").read_text())
    assert folder.name.endswith("-" + summary["fingerprint"][:8])
    assert (tmp_path / "models" / "trials.jsonl").exists()


def test_arguments_win_over_overrides_and_those_over_the_file(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("strategy: {name: ema_cross, stop_atr: 1}\ndata: {bar_minutes: 5}\n")
    out = tmp_path / "run"
    arguments = [
        *SHORT, "--settings", str(file), "--quiet", "--out", str(out), "--set", "report.tearsheet=false",
        "--set", f"ml.registry={tmp_path / 'models'}",
        "--set", "strategy.name=opening_range", "--set", "strategy.stop_atr=2.5",
    ]  # fmt: skip
    assert main(arguments) == 0
    settings = json.loads((out / "summary.json").read_text())["settings"]
    assert settings["strategy"]["name"] == "random_entry"
    assert settings["strategy"]["stop_atr"] == 2.5
    assert settings["data"]["bar_minutes"] == 5
    assert settings["strategy"]["target_atr"] == 3.0


def test_a_path_with_quotes_and_backslashes_reaches_the_source(tmp_path, capsys):
    assert main(["--data", "C:\\it's: {no} file.csv", "--out", str(tmp_path / "run"),
                 "--set", f"ml.registry={tmp_path / 'models'}"]) == 3  # fmt: skip
    assert "C:\\it's: {no} file.csv" in capsys.readouterr().err


def test_rejected_bars_are_written_with_their_reason(tmp_path):
    calendar = TradingCalendar()
    bars = make_bars(SyntheticSettings(sessions=12), calendar).drop(columns="complete")
    late = bars.iloc[[-1]].set_axis(bars.index[[-1]] + pd.Timedelta(minutes=10))
    file = tmp_path / "bars.csv"
    pd.concat([bars, late]).reset_index().to_csv(file, index=False)
    out = tmp_path / "run"
    arguments = [
        "--data", str(file), "--strategy", "ema_cross", "--out", str(out), "--quiet",
        "--set", "data.calendar_mismatch=reject", "--set", f"ml.registry={tmp_path / 'models'}",
        "--set", "report.tearsheet=false",
    ]  # fmt: skip
    assert main(arguments) == 0
    rejects = pd.read_csv(out / "rejects.csv")
    assert rejects["reason"].tolist() == ["outside_session"]
    assert "1 rows of the source were rejected" in (out / "report.html").read_text(encoding="utf-8")
