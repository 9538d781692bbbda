"""Five sessions and a holiday, unattended: the whole program against the sandbox, on a replayed clock."""

import contextlib
import csv
import json
import sqlite3

import pytest

from brokers.desk.journal_file import read_journal
from brokers.desk.state import DeskState
from run_live import main
from tests.live_market import NO_PAGE

DAYS = ["2026-10-15", "2026-10-16", "2026-10-19", "2026-10-21", "2026-10-22"]
"""Thursday to the Thursday after; 17 and 18 are a weekend, 20 is Dussehra."""


@pytest.mark.slow
def test_a_week_runs_by_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = main([
        "--mode", "demo", "--speed", "1000", "--strategy", "ema_cross", "--out", "week", "--quiet",
        # At this speed a minute lasts 60 ms, and a busy machine needs some to leave a position
        "--set", "strategy.last_entry=14:30", "--set", "strategy.square_off=14:45",
        "--set", "report.tearsheet=false", "--set", "report.bootstrap_samples=200", *NO_PAGE,
    ])  # fmt: skip
    assert code == 0
    state = tmp_path / "week" / "demo-NIFTY-ema_cross"
    rows = list(csv.DictReader((state / "days.csv").read_text().splitlines()))
    assert [row["day"] for row in rows] == DAYS
    assert {row["outcome"] for row in rows} == {"done"}
    for row in rows:
        folder = state / row["folder"]
        ended = DeskState(entry.fact for entry in read_journal(folder / "journal.sqlite"))
        assert ended.position == 0
        assert not ended.active_trips
        assert (folder / "report.html").stat().st_size > 10_000
        assert json.loads((folder / "parity.json").read_text())
        assert int(row["trades"]) > 0
    assert_the_cash_goes_on(rows, state)
    log = [json.loads(line) for line in (state / "watch.log").read_text().splitlines()]
    done = [record["name"] for record in log if record["event"] == "step"]
    assert done == ["morning", "preflight", "session", "post_market"] * len(DAYS)
    closed = [(record["day"], record["next"]) for record in log if record["event"] == "no_session"]
    assert closed == [
        ("2026-10-17", "2026-10-19"),
        ("2026-10-20", "2026-10-21"),
    ]
    assert [record["event"] for record in log if record["level"] == "error"] == []
    backups = sorted(path.name for path in (state / "backups").iterdir())
    assert len(backups) == len(DAYS)
    for name in backups:
        with contextlib.closing(sqlite3.connect(state / "backups" / name)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def assert_the_cash_goes_on(rows, state):
    """What one day leaves is what the next one begins with."""
    cash = 1_000_000.0
    for row in rows:
        begun = json.loads((state / row["folder"] / "summary.json").read_text())["settings"]["broker"]
        assert begun["starting_cash"] == pytest.approx(cash, abs=0.01)
        cash = float(row["cash"])
