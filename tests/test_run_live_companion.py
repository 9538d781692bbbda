"""Whole days with a companion: alerts come once each and in order; a channel that fails and a crowd on the
page change no decision."""

from __future__ import annotations

import csv
import json
import re
import socket
import threading

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

import run_live
from benchmarks.status_load import crowd
from brokers.sandbox.faults import Fault
from feeds.clock import SteadyClock, WallClock
from strategies import live_process
from tests.analyzers.alerts.test_mail import smtp_server
from tests.live_market import DAY, HOLD, TOKEN, WAIT, Market, Program, day_config, wait_until
from tests.telegram_server import BROKEN, CHAT, HANG, PNG, TelegramServer, too_many
from tests.telegram_server import TOKEN as BOT

pytestmark = pytest.mark.slow

PAGE = ("--set", "status.enabled=true", "--set", "status.port=0")
STATE = "live-NIFTY-random_entry"
BETWEEN_LOOKS = threading.Event()
"""Is never set."""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, value in {"HOME": tmp_path, "KITE_API_KEY": "sandbox", "KITE_ACCESS_TOKEN": TOKEN}.items():
        monkeypatch.setenv(name, str(value))
    return tmp_path


@pytest.fixture
def owner(monkeypatch):
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", BOT)
    monkeypatch.setenv("TELEGRAM_CHAT_ID", CHAT)
    monkeypatch.setenv("ALERT_EMAIL_TO", "owner@example.com")


def events_of(file):
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def rows_of(file):
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def assignments(section, settings):
    return [part for name, value in settings.items() for part in ("--set", f"{section}.{name}={value}")]


# -- a day that runs itself ----------------------------------------------------------------------------


class MarketTimer:
    """Waits for steps by the market's clock."""

    def __init__(self, clock):
        self._clock, self._stopped = clock, threading.Event()

    @property
    def is_stopped(self):
        return self._stopped.is_set()

    def wait(self, step):
        wait_until(lambda: self.is_stopped or self._clock.now() >= step.at, f"it is {step.at}")
        return "stopped" if self.is_stopped else "due"

    def stop(self):
        self._stopped.set()

    def close(self):
        pass


class RealWall:
    """Dates ``now.json``: who reads it is another process, with the real clock."""

    def now(self, _now=WallClock.now):
        return _now(WallClock())


def test_a_day_that_runs_itself_is_told_from_go_to_summary(here, owner, monkeypatch):
    with (
        smtp_server() as (inbox, port),
        TelegramServer() as telegram,
        Market(day_config(speed=150)) as market,
    ):
        clock = market._venue.clock
        for kind in (WallClock, SteadyClock):
            monkeypatch.setattr(kind, "now", lambda _: clock.now())
        monkeypatch.setattr(live_process, "WallClock", RealWall)
        monkeypatch.setattr(run_live, "ScheduledTimer", lambda _: MarketTimer(clock))
        monkeypatch.setenv("SMTP_URL", f"smtp://127.0.0.1:{port}")
        market.faults.add(Fault(kind="clock_skew", seconds=0.0, count=None))  # its stamps are of this clock
        code = run_live.main([
            "--mode", "live", "--yes", "--quiet", "--out", "runs", "--until", str(DAY),
            *market.addresses, *HOLD, *PAGE,
            *assignments("alerts", {"telegram_api_root": telegram.root, "email_from": "info"}),
            # A hundredth of a second on the way is two of that wall's
            "--set", "live.bar_close_grace_seconds=60", "--set", "risk.max_data_age_seconds=null",
        ])  # fmt: skip
        assert code == 0
        assert market.account().position == 0
    told = [text.partition("\n")[0] for text in telegram.texts]
    assert [
        re.sub(r"\b(long|short) ", "SIDE ", re.sub(r"[\d,]+\.\d\d|[+-][\d,]+", "N", title)) for title in told
    ] == [
        "LIVE: watching the market",
        "LIVE: GO for Thu 24 Sep 2026, all checks passed",
        "LIVE: SIDE 130 NIFTY26SEPFUT at N",
        "LIVE: flat again, net N rupees (square off)",
        "LIVE: Thu 24 Sep 2026: net N rupees",
        "LIVE: no longer watching the market",
    ]
    (row,) = rows_of(here / "runs" / STATE / "days.csv")
    assert f"net {float(row['net_pnl']):+,.0f} rupees" in told[4]
    assert [str(message["Subject"]) for message in inbox.messages] == told
    assert telegram.received[4].photo.startswith(PNG)
    assert [part.get_content()[:8] for part in inbox.messages[4].iter_attachments()] == [PNG]
    log = events_of(here / "runs" / STATE / "watch.log")
    assert [record["event"] for record in log if record["level"] == "error"] == []


