"""A whole day of two arms on one account: at the sandbox, on paper, and once more as its backtest."""

from __future__ import annotations

import csv
import json

import pytest

from brokers.desk.facts import EntryDecided
from brokers.desk.journal_file import read_journal
from brokers.sandbox.day import make_day
from feeds.calendar import TradingCalendar
from tests.parity.test_live_day import check_day, server_for, trade_the_day

ARMS = "[{name: cross, strategy: ema_cross, lots: 2}, " \
    "{name: coin, strategy: random_entry, parameters: {entry_probability: 0.2}, lots: 1}]"  # fmt: skip


def rows_of(file):
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.slow
def test_a_day_of_two_arms(tmp_path, monkeypatch, capsys):
    day = make_day("NIFTY", TradingCalendar(), seed=2)
    folder = tmp_path / "day"
    with server_for(day) as server:
        code = trade_the_day(
            server, folder, monkeypatch, "--strategy", "ab", "--set", f"strategy.parameters.arms={ARMS}"
        )
        assert code == 0, capsys.readouterr().err
        state, _ = check_day(day, server, folder, capsys)
    trades = rows_of(folder / "trades.csv")
    decided = [
        row.fact for row in read_journal(folder / "journal.sqlite") if isinstance(row.fact, EntryDecided)
    ]
    assert {fact.arm for fact in decided} == {"cross", "coin"}
    assert [trade["arm"] for trade in trades] == [fact.arm for fact in decided]
    lots = {
        trade["arm"]: {abs(float(row["size"])) for row in trades if row["arm"] == trade["arm"]}
        for trade in trades
    }
    assert {name: {units / day.instruments[0].lot for units in sizes} for name, sizes in lots.items()} == {
        "cross": {2.0}, "coin": {1.0},
    }  # fmt: skip
    assert {trade["arm"] for trade in trades if trade["exit_reason"] == "signal"} <= {"cross"}
    summary = json.loads((folder / "summary.json").read_text())
    assert [arm["name"] for arm in summary["arms"]["arms"]] == ["cross", "coin"]
    assert sum(arm["trades"] for arm in summary["arms"]["arms"]) == len(trades) == len(state.trips)
    assert "cross.fast" in rows_of(folder / "decisions.csv")[0]
