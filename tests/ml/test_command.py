from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from feeds.store.parquet import ParquetStore
from ml.__main__ import main
from tests.ml.bars import random_bars


@pytest.fixture(scope="module")
def bars(tmp_path_factory):
    path = tmp_path_factory.mktemp("bars") / "bars.parquet"
    frame = random_bars(days=60, edge=4e-3).drop(columns="complete")
    # the weekdays that were exchange holidays in these months
    holidays = {"2022-01-26", "2022-03-01", "2022-03-18"}
    frame[[str(stamp.date()) not in holidays for stamp in frame.index]].to_parquet(path)
    return path


@pytest.fixture
def run(tmp_path, bars, capsys):
    tree = {
        "risk": {"left": "to others"},
        "ml": {
            "registry": str(tmp_path / "models"),
            "features": ["return_zscore", "volume_ratio_20"],
            "split": {"train_months": 1, "test_months": 1},
            "model": {"rounds": 10, "leaf_rows": 50},
        },
    }
    path = tmp_path / "settings.yaml"

    def command(*arguments, **changes):
        path.write_text(yaml.safe_dump(tree | changes))
        code = main([arguments[0], "--settings", str(path), *arguments[1:]])
        output = capsys.readouterr()
        return code, output.out, output.err

    return command


def test_train_list_show_promote_rollback(run, bars):
    assert run("list")[1].startswith("no models")
    assert run("train", "--data", str(bars), "--promote")[0] == 0
    code, output, _ = run("train", "--data", str(bars))
    assert code == 0
    assert "stored v0002" in output
    assert "v0001 *" in run("list")[1]
    assert run("promote", "v0002")[0] == 0
    card = json.loads(run("show")[1])
    assert (card["version"], card["trials"], card["bar_minutes"]) == ("v0002", 1, 3)
    assert card["trained_until"] < card["valid_from"]
    assert run("rollback")[1] == "v0001 is the champion again\n"
    code, output, _ = run("evaluate", "--data", str(bars), "--model", "champion")
    assert code == 0
    assert "log-loss" in output


def test_evaluate_walks_forward(run, bars):
    code, output, errors = run("evaluate", "--data", str(bars))
    assert code == 0
    assert output.count(" … ") == 4
    assert errors.splitlines()[-1] == "window 2 of 2"


def test_what_the_user_can_mend_is_one_line_and_an_exit_code(run, bars, tmp_path):
    run("train", "--data", str(bars))
    ml = {"registry": str(tmp_path / "models")}
    for arguments, changes, code, text in [
        (("show", "v0007"), {}, 2, "known: v0001"),
        (("show",), {}, 2, "no champion"),
        (("rollback",), {}, 2, "no champion before"),
        (("train", "--data", "absent.csv"), {}, 3, "absent.csv"),
        (("list",), {"ml": {"modell": {}}}, 2, "ml.modell"),
        (("list",), {"ML": {}}, 2, "unknown section 'ML'; did you mean 'ml'?"),
        (("list",), {"dta": {}}, 2, "did you mean 'data'?"),
        (("list",), {"ml": {"split": {"train_months": 0}}}, 2, "ml.split.train_months"),
        (("evaluate", "--data", str(bars)), {"ml": ml}, 3, "more than the 24 months"),
        (("evaluate", "--data", str(bars), "--model", "v0001"), {"ml": ml}, 3, "trained on other features"),
        (("evaluate", "--data", str(bars)), {"data": {"bar_minutes": 5}}, 3, "set data.bar_minutes to 3"),
    ]:
        found, _, errors = run(*arguments, **changes)
        assert found == code, errors
        assert text in errors
        assert errors.count("\n") == 1


def test_a_model_taught_otherwise_is_not_judged_by_other_labels(run, bars, tmp_path):
    run("train", "--data", str(bars))
    ml = {
        "registry": str(tmp_path / "models"),
        "features": ["return_zscore", "volume_ratio_20"],
        "label": {"horizon_bars": 5},
    }
    code, _, errors = run("evaluate", "--data", str(bars), "--model", "v0001", ml=ml)
    assert code == 3
    assert "set ml.label" in errors


def test_settings_files_that_cannot_be_read(tmp_path, capsys):
    broken = tmp_path / "broken.yaml"
    for content in ("a: [", "- 1", "ml: {}\nml: {}"):
        broken.write_text(content)
        assert main(["list", "--settings", str(broken)]) == 2
    assert main(["list", "--settings", str(tmp_path / "absent.yaml")]) == 2
    assert capsys.readouterr().err.count("\n") == 4


def test_the_bars_of_a_store_can_be_trained_on(run, bars, tmp_path):
    store = ParquetStore(tmp_path / "bars")
    store.append("NIFTY", 3, pd.read_parquet(bars).assign(complete=True))
    data = {"source": "store", "store": str(tmp_path / "bars")}
    assert run("train", data=data)[0] == 0
    assert run("train", "--data", "store", data=data)[0] == 0
    assert json.loads(run("show", "v0002")[1])["data_source"] == f"store {tmp_path / 'bars'}"


def test_every_command_reads_the_settings_of_the_project(capsys):
    """Sections of other packages are theirs; none is taken for a misspelt one."""
    settings = Path(__file__).parents[2] / "settings.yaml"
    assert main(["list", "--settings", str(settings)]) == 0
    assert capsys.readouterr().err == ""