# -- nothing of it reaches the trading -----------------------------------------------------------------


def traded(folder, *more):
    """Trade from a quarter to three on; return what was decided and done, and what the page counted last."""
    run, counted = folder / "run", {}
    with Market(day_config(begins="14:45", speed=300.0)) as market:
        with Program(folder, *market.arguments(run), *HOLD, *more) as program:
            while program.process.poll() is None:
                pages = [told for told in events_of(run / "live.log") if told["event"] == "status_page"]
                counted = (pages and alerts_counted(pages[-1]["url"])) or counted
                BETWEEN_LOOKS.wait(0.2)
            assert program.end() == 0, program
            assert program.complaints == []
        assert market.account().position == 0
    fills = [(row["trade_id"], row["role"], row["size"]) for row in rows_of(run / "fills.csv")]
    return decided(run / "decisions.csv"), fills, counted


def decided(path):
    """Return what was decided on which bar, and on what grounds.

    Not what was open on a bar: at this speed a bar takes half a second, and a fill on a busy machine longer.
    """
    names = ("bar_start", "side", "probability", "units", "leaves", "atr")
    return [[row[name] for name in names] for row in rows_of(path) if row["side"] != "0" or row["leaves"]]


def alerts_counted(page):
    """Return the alerts by channel and outcome, as Prometheus reads them; nothing where the page has gone."""
    try:
        text = requests.get(f"{page}metrics", timeout=WAIT).text
    except requests.ConnectionError:
        return {}
    families = {family.name: family for family in text_string_to_metric_families(text)}
    samples = families["muhurat_alerts"].samples
    return {(one.labels["channel"], one.labels["outcome"]): one.value for one in samples}


@pytest.fixture(scope="module")
def quiet_day(tmp_path_factory):
    """The day without page and channels."""
    decisions, fills, _ = traded(tmp_path_factory.mktemp("quiet"))
    assert [role for _, role, _ in fills] == ["entry", "square_off"]
    return decisions, fills


@pytest.mark.parametrize(
    ("fault", "alerts", "outcome"),
    [
        (HANG, {"timeout_seconds": 60, "queue_size": 1}, "dropped"),
        (None, {"give_up_minutes": 0.001}, "failed"),
        (too_many(1), {"give_up_minutes": 0.001}, "failed"),
        (BROKEN, {"give_up_minutes": 0.001}, "failed"),
    ],
    ids=["hanging", "refusing", "429", "500"],
)
def test_a_channel_that_fails_changes_no_decision_and_is_counted(
    quiet_day, here, owner, monkeypatch, fault, alerts, outcome
):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        monkeypatch.setenv("SMTP_URL", f"smtp://127.0.0.1:{nobody.getsockname()[1]}")
    with TelegramServer(is_refusing=fault is None) as telegram:
        telegram.standing_fault = fault
        channels = {"telegram_api_root": telegram.root, "email_from": "info", **alerts}
        *did, counted = traded(here, *PAGE, *assignments("alerts", channels))
        assert telegram.received == []
    assert tuple(did) == quiet_day
    for channel in ("telegram", "email"):
        assert counted[channel, "sent"] == 0
        assert counted[channel, outcome] >= 1, counted


def test_a_crowd_on_the_page_changes_no_decision(quiet_day, here):
    with crowd(here / "run", pollers=20, slow=5) as seen:
        *did, _ = traded(here, *PAGE)
    assert tuple(did) == quiet_day
    assert seen["200"] >= 20, seen
    assert seen["slow"] >= 5, seen
