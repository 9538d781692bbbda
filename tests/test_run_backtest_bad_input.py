"""Whatever a user can get wrong is one line with the remedy, the right exit code, and no folder."""

from __future__ import annotations

import json
import re
import shutil

import pandas as pd
import pytest
import yaml

from feeds.calendar import TradingCalendar
from feeds.settings import SyntheticSettings
from feeds.sources.synthetic import make_bars
from run_backtest import main

FAST = [
    "--set", "report.tearsheet=false", "--set", "report.embedded_bars=0",
    "--set", "report.bootstrap_samples=200", "--set", "ml.model.rounds=5", "--set", "ml.model.leaf_rows=20",
]  # fmt: skip
SMALL = ["--set", "data.synthetic.sessions=12"]


@pytest.fixture(scope="module")
def good():
    """Two sessions of 1-minute bars, as a table for a CSV file."""
    made = make_bars(SyntheticSettings(sessions=2), TradingCalendar())
    return made.drop(columns="complete").reset_index()


@pytest.fixture
def refuse(tmp_path, capsys):
    """Run, and return the one line of the refusal."""

    def run(exit_code, *arguments):
        registry = ["--set", f"ml.registry={tmp_path / 'models'}"]
        out = [] if "--out" in arguments else ["--out", str(tmp_path / "out" / "run")]
        assert main([*FAST, *registry, *out, *map(str, arguments)]) == exit_code
        told = capsys.readouterr().err
        assert re.fullmatch(r"error: [^\n]+\n", told), f"expected one line, found: {told}"
        assert "Traceback" not in told
        left = [path.name for path in (tmp_path / "out").glob("*")] if (tmp_path / "out").exists() else []
        assert left == []
        return told.removeprefix("error: ").strip()

    return run


def csv(table, path):
    table.to_csv(path, index=False)
    return path


# -- bars --------------------------------------------------------------------------------------------------


def without(column):
    return lambda table: table.drop(columns=column)


def with_value(row, column, value):
    def change(table):
        changed = table.astype({column: object})
        changed.loc[row, column] = value
        return changed

    return change


def naive(table):
    return table.assign(datetime=table["datetime"].dt.tz_localize(None))


def mixed_zones(table):
    stamps = table["datetime"].astype(str)
    utc = table["datetime"].dt.tz_convert("UTC").astype(str)
    return table.assign(datetime=[*stamps[:100], *utc[100:]])


def half_naive(table):
    stamps = table["datetime"].astype(str)
    return table.assign(datetime=[*stamps[:100], *stamps[100:].str.slice(0, 19)])


def shifted(table):
    return table.assign(datetime=table["datetime"] + pd.Timedelta(hours=4))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.iloc[:0], "has a header but no bars"),
        (without("close"), "no column 'close'"),
        (without("datetime"), "no column 'datetime'"),
        (with_value(5, "high", float("nan")), "high is nan, expected a number"),
        (with_value(5, "low", -3.0), "low is -3, expected a price above 0"),
        (with_value(5, "open", 0.0), "open is 0, expected a price above 0"),
        (with_value(5, "close", "many"), "close is 'many', expected a number"),
        (with_value(5, "volume", -1.0), "volume is -1, expected 0 or more"),
        (with_value(5, "high", 1.0), "high is 1, expected at least open and close"),
        (with_value(5, "datetime", "yesterday"), "'yesterday' is no time"),
        (lambda table: table.iloc[::-1], "sort the file by datetime"),
        (lambda table: table.iloc[[0, 1, 1, 2, 3]], "the stamp is there twice"),
        (naive, "set data.timezone"),
        (mixed_zones, "expected one time zone in the whole file"),
        (half_naive, "expected one time zone in the whole file"),
        (shifted, "outside the sessions of the calendar"),
    ],
)  # fmt: skip
def test_bars_that_are_wrong(good, refuse, tmp_path, change, words):
    path = csv(change(good), tmp_path / "bars.csv")
    line = refuse(3, "--data", path)
    assert words in line
    assert str(path) in line
    assert ";" in line, "no remedy"


