"""Alerts of whole days: delivered once each and in order, and a channel that fails touches no trading."""

from __future__ import annotations

import csv
import json
import re
import threading

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

import run_live

from brokers.desk.journal_file import read_journal
from feeds.clock import IST, SteadyClock, WallClock
from strategies import live_process
from tests.analyzers.alerts.test_mail import smtp_server
from brokers.sandbox.faults import Fault
from tests.live_market import HOLD, TOKEN, WAIT, Market, day_config, wait_until
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
    with smtp_server() as (inbox, port), TelegramServer() as telegram, Market(day_config(speed=200)) as market:
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
    print(*telegram.texts, sep="\n\n")
    assert titles([str(message["Subject"]) for message in inbox.messages]) == told
