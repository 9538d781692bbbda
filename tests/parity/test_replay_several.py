"""A recorded day of several instruments: replayed together, on their one account, and compared one by one."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from analyzers.__main__ import main
from analyzers.parity.compare import compare_days
from analyzers.parity.files import INSTRUMENTS_FILE, day_folders, read_day
from brokers.risk.account_settings import AccountRiskSettings
from strategies.past_sessions import RETURNS_FILE
from strategies.replay import replay_day, replay_days
from tests.parity.recorded import bars_of_days, record_several, settings_for

FRAMES = {"NIFTY": bars_of_days(seed=5), "BANKNIFTY": bars_of_days(seed=6)}
UNTIRED = {"cooldown_losses": None, "max_entries_per_day": 100, "daily_loss_percent": None}
CORRELATED = pd.DataFrame(
    np.repeat(np.linspace(-0.01, 0.02, 12), 2).reshape(12, 2),
    columns=list(FRAMES),
    index=pd.bdate_range("2022-12-12", periods=12),
)
"""Sessions before the day, in which one went where the other did."""


def several(account=None, **strategy):
    return settings_for(
        strategy=strategy,
        market={"instruments": list(FRAMES)},
        risk={**UNTIRED, "account": AccountRiskSettings(**(account or {}))},
    )


def days_of(folder):
    return {name: read_day(one) for name, one in day_folders(folder).items()}


def compared(days):
    return {name: compare_days(days[name], one.run, one.tick) for name, one in replay_days(days).items()}


def denials(days, rule):
    return sum(event.rule == rule for day in days.values() for event in day.run.events)


SHARED = {
    "nothing": ({}, {}, None),
    "max_positions": ({"max_positions": 1}, {}, None),
    "max_lots": ({"max_lots": 2}, {}, None),
    "daily_loss": ({"daily_loss_rupees": 15_000.0}, {}, None),
    "max_correlation": ({"max_correlation": 0.9, "correlation_sessions": 10}, {}, CORRELATED),
    "shares": ({}, {"allocation": {"kind": "inverse_volatility", "sessions": 10}}, CORRELATED),
}


@pytest.mark.parametrize(("account", "strategy", "returns"), SHARED.values(), ids=SHARED.keys())
def test_the_replay_of_a_backtest_of_two_is_that_backtest(tmp_path, account, strategy, returns):
    days = days_of(record_several(tmp_path / "day", FRAMES, several(account, **strategy), returns))
    assert list(days) == list(FRAMES)
    for name, result in compared(days).items():
        assert result.trades
        assert result.failures(max_difference=0.0) == []
        assert str(result.backtest.trips) == str(days[name].run.trips)


@pytest.mark.parametrize(
    ("limit", "rule"),
    [
        ({"max_positions": 1}, "account_positions"),
        ({"max_correlation": 0.9, "correlation_sessions": 10}, "account_correlation"),
    ],
)
def test_alone_each_would_have_traded_what_the_account_denied(tmp_path, limit, rule):
    """Apart, the account's limit finds nothing to hold against an entry."""
    days = days_of(record_several(tmp_path / "day", FRAMES, several(limit), CORRELATED))
    assert denials(days, rule)
    alone = [compare_days(day, (one := replay_day(day)).run, one.tick) for day in days.values()]
    assert any(abs(result.difference) > 100.0 for result in alone)


def test_correlations_are_those_of_the_sessions_that_the_day_had(tmp_path):
    limit = {"max_correlation": 0.9, "correlation_sessions": 10}
    folder = record_several(tmp_path / "day", FRAMES, several(limit), CORRELATED)
    assert [result.difference for result in compared(days_of(folder)).values()] == [0.0, 0.0]
    apart = CORRELATED.assign(BANKNIFTY=CORRELATED["BANKNIFTY"].to_numpy() * np.tile([1, -1], 6))
    apart.to_csv(folder / RETURNS_FILE)
    assert any(abs(result.difference) > 100.0 for result in compared(days_of(folder)).values())


@pytest.fixture
def folder(tmp_path):
    return record_several(tmp_path / "day", FRAMES, several({"max_positions": 1}))


def parity(*arguments):
    return main(["parity", *map(str, arguments)])


def test_the_command_compares_each_and_writes_beside_its_recording(folder, capsys):
    assert parity("--run", folder, "--max-difference", 0) == 0
    told = capsys.readouterr().out
    assert told.count("In parity: nothing differs that must not.") == 2
    for name in FRAMES:
        assert f"{name} · ema_cross · 3-minute bars · 2023-01-04" in told
        assert json.loads((folder / name / "parity.json").read_text())["passes"] is True


def test_one_instrument_that_differs_fails_the_day(folder, capsys):
    path = folder / "BANKNIFTY" / "decisions.csv"
    *lines, last = path.read_text().splitlines()
    cells = last.split(",")
    side = lines[0].split(",").index("side")
    cells[side] = "1" if cells[side] == "0" else "0"
    path.write_text("\n".join([*lines, ",".join(cells)]) + "\n")
    assert parity("--run", folder) == 1
    assert capsys.readouterr().out.count("In parity: nothing differs that must not.") == 1
    assert [json.loads((folder / name / "parity.json").read_text())["passes"] for name in FRAMES] == [
        True, False,
    ]  # fmt: skip


def test_latency_is_measured_over_all_instruments(folder, capsys):
    assert parity("--calibrate", folder) == 0
    assert "latency_ms: 40.0" in capsys.readouterr().out


def test_a_file_for_one_is_refused_for_several(folder, capsys, tmp_path):
    assert parity("--run", folder, "--json", tmp_path / "one.json") == 2
    told = capsys.readouterr().err
    assert "a day of NIFTY, BANKNIFTY, which --bars and --json cannot be for" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda day: (day / INSTRUMENTS_FILE).write_text("[3"), "instruments.json cannot be read"),
        (lambda day: (day / "BANKNIFTY" / "summary.json").unlink(), "no summary.json in"),
        (lambda day: (day / INSTRUMENTS_FILE).unlink(), "no summary.json in"),
    ],
    ids=["names damaged", "one never ended", "names gone"],
)
def test_a_day_that_is_not_whole_is_one_line(folder, capsys, damage, words):
    damage(folder)
    assert parity("--run", folder) == 3
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1
