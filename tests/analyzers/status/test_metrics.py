"""The metrics parse, are named by the conventions, and say what the files say."""

from __future__ import annotations

import re

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain_text

from analyzers.status.metrics import BoardCollector, HttpCounts, metrics_text
from analyzers.status.now import DriftNow
from tests.analyzers.status.examples import (
    NOON,
    Counter,
    account_of,
    board_of,
    log,
    now_of,
    record,
    trade_of,
)

CHANNEL = {
    "name": "telegram",
    "queued": 2,
    "sent": 5,
    "failed": 1,
    "dropped": 0,
    "suppressed": 4,
    "last_error": "",
}

NAMES = {
    "build_info", "up", "state", "snapshot_age_seconds", "pnl_rupees", "cash_rupees", "position_units",
    "last_price_points", "tick_age_seconds", "pulse_age_seconds", "decision_latency_seconds",
    "order_answer_seconds", "orders", "entries_denied", "trades", "orders_unresolved", "stream_reconnects",
    "bars", "log_records", "risk_limit_used_ratio", "model_age_seconds", "drift_psi", "drift_level",
    "hit_rate_ratio",
    "kill_switch", "entries_paused", "alerts", "alerts_queued", "next_step_timestamp_seconds", "step_missed",
    "controls", "http_requests",
}  # fmt: skip

UNITS = ("seconds", "rupees", "points", "units", "ratio", "info")
WITHOUT_UNIT = {
    "up", "state", "orders_unresolved", "drift_psi", "drift_level", "kill_switch", "entries_paused",
    "alerts_queued",
}  # fmt: skip

LOG = [
    record("day_begins", day="2026-09-24"),
    record("connected"),
    record("stream", state="up"),
    record("stream", state="down"),
    record("stream", state="up"),
    record("bar", start="a", complete=True),
    record("bar", start="b", complete=False),
    record("bar", start="b", complete=False),
    record("intent", tag="T1", role="entry"),
    record("sent", tag="T1"),
    record("acknowledged", tag="T1", wire_ms=4.0, answer_ms=30.0),
    record("order_seen", tag="T1", state="open"),
    record("order_seen", tag="T1", state="complete"),
    record("order_seen", tag="T1", state="complete"),
    record("intent", tag="T2", role="stop"),
    record("sent", tag="T2"),
    record("acknowledged", tag="T2", wire_ms=20_000.0, answer_ms=None),
    record("refused", tag="T2", level="warning"),
    record("entry_denied", rule="cooldown"),
    record("entry_denied", rule=""),
    record("paper_order", state="denied", role="entry", rule="exposure"),
    record("paper_order", state="completed", role="target"),
    record("step_missed", level="error", name="preflight"),
    record("control", level="warning", id="1", command="pause", outcome="done"),
]  # fmt: skip


@pytest.fixture
def scraped(tmp_path):
    def scrape(now=None, *, accept="", requests=(), mask=str, **options):
        options.setdefault("alert_counters", lambda: [CHANNEL])
        state = tmp_path / "state"
        board = board_of(state, now, **options)
        counts = HttpCounts()
        for route, status in requests:
            counts.add(route, status)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(BoardCollector(board, counts, mask))
        text, kind = metrics_text(registry, accept)
        return text.decode(), kind

    return scrape


def values(text):
    """Return the samples by name and labels."""
    found = {}
    for family in plain_text(text):
        for sample in family.samples:
            key = (sample.name.removeprefix("muhurat_"), *sorted(sample.labels.values()))
            assert key not in found, key
            found[key] = sample.value
    return found


def test_both_parsers_read_it_and_every_name_is_there(scraped, tmp_path):
    log(tmp_path / "state" / "live.log", *LOG)
    text, kind = scraped(now_of(), requests=[("/healthz", 200)])
    assert kind.startswith("text/plain")
    names = {family.name.removeprefix("muhurat_") for family in plain_text(text)}
    assert names == NAMES
    text, kind = scraped(now_of(), accept="application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert {family.name.removeprefix("muhurat_") for family in open_metrics(text)} == NAMES - {
        "build_info"
    } | {"build"}


def test_names_follow_the_conventions(scraped, tmp_path):
    log(tmp_path / "state" / "live.log", *LOG)
    text, _ = scraped(now_of(), requests=[("/", 200)])
    for family in plain_text(text):
        name = family.name.removeprefix("muhurat_")
        assert re.fullmatch(r"muhurat_[a-z][a-z0-9_]*", family.name)
        assert family.documentation
        if family.type == "counter":
            assert all(sample.name == f"{family.name}_total" for sample in family.samples)
        else:
            assert name in WITHOUT_UNIT or name.endswith(UNITS), name
        assert all(re.fullmatch(r"[a-z]+", label) for sample in family.samples for label in sample.labels)