def test_an_empty_file(refuse, tmp_path):
    path = tmp_path / "bars.csv"
    path.touch()
    assert f"{path} is empty; expected a header" in refuse(3, "--data", path)


@pytest.mark.parametrize("name", ["bars.parquet", "bars.csv.gz"])
def test_a_file_that_is_no_such_file(refuse, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"no such thing\n" * 20)
    assert f"{path} cannot be read as" in refuse(3, "--data", path)


def test_a_file_that_is_not_there(refuse, tmp_path):
    assert "no file or folder" in refuse(3, "--data", tmp_path / "bars.csv")


def test_an_unknown_kind_of_file(refuse, tmp_path):
    path = tmp_path / "bars.xlsx"
    path.write_text("x")
    assert "unknown ending '.xlsx'" in refuse(3, "--data", path)


def test_a_folder_without_files(refuse, tmp_path):
    folder = tmp_path / "bars"
    folder.mkdir()
    assert f"folder {folder} is empty" in refuse(3, "--data", folder)


def test_nothing_stored(refuse, tmp_path):
    line = refuse(3, "--data", "store", "--set", f"data.store={tmp_path / 'bars'}")
    assert "python -m feeds import" in line


def test_bars_of_another_size(good, refuse, tmp_path):
    five = good[good["datetime"].dt.minute % 5 == 0]
    line = refuse(3, "--data", csv(five, tmp_path / "bars.csv"))
    assert "found bars of 5 minutes, expected 1 or 3" in line
    assert "set data.bar_minutes to 5" in line


def test_no_session_in_the_range(good, refuse, tmp_path):
    line = refuse(3, "--data", csv(good, tmp_path / "bars.csv"), "--from", "2024-01-01")
    assert "no session between 2024-01-01 and the last day" in line
    assert "2023-01-02 to 2023-01-03" in line


def test_a_range_that_runs_backwards(refuse):
    assert "--from 2024-01-02 lies after --to 2024-01-01" in refuse(
        2, "--from", "2024-01-02", "--to", "2024-01-01"
    )


def test_too_few_bars_for_a_training_window(refuse):
    line = refuse(3, *SMALL)
    assert "expected more than the 24 months of a training window" in line
    assert "lower ml.split.train_months" in line


def test_too_few_bars_for_a_single_training(refuse):
    line = refuse(3, "--set", "data.synthetic.sessions=1", "--model", "train")
    assert "found 125 bars, too few to train" in line


def test_a_session_without_known_hours_stops_the_run(refuse):
    line = refuse(3, "--set", "data.synthetic.first_date=2026-11-02", *SMALL)
    assert "a session on 2026-11-08 was announced, but its hours are not known" in line
    assert "market.extra_sessions" in line


def test_days_after_the_calendar_end(refuse):
    line = refuse(2, "--set", "data.synthetic.first_date=2026-12-28", *SMALL)
    assert "the calendar, which ends on 2026-12-31, has only 4 sessions" in line


def test_days_after_the_last_expiry_of_the_calendar(refuse):
    line = refuse(3, "--set", "data.synthetic.first_date=2026-12-14", *SMALL)
    assert "the NIFTY contract of 2027-01 expires after the calendar ends on 2026-12-31" in line


def test_days_before_the_calendar_begins(refuse):
    assert "the calendar knows" in refuse(3, "--set", "data.synthetic.first_date=2009-01-01", *SMALL)


@pytest.mark.parametrize(
    "closed", ["extra_holidays=[2026-11-08]", "extra_sessions={2026-11-08: 18:00-19:00}"]
)
def test_the_remedy_for_the_session_without_hours_works(tmp_path, closed):
    arguments = [
        "--quiet", *FAST, *SMALL, "--strategy", "ema_cross", "--out", str(tmp_path / "run"),
        "--set", "data.synthetic.first_date=2026-11-02", "--set", f"market.{closed}",
        "--set", f"ml.registry={tmp_path / 'models'}",
    ]  # fmt: skip
    assert main(arguments) == 0
    sessions = json.loads((tmp_path / "run" / "summary.json").read_text())["data"]["sessions"]
    assert sessions == 12


