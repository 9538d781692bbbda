from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from feeds.store.parquet import ParquetStore
from ml.__main__ import main
from ml.promotion import promotions
from ml.registry import ModelRegistry
from tests.ml.bars import random_bars

LEAN = {"risk": {"max_lots": 2}}
"""Commands that trade read every section, so that the one of another program must go."""


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


def test_train_list_show_promote_rollback(run, bars, tmp_path):
    assert run("list")[1].startswith("no models")
    assert run("train", "--data", str(bars), "--promote")[0] == 0
    code, output, _ = run("train", "--data", str(bars))
    assert code == 0
    assert "stored v0002" in output
    assert "v0001 *" in run("list")[1]
    assert run("promote", "v0002", "--force", "--why", "a look", "--by", "asha", **LEAN)[0] == 0
    card = json.loads(run("show")[1])
    assert (card["version"], card["trials"], card["bar_minutes"]) == ("v0002", 1, 3)
    assert card["trained_until"] < card["valid_from"]
    assert run("rollback", "--why", "denied", "--by", "ravi")[1] == "v0001 is the champion again\n"
    log = promotions(ModelRegistry(tmp_path / "models"))
    assert [(line.kind, line.before, line.after, line.forced) for line in log] == [
        ("promote", None, "v0001", True), ("promote", "v0001", "v0002", True),
        ("rollback", "v0002", "v0001", False),
    ]  # fmt: skip
    assert [(line.why, line.by) for line in log[1:]] == [("a look", "asha"), ("denied", "ravi")]
    code, output, _ = run("evaluate", "--data", str(bars), "--model", "champion")
    assert code == 0
    assert "log-loss" in output


def test_evaluate_walks_forward(run, bars):
    code, output, errors = run("evaluate", "--data", str(bars))
    assert code == 0
    assert output.count(" … ") == 4
    assert errors.splitlines()[-1] == "window 2 of 2"


def test_evaluate_by_folds(run, bars):
    code, output, errors = run("evaluate", "--data", str(bars), "--split", "kfold", "--folds", "3")
    assert code == 0
    assert output.count(" … ") == 6
    assert errors.splitlines()[-1] == "window 3 of 3"


def test_whoever_looks_at_an_evaluation_has_made_a_trial(run, bars, tmp_path):
    for split in ((), (), ("--split", "kfold", "--folds", "3"), ("--split", "kfold", "--folds", "4")):
        assert run("evaluate", "--data", str(bars), *split)[0] == 0
    registry = ModelRegistry(tmp_path / "models")
    trials = registry.trials()
    assert [trial["what"] for trial in trials] == ["evaluate"] * 3
    assert [trial["split"][:7] for trial in trials] == ["walkfor", "PurgedK", "PurgedK"]
    assert registry.sharpes(trials[0]["data"], but="") == [None, None, None]


@pytest.mark.slow
def test_evaluate_by_paths_counts_one_trial(run, bars, tmp_path):
    arguments = ("evaluate", "--data", str(bars), "--split", "cpcv", "--blocks", "3", "--test-blocks", "2")
    # The command needs whole settings: a strategy, an account
    ml = {
        "registry": str(tmp_path / "models"),
        "model": {"rounds": 5, "leaf_rows": 50},
        "features": ["return_zscore", "volume_ratio_20"],
        "workers": 1,
    }
    thresholds = {"buy_probability": 0.36, "sell_probability": 0.36}
    for _ in range(2):
        code, output, errors = run(*arguments, ml=ml, risk={}, strategy={"parameters": thresholds})
        assert code == 0, errors
    lines = output.splitlines()
    assert lines[5] == "2 paths"
    assert lines[7].startswith("net, rupees ")
    assert errors.splitlines()[-1] == "step 5 of 5"
    (trial,) = map(json.loads, (tmp_path / "models" / "trials.jsonl").read_text().splitlines())
    assert (trial["what"], trial["strategy"]) == ("paths", "ml")
    assert trial["sharpe"] is not None


def test_what_the_user_can_mend_is_one_line_and_an_exit_code(run, bars, tmp_path):
    run("train", "--data", str(bars))
    ml = {"registry": str(tmp_path / "models")}
    for arguments, changes, code, text in [
        (("show", "v0007"), {}, 2, "known: v0001"),
        (("show",), {}, 2, "no champion"),
        (("evaluate", "--split", "cpcv", "--model", "v0001"), {}, 2, "--model and --split cpcv"),
        (("evaluate", "--split", "kfold", "--folds", "1", "--data", str(bars)), {}, 2, "folds is 1"),
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


# -- operation ---------------------------------------------------------------------------------------------


def test_a_challenger_is_tested_on_bars_new_to_both(run, bars, tmp_path):
    run("train", "--data", str(bars))
    run("train", "--data", str(bars))
    code, output, _ = run("promote", "v0001", "--data", str(bars), "--why", "the first", **LEAN)
    assert (code, output) == (0, "v0001 is the champion: the first champion: nobody to beat\n")
    code, _, errors = run("promote", "v0002", "--data", str(bars), "--why", "newer", **LEAN)
    assert code == 3
    assert "12 sessions" in errors  # a fifth of the bars is new to both, and too little
    split = {"train_fraction": 0.5}
    for _ in range(2):
        assert run("train", "--data", str(bars), **half(tmp_path, split))[0] == 0
    run("promote", "v0003", "--force", "--why", "half", **half(tmp_path, split))
    code, output, _ = run("promote", "v0004", "--data", str(bars), "--why", "newer", **half(tmp_path, split))
    assert code == 1
    assert output.startswith("v0004 was not promoted: over 29 sessions from 2022-02-")
    assert "p = 1.000" in output  # the same model twice
    assert ModelRegistry(tmp_path / "models").champion == "v0003"
    code, output, _ = run("promote", "v0003", "--why", "again", **half(tmp_path, split))
    assert (code, output) == (1, "v0003 is the champion already\n")


def half(tmp_path, split):
    ml = {
        "registry": str(tmp_path / "models"),
        "features": ["return_zscore", "volume_ratio_20"],
        "split": split,
        "model": {"rounds": 10, "leaf_rows": 50},
    }
    return LEAN | {"ml": ml}


def test_a_promotion_needs_a_reason(run, bars):
    run("train", "--data", str(bars))
    with pytest.raises(SystemExit):
        run("promote", "v0001")


def test_retrain_stores_a_challenger_and_drift_compares(run, bars, tmp_path):
    code, output, _ = run("retrain", "--data", str(bars), **LEAN)
    assert code == 0
    assert output.startswith("stored v0001, trained until 2022-0")
    assert "python -m ml promote v0001" in output
    card = ModelRegistry(tmp_path / "models").show("v0001")
    assert card.hit_rate is not None
    code, output, _ = run("drift", "--data", str(bars), "--model", "v0001", **LEAN)
    assert code == 0
    assert "volume_ratio_20" in output
    assert "p_buy" in output
    frame = pd.read_parquet(bars)
    frame["volume"] = 75.0
    still = tmp_path / "still.parquet"
    frame.to_parquet(still)
    code, output, _ = run("drift", "--data", str(still), "--model", "v0001", **LEAN)
    assert code == 1
    assert "drift: alarm" in output


def test_drift_of_a_folder_without_days_is_refused(run, tmp_path):
    code, _, errors = run("drift", "--run", str(tmp_path))
    assert code == 3
    assert "found no day" in errors
