"""The dashboard for Grafana asks for metrics and labels that the page serves, and leaves none out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from analyzers.status.board import Board
from analyzers.status.metrics import BoardCollector, HttpCounts
from analyzers.status.now import DriftNow, HitRateNow, ModelNow, write_now
from tests.live_example import NOON, WELL, but

DOCS = Path(__file__).resolve().parents[1] / "docs"
METRICS = {
    "build_info": {"version"}, "up": set(), "state": {"state"}, "snapshot_age_seconds": set(),
    "pnl_rupees": {"kind"}, "cash_rupees": set(), "position_units": set(), "last_price_points": set(),
    "tick_age_seconds": set(), "pulse_age_seconds": set(), "decision_latency_seconds_bucket": {"le"},
    "order_answer_seconds_bucket": {"le"}, "orders_total": {"role", "outcome"},
    "entries_denied_total": {"rule"}, "trades_total": {"result"}, "orders_unresolved": set(),
    "stream_reconnects_total": set(), "bars_total": {"complete"}, "log_records_total": {"level"},
    "risk_limit_used_ratio": {"rule"}, "model_age_seconds": set(), "drift_psi": {"feature"},
    "drift_level": {"level"}, "hit_rate_ratio": {"kind"}, "kill_switch": set(), "entries_paused": set(),
    "alerts_total": {"channel", "outcome"}, "alerts_queued": {"channel"},
    "next_step_timestamp_seconds": {"step"}, "step_missed_total": set(),
    "controls_total": {"command", "outcome"}, "http_requests_total": {"route", "status"},
}  # fmt: skip


@pytest.fixture(scope="module")
def board():
    return json.loads((DOCS / "grafana.json").read_text(encoding="utf-8"))


def queries(board):
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]


def test_the_dashboard_asks_for_metrics_that_exist(board):
    asked = {name for query in queries(board) for name in re.findall(r"muhurat_(\w+)", query)}
    assert asked == set(METRICS)


def test_the_dashboard_uses_labels_that_exist(board):
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            query = target["expr"]
            (name, *others) = re.findall(r"muhurat_(\w+)", query)
            assert not others, query
            used = set(re.findall(r"(\w+)\s*=~?\s*\"", query)) - {"instance"}
            used |= {word for by in re.findall(r"by \(([^)]*)\)", query) for word in by.split(", ")}
            used |= set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert used <= METRICS[name], query


def test_counters_are_never_shown_raw(board):
    for query in queries(board):
        name = re.search(r"muhurat_\w+", query)[0]
        is_counted = bool(re.search(r"(rate|increase)\(", query))
        assert is_counted is name.endswith(("_total", "_bucket")), query


def test_the_dashboard_is_of_one_process_and_one_source(board):
    assert all('instance="$instance"' in query for query in queries(board))
    assert {variable["name"] for variable in board["templating"]["list"]} == {"source", "instance"}
    sources = {json.dumps(panel["datasource"]) for panel in board["panels"] if panel["type"] != "row"}
    assert sources == {'{"type": "prometheus", "uid": "${source}"}'}


def test_panels_are_explained_and_do_not_overlap(board):
    taken = {}
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24
        for cell in (
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ):
            assert taken.setdefault(cell, panel["title"]) == panel["title"]
        assert panel["type"] == "row" or panel["description"].endswith(".")
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)


def test_the_prometheus_rules_of_the_docs_ask_for_metrics_that_exist():
    text = (DOCS / "deployment.md").read_text(encoding="utf-8")
    asked = set(re.findall(r"muhurat_(\w+) (?:>|==)|muhurat_(\w+)\[", text))
    assert {name for pair in asked for name in pair if name} <= set(METRICS)
    assert asked


def test_the_metrics_of_the_dashboard_are_those_of_the_page(tmp_path):
    write_now(
        but(
            WELL,
            model=ModelNow(version="v0001", trained_until="2026-09-01", age_days=20.0),
            drift=DriftNow(day=NOON.date(), level="ok", words="near"),
            hit_rate=HitRateNow(day=NOON.date(), level="ok", words="", trades=50, wins=24, low=0.3, high=0.6),
        ),
        tmp_path,
    )
    board = Board(tmp_path)
    board.poll()
    made = {}
    for family in BoardCollector(board, HttpCounts(), str).collect():
        name = family.name.removeprefix("muhurat_") + {
            "counter": "_total",
            "histogram": "_bucket",
            "info": "_info",
        }.get(family.type, "")
        extra = {"histogram": {"le"}, "info": {"version"}}.get(family.type, set())
        made[name] = set(family._labelnames) | extra
    assert made == METRICS
