"""Alerts of whole days: delivered once each and in order, and a channel that fails touches no trading."""

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
from brokers.sandbox.faults import Fault
from feeds.clock import SteadyClock, WallClock
from strategies import live_process
from tests.analyzers.alerts.test_mail import smtp_server
from tests.live_market import HOLD, TOKEN, WAIT, Market, Program, day_config, wait_until
from tests.telegram_server import BROKEN, CHAT, HANG, PNG, TelegramServer, too_many
from tests.telegram_server import TOKEN as BOT

pytestmark = pytest.mark.slow

PAGE = ("--set", "status.enabled=true", "--set", "status.port=0")
STATE = "live-NIFTY-random_entry"


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KITE_API_KEY", "sandbox")
    monkeypatch.setenv("KITE_ACCESS_TOKEN", TOKEN)
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", BOT)
    monkeypatch.setenv("TELEGRAM_CHAT_ID", CHAT)


def events_of(file):
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def rows_of(file):
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def titles(messages):
    return [text.partition("\n")[0] for text in messages]


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
    """The page and its reader are in another process, and have to agree on how old ``now.json`` is."""

    def now(self):
        return WALL_NOW(WallClock())


WALL_NOW = WallClock.now


def test_a_day_that_runs_itself_is_told_from_go_to_summary(tmp_path, monkeypatch):
    with (
        smtp_server() as (inbox, port),
        TelegramServer() as telegram,
        Market(day_config(speed=200)) as market,
    ):
        clock = market._venue.clock
        for kind in (WallClock, SteadyClock):
            monkeypatch.setattr(kind, "now", lambda _: clock.now())
        monkeypatch.setattr(live_process, "WallClock", RealWall)
        monkeypatch.setattr(run_live, "ScheduledTimer", lambda _: MarketTimer(clock))
        monkeypatch.setenv("SMTP_URL", f"smtp://127.0.0.1:{port}")
        monkeypatch.setenv("ALERT_EMAIL_TO", "owner@example.com")
        market.faults.add(Fault(kind="clock_skew", seconds=0.0, count=None))  # its stamps are of this clock
        code = run_live.main([
            "--mode", "live", "--yes", "--quiet", "--out", "runs", "--until", "2026-09-24",
            *market.addresses, *HOLD, *PAGE, "--set", "alerts.email_from=info",
            "--set", f"alerts.telegram_api_root={telegram.root}",
            # A hundredth of a second on the way is two of that wall's
            "--set", "live.bar_close_grace_seconds=60", "--set", "risk.max_data_age_seconds=null",
        ])  # fmt: skip
        assert code == 0
        assert market.account().position == 0
    told = titles(telegram.texts)
    assert [re.sub(r"[\d,]+\.\d\d|[+-][\d,]+", "N", title) for title in told] == [
        "LIVE: watching the market",
        "LIVE: GO for Thu 24 Sep 2026, all checks passed",
        "LIVE: long N NIFTY26SEPFUT at N" if "long" in told[2] else "LIVE: short N NIFTY26SEPFUT at N",
        "LIVE: flat again, net N rupees (square off)",
        "LIVE: Thu 24 Sep 2026: net N rupees",
        "LIVE: no longer watching the market",
    ]
    (row,) = rows_of(tmp_path / "runs" / STATE / "days.csv")
    assert f"net {float(row['net_pnl']):+,.0f} rupees" in told[4]
    mails = [str(message["Subject"]) for message in inbox.messages]
    assert mails == told
    summary, mail = telegram.received[4], inbox.messages[4]
    assert summary.photo.startswith(PNG)
    assert [part.get_content().startswith(PNG) for part in mail.iter_attachments()] == [True]
    log = events_of(tmp_path / "runs" / STATE / "watch.log")
    assert [record["event"] for record in log if record["level"] == "error"] == []


# -- channels that fail --------------------------------------------------------------------------------


def traded(folder, *more):
    """Trade from a quarter to three on; return what was decided and done, and what the page counted last."""
    run, counted = folder / "run", {}
    with Market(day_config(begins="14:45", speed=300.0)) as market:
        with Program(folder, *market.arguments(run), *HOLD, *more) as program:
            while program.process.poll() is None:
                told = [record for record in events_of(run / "live.log") if record["event"] == "status_page"]
                counted = (told and metrics_of(told[-1]["url"])) or counted
                BETWEEN_LOOKS.wait(0.2)
            assert program.end() == 0, program
            assert program.complaints == []
        assert market.account().position == 0
    fills = [(row["trade_id"], row["role"], row["size"]) for row in rows_of(run / "fills.csv")]
    return (run / "decisions.csv").read_text(), fills, counted


BETWEEN_LOOKS = threading.Event()
"""Is never set."""


def metrics_of(page):
    """Return the alerts counted, by channel and outcome; nothing where the page has gone."""
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
    decisions, fills, _ = traded(tmp_path_factory.mktemp("quiet"), "--set", "strategy.fixed_units=130")
    assert [fill[1] for fill in fills] == ["entry", "square_off"]
    return decisions, fills


@pytest.mark.parametrize(
    ("fault", "alerts", "expected"),
    [
        (HANG, {"timeout_seconds": 60, "queue_size": 1}, ("telegram", "dropped")),
        (None, {"give_up_minutes": 0.001}, ("telegram", "failed")),
        (too_many(1), {"give_up_minutes": 0.001}, ("telegram", "failed")),
        (BROKEN, {"give_up_minutes": 0.001}, ("telegram", "failed")),
    ],
    ids=["hanging", "refusing", "429", "500"],
)
def test_a_channel_that_fails_changes_no_decision_and_is_counted(
    tmp_path, monkeypatch, quiet_day, fault, alerts, expected
):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        monkeypatch.setenv("SMTP_URL", f"smtp://127.0.0.1:{nobody.getsockname()[1]}")
    monkeypatch.setenv("ALERT_EMAIL_TO", "owner@example.com")
    with TelegramServer(is_refusing=fault is None) as telegram:
        telegram.standing_fault = fault
        settings = {"telegram_api_root": telegram.root, "email_from": "info", **alerts}
        arguments = [part for name, value in settings.items() for part in ("--set", f"alerts.{name}={value}")]
        *did, counted = traded(tmp_path, *PAGE, *arguments)
        assert telegram.received == []
    assert tuple(did) == quiet_day
    assert counted[expected] >= 1, counted
    assert (
        sum(counted["email", outcome] for outcome in ("failed", "dropped")) >= 1
        or "give_up_minutes" not in alerts
    )
    assert {channel: counted[channel, "sent"] for channel in ("telegram", "email")} == {
        "telegram": 0,
        "email": 0,
    }
    shown = [
        record
        for record in events_of(tmp_path / "run/companion.log")
        if record["event"] == "alert_channel_down"
    ]
    assert {record["channel"] for record in shown} >= {"email"}