# -- settings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("foo.bar=1", "unknown section 'foo'; known: alerts, broker, data"),
        ("brokr.bar=1", "did you mean 'broker'?"),
        ("strategy.stop_atrs=1", "unknown setting 'strategy.stop_atrs'; did you mean 'stop_atr'?"),
        ("data.synthetic.sesions=1", "did you mean 'sessions'?"),
        ("broker.charges.plann=zerodha", "did you mean 'plan'?"),
        ("data.bar_minutes=three", "data.bar_minutes is 'three', expected a whole number (length of"),
        ("data.bar_minutes=true", "found true, expected a value and not a flag"),
        ("data.bar_minutes=0", "data.bar_minutes is 0, expected 1 or more"),
        ("data.bar_minutes=2.5", "expected a whole number"),
        ("strategy.stop_atr=51", "expected 50 or less"),
        ("broker.starting_cash=.inf", "expected a finite number"),
        ("broker.slippage=3", "expected a section with keys"),
        ("market.lot_size=some", "expected 'dated' or a whole number"),
        ("market.lot_size=0", "expected 'dated' or 1 or more"),
        ("data.synthetic.edge=big", "expected 'none' or 'momentum'"),
        ("strategy.last_entry=3pm", "such as '15:00'"),
        ("strategy.last_entry=15:30", "last_entry 15:30 is not before square_off 15:20"),
        ("risk.entries_from=16:00", "expected before entries_until"),
        ("data.synthetic.first_date=2023-02-30", "not valid YAML"),
        ("data.timezone=Calcutta/Asia", "is no time zone"),
        ("ml.features=ema_5", "expected a list"),
        ("ml.features=[ema_5, ema_11]", "did you mean 'ema_10'?"),
        ("ml.features=[]", "ml.features is empty"),
        ("ml.label.kind=horizn", "did you mean 'horizon'?"),
        ("broker.slippage.model=nowhere.at:All", "cannot import 'nowhere.at'"),
        ("risk.own_rules={nowhere.at:All: {}}", "cannot import 'nowhere.at'"),
        ("market.extra_sessions={2024-06-01: late}", "the hours of 2024-06-01 are 'late'"),
        ("strategy.parameters={buy_probabilty: 0.6}", "did you mean 'buy_probability'?"),
        ("strategy.parameters={buy_probability: 2}", "buy_probability is 2, expected below 1"),
        ("data", "expected section.key=value"),
        ("data=3", "'data' is a section"),
        ("data.bar_minutes={", "not valid YAML"),
    ],
)  # fmt: skip
def test_a_wrong_setting(refuse, override, words):
    assert words in refuse(2, "--set", override, *SMALL)


def test_the_line_names_the_argument_or_the_file_that_is_wrong(refuse, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("data: {bar_minutes: 0}\n")
    assert refuse(2, "--settings", file).startswith(f"settings file {file}: data.bar_minutes")
    assert refuse(2, "--settings", file, "--set", "data.bar_minutes=-1").startswith(
        "--set 'data.bar_minutes=-1'"
    )
    assert refuse(2, "--data", "").startswith("--data: data.source is ''")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("strategy:\n  last_entry: 15:00\n", "found the number 900, expected a time such as '15:00'"),
        ("strategy: [\n", "line 2"),
        ("strategy:\n\tstop_atr: 2\n", "line 2: found character '\\t'"),
        ("strategy: {stop_atr: 2, stop_atr: 3}\n", "line 1: 'stop_atr' stands twice"),
        ("strateg:\n  stop_atr: 2\n", "unknown section 'strateg'; did you mean 'strategy'?"),
        ("strategy:\n", "strategy is empty, expected a section with keys"),
        ("- strategy\n", "found list, expected sections"),
        ("strategy: !!python/object:os.system {}\n", "could not determine a constructor"),
    ],
)  # fmt: skip
def test_a_wrong_settings_file(refuse, tmp_path, text, words):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    line = refuse(2, "--settings", file)
    assert words in line
    assert str(file) in line