def test_what_the_process_says(scraped):
    found = values(
        scraped(now_of(drift=DriftNow(day=NOON.date(), level="alarm", words="", psi={"rsi": 0.4})))[0]
    )
    for key, value in {
        ("up",): 1.0, ("state", "trading"): 1.0, ("state", "halted"): 0.0, ("snapshot_age_seconds",): 0.0,
        ("pnl_rupees", "realised"): -500.0, ("pnl_rupees", "unrealised"): 1300.0,
        ("pnl_rupees", "net"): 800.0,
        ("cash_rupees",): 999_500.0, ("position_units",): 130.0, ("last_price_points",): 25_010.0,
        ("tick_age_seconds",): 0.4, ("pulse_age_seconds",): 0.2, ("orders_unresolved",): 0.0,
        ("risk_limit_used_ratio", "daily_loss"): 0.025, ("model_age_seconds",): 5.5 * 86_400.0,
        ("drift_psi", "rsi"): 0.4, ("drift_level", "alarm"): 1.0, ("drift_level", "ok"): 0.0,
        ("kill_switch",): 0.0, ("entries_paused",): 0.0,
        ("next_step_timestamp_seconds", "square_off"): NOON.replace(hour=15, minute=20, second=0).timestamp(),
        ("trades_total", "loss"): 1.0, ("alerts_queued", "telegram"): 2.0,
        ("alerts_total", "sent", "telegram"): 5.0, ("alerts_total", "suppressed", "telegram"): 4.0,
    }.items():  # fmt: skip
        assert found[key] == value, key
    assert ("risk_limit_used_ratio", "kill_switch") not in found


def test_what_the_log_says(scraped, tmp_path):
    log(tmp_path / "state" / "live.log", *LOG)
    found = values(scraped(now_of())[0])
    for key, value in {
        ("orders_total", "entry", "sent"): 1.0, ("orders_total", "entry", "filled"): 1.0,
        ("orders_total", "sent", "stop"): 1.0, ("orders_total", "refused", "stop"): 1.0,
        ("orders_total", "filled", "target"): 1.0,
        ("entries_denied_total", "cooldown"): 1.0, ("entries_denied_total", "desk"): 1.0,
        ("entries_denied_total", "exposure"): 1.0, ("bars_total", "true"): 1.0, ("bars_total", "false"): 1.0,
        ("stream_reconnects_total",): 1.0, ("step_missed_total",): 1.0,
        ("controls_total", "done", "pause"): 1.0, ("log_records_total", "warning"): 2.0,
        ("log_records_total", "error"): 1.0, ("log_records_total", "info"): float(len(LOG) - 3),
        ("decision_latency_seconds_count",): 1.0, ("decision_latency_seconds_sum",): 0.004,
        ("decision_latency_seconds_bucket", "0.0025"): 0.0, ("decision_latency_seconds_bucket", "0.005"): 1.0,
        ("decision_latency_seconds_bucket", "+Inf"): 1.0, ("order_answer_seconds_count",): 1.0,
        ("order_answer_seconds_bucket", "0.05"): 1.0,
    }.items():  # fmt: skip
        assert found[key] == value, key


def test_what_is_known_to_come_begins_at_zero(scraped):
    found = values(scraped(now_of())[0])
    for key in (
        ("log_records_total", "error"), ("log_records_total", "warning"), ("log_records_total", "info"),
        ("controls_total", "done", "pause"), ("controls_total", "lift", "refused"),
        ("alerts_total", "dropped", "telegram"), ("entries_denied_total", "daily_loss"),
        ("entries_denied_total", "kill_switch"),
    ):  # fmt: skip
        assert found[key] == 0.0, key


def test_labels_that_cannot_be_encoded(scraped, tmp_path):
    log(tmp_path / "state" / "live.log", record("entry_denied", rule="\ud83d"))
    assert values(scraped(now_of())[0])["entries_denied_total", "\ufffd"] == 1.0


def test_a_duration_on_a_bound_is_within_it(scraped, tmp_path):
    log(
        tmp_path / "state" / "live.log",
        record("intent", tag="T", role="entry"),
        *(
            record("acknowledged", tag="T", wire_ms=wire_ms)
            for wire_ms in (4.999, 5.0, 5.001, 10_001.0, -1.0)
        ),
    )
    found = values(scraped(now_of())[0])
    assert found["decision_latency_seconds_bucket", "0.005"] == 2.0
    assert found["decision_latency_seconds_bucket", "10.0"] == 3.0
    assert found["decision_latency_seconds_count",] == 4.0


def test_what_is_not_known_has_no_sample(scraped):
    empty = now_of(account=None, feed=None, broker=None, model=None, drift=None, trades=[], rules=[], plan=[])
    found = values(scraped(empty)[0])
    for name in ("cash_rupees", "tick_age_seconds", "orders_unresolved", "model_age_seconds"):
        assert (name,) not in found
    found = values(scraped(now_of(account=account_of(last_price=None)))[0])
    assert ("last_price_points",) not in found


def test_a_process_that_is_silent_is_down(scraped, tmp_path):
    assert values(scraped()[0])["up",] == 0.0
    clock = Counter()
    board = board_of(tmp_path / "state", now_of(), monotonic=clock)
    clock.seconds += 16.0
    assert board.poll().outage


def test_trades_are_counted_once_each_over_days(tmp_path):
    state = tmp_path / "state"
    trades = [
        trade_of(trade_id=1, net_pnl=1.0), trade_of(trade_id=2, net_pnl=0.0),
        trade_of(trade_id=3, net_pnl=None), trade_of(trade_id=4, exit_time=None, net_pnl=None),
    ]  # fmt: skip
    board = board_of(state, now_of(trades=trades))
    board.poll()
    assert board.counts.counted().trades == {"win": 1, "loss": 1, "unknown": 1}


def test_requests_and_hostile_labels(scraped):
    rules = [now_of().rules[0].model_copy(update={"name": 'a"b\\c\nd hunter2'})]
    text, _ = scraped(
        now_of(rules=rules),
        requests=[("/", 200), ("/", 200)],
        mask=lambda text: text.replace("hunter2", "***"),
    )
    found = values(text)
    assert found["http_requests_total", "/", "200"] == 2.0
    assert found["risk_limit_used_ratio", 'a"b\\c\nd ***'] == 0.025
