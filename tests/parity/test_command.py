"""``python -m analyzers parity``: what it prints, writes, and leaves with."""

from __future__ import annotations

import json

import pytest
import yaml

from analyzers.__main__ import main
from strategies.settings import load_settings
from tests.parity.recorded import bars_of_days, record, settings_for

BARS = bars_of_days()


@pytest.fixture
def folder(tmp_path):
    return record(tmp_path / "day", BARS, settings_for())


def with_another_price(folder, points=1.0):
    """Let the live run pay more for its third entry."""
    path = folder / "fills.csv"
    header, *rows = path.read_text().splitlines()
    place = header.split(",").index("price")
    entries = [number for number, row in enumerate(rows) if ",entry," in row]
    cells = rows[entries[2]].split(",")
    units = float(cells[header.split(",").index("size")])
    cells[place] = repr(float(cells[place]) + points)
    rows[entries[2]] = ",".join(cells)
    path.write_text("\n".join([header, *rows]) + "\n")
    trades = folder / "trades.csv"
    head, *lines = trades.read_text().splitlines()
    cells = lines[2].split(",")
    place = head.split(",").index("net_pnl")
    cells[place] = repr(float(cells[place]) - points * units)
    lines[2] = ",".join(cells)
    trades.write_text("\n".join([head, *lines]) + "\n")
    return points * units


def with_another_feature(folder):
    path = folder / "decisions.csv"
    lines = path.read_text().splitlines()
    cells = lines[-1].split(",")
    cells[-1] = repr(float(cells[-1]) + 1.0)
    path.write_text("\n".join([*lines[:-1], ",".join(cells)]) + "\n")


def parity(*arguments):
    return main(["parity", *map(str, arguments)])


def test_an_equal_day_passes(folder, capsys):
    assert parity("--run", folder, "--max-difference", 0) == 0
    told = capsys.readouterr().out
    for words in (
        "NIFTY · ema_cross · 3-minute bars · 2023-01-04",
        "Bars       125 of 125 equal",
        "Inputs     5 of 5 equal, largest difference 0",
        "Decisions  125 of 125 equal",
        "leave (signal)",
        "In parity: nothing differs that must not.",
        "Latency of",
    ):
        assert words in told
    written = json.loads((folder / "parity.json").read_text())
    assert written["passes"] is True
    assert written["rupees"]["difference"] == 0.0
    assert written["decisions"]["equal"] == written["decisions"]["compared"] == 125
    assert len(written["trades"]) >= 5
    assert written["latency"]["orders"] > 4


def test_another_price_passes_until_the_results_are_too_far_apart(folder, capsys, tmp_path):
    rupees = with_another_price(folder)
    assert parity("--run", folder) == 0
    told = capsys.readouterr().out
    assert f"{-rupees:+,.2f}" in told
    assert "entered at another price" in told
    assert "-20.0" in told  # ticks
    path = tmp_path / "elsewhere.json"
    assert parity("--run", folder, "--max-difference", rupees - 0.5, "--json", path) == 1
    assert "Not in parity: the results differ by" in capsys.readouterr().out
    written = json.loads(path.read_text())
    assert written["passes"] is False
    assert written["rupees"]["by_cause"]["entry_price"] == pytest.approx(-rupees)
    assert written["rupees"]["unexplained"] == 0.0


def test_another_feature_fails_unless_rupees_are_tolerated(folder, capsys):
    with_another_feature(folder)
    assert parity("--run", folder) == 1
    told = capsys.readouterr().out
    assert "these must not differ and do: inputs (1)" in told
    assert "slow_before: differs on 1 bars by up to" in told
    assert parity("--run", folder, "--max-rupees", 0) == 0


def test_bars_from_a_file_take_the_place_of_the_recorded_ones(folder, capsys, tmp_path):
    moved = BARS.copy()
    moved.loc[moved.index[-5], "high"] += 7.0
    path = tmp_path / "candles.csv"
    moved.drop(columns="complete").to_csv(path)
    assert parity("--run", folder, "--bars", path) == 1
    told = capsys.readouterr().out
    assert "124 of 125 equal, 1 differ" in told
    assert "15:15 high:" in told


def test_a_calibration_prints_settings_that_can_be_loaded(folder, capsys, tmp_path):
    assert parity("--calibrate", folder) == 0
    told = capsys.readouterr().out
    assert "Few orders" in told
    printed = yaml.safe_load(told[told.index("broker:") :])
    path = tmp_path / "measured.yaml"
    assert parity("--calibrate", folder, folder, "--model", "ticks", "--write", path) == 0
    measured = load_settings(path).broker
    assert measured.slippage.model == "ticks"
    assert measured.slippage.ticks > 0
    assert measured.latency_ms == printed["broker"]["latency_ms"] == pytest.approx(40.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--run", "x", "--model", "ticks"), "--model with --run, expected with --calibrate only"),
        (("--calibrate", "x", "--bars", "y", "--max-rupees", "3"), "--bars, --max-rupees with --calibrate"),
    ],
)
def test_an_argument_of_the_other_job_is_refused(arguments, words, capsys):
    assert parity(*arguments) == 2
    assert words in capsys.readouterr().err


def test_a_folder_that_is_no_day_is_one_line_and_exit_code_3(tmp_path, capsys):
    assert parity("--run", tmp_path) == 3
    error = capsys.readouterr().err
    assert "no summary.json" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [(), ("--run", "a", "--calibrate", "b"), ("--run", "a", "--max-rupees", "-1")]
)
def test_wrong_arguments_leave_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        parity(*arguments)
    assert left.value.code == 2
    assert capsys.readouterr().err
