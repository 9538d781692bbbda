from __future__ import annotations

import dataclasses
import json
import math
import sys

import pandas as pd
import pytest

from analyzers import writer
from analyzers.settings import ReportSettings
from analyzers.trades import TRADE_COLUMNS
from analyzers.writer import check_output_folder, summary, write_run
from brokers.journal import Journal
from feeds.errors import SettingsError
from tests.analyzers.examples import make_result

RESULT = make_result()
QUICK = ReportSettings(tearsheet=False)
PROMISED = [
    *("net_pnl", "gross_pnl", "charges", "slippage_cost", "trades", "win_rate", "profit_factor"),
    *("max_drawdown", "max_drawdown_pct", "sharpe", "sortino", "calmar", "var_95", "cvar_95"),
    *("exposure", "breakeven_hit_rate", "deflated_sharpe"),
]
NUMBERS = [name for name, kind in TRADE_COLUMNS.items() if kind == "float64"]
FILES = {"summary.json", "trades.csv", "orders.csv", "equity.csv", "report.html"}


def test_a_run_is_written_whole_and_nothing_is_left_beside_it(tmp_path):
    out = write_run(RESULT, tmp_path / "runs" / "one", QUICK)
    assert {path.name for path in out.iterdir()} == FILES
    assert [path.name for path in out.parent.iterdir()] == ["one"]
    assert out.stat().st_mode & 0o055 == 0o055 or sys.platform == "win32"


def test_with_a_tearsheet(tmp_path):
    out = write_run(RESULT, tmp_path / "one")
    assert {path.name for path in out.iterdir()} == FILES | {"tearsheet.html"}


def test_an_empty_folder_may_be_there_already(tmp_path):
    (tmp_path / "out").mkdir()
    assert (write_run(RESULT, tmp_path / "out", QUICK) / "summary.json").is_file()


def test_floats_and_times_read_back_to_the_same_bits(tmp_path):
    out = write_run(RESULT, tmp_path / "out", QUICK)
    times = ["signal_time", "entry_time", "exit_time"]
    trades = pd.read_csv(out / "trades.csv", parse_dates=times, dtype=dict.fromkeys(NUMBERS, str))
    assert list(trades.columns) == list(TRADE_COLUMNS)
    for name in times:
        assert (trades[name].dt.tz_convert("Asia/Kolkata") == RESULT.trades[name]).all()
        assert trades[name].iloc[0].utcoffset() == pd.Timedelta(hours=5, minutes=30)
    for name in NUMBERS:
        assert [float(text) for text in trades[name]] == RESULT.trades[name].tolist(), name
    equity = pd.read_csv(out / "equity.csv", dtype={"value": str})
    assert list(equity.columns) == ["datetime", "cash", "value", "position"]
    assert [float(text) for text in equity["value"]] == RESULT.equity["value"].tolist()
    assert len(pd.read_csv(out / "orders.csv")) == len(RESULT.events)


def test_the_summary_has_what_is_promised(tmp_path):
    contents = json.loads((write_run(RESULT, tmp_path / "out", QUICK) / "summary.json").read_text("utf-8"))
    assert contents["fingerprint"] == RESULT.fingerprint
    assert set(contents) >= {"data", "settings", "metrics", "metrics_at_todays_charges", "model", "timing"}
    for name in PROMISED:
        assert name in contents["metrics"], name
        assert name in contents["metrics_at_todays_charges"], name
    assert contents["metrics"]["net_pnl"] == RESULT.metrics["net_pnl"]
    assert len(contents["model"]["windows"]) == 3


def test_a_run_without_trades_and_without_a_model_is_written(tmp_path):
    result = dataclasses.replace(make_result(journal=Journal()), model=None, windows=())
    out = write_run(result, tmp_path / "out", QUICK)
    assert (out / "trades.csv").read_text() == ",".join(TRADE_COLUMNS) + "\n"
    assert json.loads((out / "summary.json").read_text("utf-8"))["model"] is None


def test_nan_is_never_written_as_json():
    result = dataclasses.replace(RESULT, timing={"load": math.nan})
    with pytest.raises(ValueError, match="not JSON compliant"):
        json.dumps(summary(result), allow_nan=False)


def test_a_folder_with_something_in_it_is_refused_and_not_touched(tmp_path):
    (tmp_path / "old").write_text("mine")
    with pytest.raises(SettingsError, match="is not empty, expected a new or empty folder"):
        write_run(RESULT, tmp_path, QUICK)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_a_file_is_refused(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(SettingsError, match="is a file"):
        write_run(RESULT, tmp_path / "out", QUICK)


def test_a_place_that_cannot_be_written_is_refused_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be written") as caught:
        check_output_folder(tmp_path / "file" / "out")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch, interruption):
    def interrupted(*arguments, **options):
        raise interruption

    monkeypatch.setattr(writer, "write_report", interrupted)
    expected = KeyboardInterrupt if interruption is KeyboardInterrupt else SettingsError
    with pytest.raises(expected):
        write_run(RESULT, tmp_path / "out", QUICK)
    assert list(tmp_path.iterdir()) == []