def test_a_settings_file_that_is_missing_or_unreadable(refuse, tmp_path):
    assert "not found" in refuse(2, "--settings", tmp_path / "no.yaml")
    assert "cannot be read" in refuse(2, "--settings", tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8 text" in refuse(2, "--settings", tmp_path / "binary.yaml")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ema_cros", "did you mean 'ema_cross'?"),
        ("turtle", "known: ab, column_signal"),
        ("nowhere.at:All", "cannot import 'nowhere.at'"),
        ("json:All", "module 'json' has no 'All'"),
        ("json:JSONDecoder", "expected a subclass of strategies.base.IntradayStrategy"),
        ("json.JSONDecoder", "package.module:Class"),
        (":All", "expected package.module:name"),
    ],
)
def test_an_unknown_strategy(refuse, name, words):
    assert words in refuse(2, "--strategy", name, *SMALL)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--bogus"], "unrecognized arguments: --bogus"),
        (["--from", "soon"], "expected a day such as 2016-01-31"),
        (["--out"], "expected one argument"),
        (["--dat", "x"], "unrecognized arguments"),
    ],
)
def test_wrong_arguments(refuse, arguments, words):
    line = refuse(2, *arguments)
    assert words in line
    assert "see --help" in line


# -- models ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A registry with one model of 3-minute bars, trained on 24 synthetic sessions."""
    folder = tmp_path_factory.mktemp("trained")
    arguments = [
        *FAST, "--quiet", "--model", "train", "--set", "data.synthetic.sessions=24",
        "--set", f"ml.registry={folder / 'models'}", "--set", "ml.model.kind=ensemble",
        "--out", str(folder / "run"),
    ]  # fmt: skip
    assert main(arguments) == 0
    return folder / "models"


@pytest.fixture
def models(trained, tmp_path):
    """A copy of it where :func:`refuse` looks."""
    return shutil.copytree(trained, tmp_path / "models")


ASK = ["--model", "v0001", "--set", "data.synthetic.sessions=24"]


def test_the_stored_model_is_used(models, tmp_path):
    arguments = [*FAST, "--quiet", *ASK, "--set", f"ml.registry={models}", "--out", str(tmp_path / "run")]
    assert main(arguments) == 0
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["model"]["version"] == "v0001"


def test_a_model_that_does_not_exist(refuse, models):
    assert "no model 'v0009'" in refuse(2, "--model", "v0009")
    assert "known: v0001" in refuse(2, "--model", "v0009")
    assert "no champion" in refuse(2, "--model", "champion")


def test_a_model_for_a_strategy_that_asks_none(refuse):
    line = refuse(2, "--strategy", "ema_cross", "--model", "v0001")
    assert "--model v0001: strategy ema_cross asks no model; leave --model out" in line


def test_a_model_word_that_is_mistyped(refuse):
    assert "unknown --model 'walkfoward'; did you mean 'walkforward'?" in refuse(2, "--model", "walkfoward")


FILES = [
    "card.json",
    "xgboost/model.ubj",
    "xgboost/scaler.json",
    "lightgbm/model.txt",
    "lightgbm/scaler.json",
]


