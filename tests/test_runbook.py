"""The runbook against the program: reasons of the page, critical alerts, checks before the open."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from analyzers.alerts.day_alerts import DAY_ALERTS
from analyzers.alerts.rules import AlertRules
from analyzers.status.health import health_of
from analyzers.status.now import CheckNow, DriftNow, HitRateNow, StepNow
from tests.live_example import ACCOUNT, NOON, WELL, but

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"

FLAT = but(ACCOUNT, position=0, stop_price=None, target_price=None)
CHECK = CheckNow(name="disk", outcome="no_go", words="full", remedy="make room")
STEP = StepNow(name="preflight", at=NOON, outcome="failed")

TROUBLES = {
    "silent": {"stale_seconds": 16.0},
    "no file": {"now": None},
    "hangs": {"now": but(WELL, pulse_age_seconds=61.0)},
    "over": {"now": but(WELL, phase="over", account=FLAT, why="ended by SIGTERM")},
    "halted": {"now": but(WELL, state="halted", why="no go")},
    "kill switch": {"now": but(WELL, state="halted", kill_switch="page")},
    "paused": {"now": but(WELL, state="paused", paused="page")},
    "open after close": {"now": but(WELL, phase="post_market")},
    "no stop": {"now": but(WELL, account=but(ACCOUNT, stop_price=None))},
    "dead session": {"now": but(WELL, broker=but(WELL.broker, session="dead"))},
    "unresolved": {"now": but(WELL, broker=but(WELL.broker, unresolved=2))},
    "obstacle": {"now": but(WELL, broker=but(WELL.broker, obstacle="the book was not read"))},
    "refused": {"now": but(WELL, feed=but(WELL.feed, state="refused", reason="403"))},
    "down, holding": {"now": but(WELL, feed=but(WELL.feed, state="down", reason="reset"))},
    "down, flat": {"now": but(WELL, account=FLAT, feed=but(WELL.feed, state="down"))},
    "no ticks": {"now": but(WELL, feed=but(WELL.feed, tick_age_seconds=31.0))},
    "no go": {"now": but(WELL, phase="preflight", preflight=[CHECK])},
    "caution": {"now": but(WELL, phase="preflight", preflight=[but(CHECK, outcome="warning")])},
    "failed": {"now": but(WELL, plan=[STEP])},
    "missed": {"now": but(WELL, plan=[but(STEP, outcome="missed")])},
    "drift": {"now": but(WELL, drift=DriftNow(day=NOON.date(), level="alarm", words="far"))},
    "hit rate": {"now": but(WELL, hit_rate=HitRateNow(day=NOON.date(), level="low", words="rare"))},
    "files": {"files_problem": "Permission denied"},
    "alerts": {"channels": [{"name": "email", "failed": 1, "dropped": 0, "last_error": "refused"}]},
}


def section(title):
    """First and second cell of each row in a section of the runbook."""
    text = (DOCS / "runbook.md").read_text(encoding="utf-8")
    part = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if "|" in line
    ]
    return [(row[0], row[1]) for row in rows[2:]]


def rows_for(words, rows):
    """The rows whose first cell says this; its dots stand for anything."""
    return [row for row in rows if re.match(re.escape(row[0]).replace("…", ".*"), words)]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_the_runbook_knows_each_reason_of_the_page(trouble):
    case = {"now": WELL, "stale_seconds": 0.5, **TROUBLES[trouble]}
    health = health_of(**case)
    assert health.reasons
    for reason in health.reasons:
        assert rows_for(reason, section("Health")), reason
    # The gravest comes first
    assert health.level in rows_for(health.reasons[0], section("Health"))[0][1]


def test_the_runbook_knows_no_reason_that_the_page_has_not():
    assert health_of(WELL, 0.5).level == "ok"
    told = [
        reason
        for case in TROUBLES.values()
        for reason in health_of(**{"now": WELL, "stale_seconds": 0.5, **case}).reasons
    ]
    for row in section("Health"):
        assert any(rows_for(reason, [row]) for reason in told), row


def test_no_reason_of_the_page_is_left_out_above():
    """The fixed words of each sentence in the source stand in the runbook."""
    tree = ast.parse((ROOT / "analyzers" / "status" / "health.py").read_text(encoding="utf-8"))
    judges = [
        node for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith(("_judge", "health_of", "outage_of"))
    ]  # fmt: skip
    sentences = [
        part.value.strip()
        for judge in judges
        for node in ast.walk(judge)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
        if isinstance(part, ast.Constant)
    ]
    words = [sentence for sentence in sentences if " " in sentence]
    assert len(words) > 10
    told = " ".join(cell for cell, _ in section("Health"))
    assert [sentence for sentence in words if sentence not in told] == []


RECORD = {
    "time": "2026-09-24T12:00:00+05:30", "level": "error", "day": "2026-09-24", "reason": "the reason",
    "go": False, "checks": [CHECK.model_dump()], "login_needed": False, "name": "session",
    "at": "2026-09-24T09:10:00+05:30", "late_minutes": 12.0, "id": "1", "command": "kill", "by": "page",
    "outcome": "refused", "words": "the words", "error": "the error", "open": "+65", "will_retry": True,
    "seconds": 3600.0, "code": 1, "trades": 0, "wins": 0, "net_pnl": 0.0, "trip": 1, "units": 65,
    "foreign": 0, "detail": "the detail", "remedy": "the remedy", "next_try_seconds": 1.0, "own": "15:30",
    "broker": "15:25", "next": "2026-09-25", "flat": True,
}  # fmt: skip


def critical_titles():
    told = [RECORD | {"event": event} for event in DAY_ALERTS]
    told.append({name: value for name, value in RECORD.items() if name != "reason"} | {"event": "halted"})
    for record in told:
        alert = AlertRules("live").alert_of(record)
        if alert is not None and alert.severity == "critical":
            yield alert.title.removeprefix("CRITICAL LIVE: ")


def test_the_runbook_knows_each_critical_alert():
    titles = list(critical_titles())
    assert len(titles) > 10
    rows = section("Critical alerts")
    assert [title for title in titles if not rows_for(title, rows)] == []
    stale = [row[0] for row in rows if not any(rows_for(title, [row]) for title in titles)]
    assert stale == []


def test_the_runbook_knows_each_check_before_the_open():
    sources = [ROOT / "strategies" / f"preflight_{part}.py" for part in ("here", "broker")]
    text = "".join(source.read_text(encoding="utf-8") for source in sources)
    checks = set(re.findall(r"\b(?:go|no_go|warning)\(\s*\"(\w+)\"", text))
    assert {"login", "margin", "disk"} <= checks
    assert {name.strip("`") for name, _ in section("No-go")} - {'"could not ask"'} == checks