def test_every_file_of_a_model_is_damaged_below(models):
    folder = models / "v0001"
    assert sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()) == sorted(
        FILES
    )


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
def test_a_damaged_model(refuse, models, name, damage):
    file = models / "v0001" / name
    content = file.read_bytes()
    if damage == "gone":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(content[: len(content) // 2])
    else:
        middle = len(content) // 2
        replacement = b"{" if name == "card.json" else bytes([content[middle] ^ 1])
        file.write_bytes(content[:middle] + replacement + content[middle + 1 :])
    line = refuse(3, *ASK)
    assert str(file) in line
    assert "train again" in line


def test_a_model_of_other_features(refuse, models):
    line = refuse(3, *ASK, "--set", "ml.features=[ema_5, rsi_14, ema_10]")
    assert "v0001 was trained on other features: the settings lack ema_cross" in line


def test_a_model_of_another_instrument(refuse, models):
    line = refuse(3, *ASK, "--set", "market.instrument=BANKNIFTY")
    assert "model v0001 was trained on NIFTY, the run trades BANKNIFTY; set market.instrument=NIFTY" in line


def test_a_model_of_other_bars(refuse, models):
    line = refuse(3, *ASK, "--set", "data.bar_minutes=5")
    assert "trained on 3-minute bars, the run uses 5" in line
    assert "set data.bar_minutes=3" in line


def test_bars_that_the_model_has_seen(refuse, models):
    assert "give newer bars or another model" in refuse(3, *ASK, "--to", "2023-01-10")


def test_a_damaged_list_of_trials(refuse, models):
    (models / "trials.jsonl").write_text("{\n")
    assert "expected a JSON object; remove the line" in refuse(3, *ASK)


def test_a_registry_that_cannot_be_written(refuse, tmp_path):
    (tmp_path / "file").touch()
    line = refuse(2, *SMALL, "--set", f"ml.registry={tmp_path / 'file' / 'models'}")
    assert "ml.registry" in line
    assert "cannot be written" in line


# -- the folder for the results ----------------------------------------------------------------------------


def test_a_folder_that_cannot_be_made(refuse, tmp_path):
    (tmp_path / "file").touch()
    assert "cannot be written" in refuse(2, "--out", tmp_path / "file" / "run")


def test_a_folder_that_is_a_file(refuse, tmp_path):
    (tmp_path / "file").touch()
    assert "is a file" in refuse(2, "--out", tmp_path / "file")


def test_a_folder_that_is_not_empty(refuse, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thing").touch()
    assert "is not empty" in refuse(2, "--out", tmp_path / "full")


def test_the_default_folder_is_looked_at_before_the_work(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").touch()
    assert main([*FAST, *SMALL, "--quiet"]) == 2
    assert "cannot be written" in capsys.readouterr().err


# -- what is no fault of the user --------------------------------------------------------------------------


def test_a_bug_is_one_line_and_a_file_with_the_traceback(refuse, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("strategies.backtest.load_run_bars", lambda *_, **__: 1 / 0)
    line = refuse(1)
    assert line.startswith("this is a bug")
    (kept,) = tmp_path.glob("muhurat-*-traceback.txt")
    assert line.endswith(str(kept))
    assert "ZeroDivisionError" in kept.read_text()


def test_debug_shows_the_traceback(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("strategies.backtest.load_run_bars", lambda *_, **__: 1 / 0)
    with pytest.raises(SystemExit) as leaving:
        main(["--debug", "--out", str(tmp_path / "run"), "--set", f"ml.registry={tmp_path / 'models'}"])
    assert leaving.value.code == 1
    assert "load_run_bars" in (told := capsys.readouterr().err)
    assert told.endswith("ZeroDivisionError: division by zero\n")
    assert main(["--debug", "--set", "foo.bar=1"]) == 2
    assert capsys.readouterr().err.startswith("Traceback")


def test_an_environment_that_fails_is_no_bug(refuse, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device", "/somewhere")

    monkeypatch.setattr("strategies.backtest.load_run_bars", full)
    assert refuse(1) == "No space left on device at /somewhere; make room there, or mend its permissions"


def test_yaml_reads_the_overrides_of_these_tests():
    assert yaml.safe_load("15:00") == 900, "the reason why times stand in quotes"
