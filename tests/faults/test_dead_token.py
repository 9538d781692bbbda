"""The token dies while a position is open: no storm of requests, the stop stays, a new login goes on."""

from __future__ import annotations

import functools

import pytest
import requests
from kiteconnect import KiteConnect

from brokers.desk.facts import Intent
from brokers.desk.journal_file import read_journal
from brokers.sandbox.faults import Fault
from brokers.token_store import StoredToken
from feeds.clock import WallClock
from run_live import main
from strategies import live_day
from strategies.token_watch import TokenWatch
from tests.brokers.kite.tokens import save_token, token_end
from tests.faults.running_day import RunningDay
from tests.live_market import HOLD, TOKEN, WAIT, Market, day_config, wait_until

pytestmark = pytest.mark.slow

SPEED = 300.0


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KITE_API_KEY", "sandbox")
    monkeypatch.setenv("KITE_ACCESS_TOKEN", TOKEN)
    monkeypatch.setattr(live_day, "TokenWatch", functools.partial(TokenWatch, look_seconds=0.05))


class Counted(Market):
    """A market that counts every request, and every try to open a stream."""

    def __init__(self, config):
        super().__init__(config)
        self.upgrades = 0
        (self._requests,) = self.faults.add(Fault(kind="delay", seconds=0.0, count=None, route="*"))
        take = self.faults.take

        def counted(kinds, now, **opportunity):
            self.upgrades += "refuse_upgrade" in kinds
            return take(kinds, now, **opportunity)

        self.faults.take = counted

    @property
    def requests(self):
        return self.faults.happened(self._requests)

    def log_in(self, file):
        """Log in as `python -m brokers login` does; the token before dies of it."""
        page = requests.get(self.login_url, timeout=WAIT).text
        request_token = page.split("<code>")[1].split("</code>")[0]
        client = KiteConnect(self.api_key, root=self.api_root)
        token = client.generate_session(request_token, self.api_secret)["access_token"]
        now = WallClock().now()
        save_token(file, StoredToken(self.api_key, token, "SB0001", now, token_end(now)))
        return token


@pytest.fixture
def trade(tmp_path, monkeypatch):
    """Run a day, up to a position with its stop."""

    def run(market):
        arguments = [
            *market.arguments(tmp_path / "run"), *HOLD, "--quiet", "--set", "live.idle_end_seconds=30",
            "--set", f"broker.kite.token_file={tmp_path / 'token.json'}",
        ]  # fmt: skip
        return RunningDay(tmp_path / "run", lambda: main([str(one) for one in arguments]))

    return run


def roles(folder):
    return [row.fact.role for row in read_journal(folder / "journal.sqlite") if isinstance(row.fact, Intent)]


def test_the_square_off_waits_for_the_login_and_then_happens(tmp_path, trade):
    with Counted(day_config(speed=SPEED)) as market, trade(market) as day:
        wait_until(lambda: market.account().is_protected, "there is a position with its stop")
        market.kill_token()
        day.wait_for("session_dead")
        day.wait_for("login_needed")
        asked = market.requests
        # Two more bars, more than a second in which nothing may be tried again and again
        day.wait_for("bar", count=len(day.told("bar")) + 2)
        assert market.requests - asked <= 2
        assert market.account().is_protected
        market.log_in(tmp_path / "token.json")
        day.wait_for("session_renewed")
        assert day.finish() == 0
        account = market.account()
    assert account.position == 0
    assert not account.working
    assert roles(tmp_path / "run") == ["entry", "stop", "square_off"]
    assert len(day.told("login_needed")) == 1
    assert len(day.told("login_found")) == 1


def test_a_login_elsewhere_takes_the_stream_away_and_is_found(tmp_path, trade):
    with Counted(day_config(speed=SPEED)) as market, trade(market) as day:
        wait_until(lambda: market.account().is_protected, "there is a position with its stop")
        token = market.log_in(tmp_path / "token.json")
        market.faults.add(Fault(kind="reset"))
        day.wait_for("stream", count=2, state="up")
        tries = market.upgrades
        assert day.finish() == 0
        account = market.account()
        log = (tmp_path / "run/live.log").read_text()
    assert account.position == 0
    assert roles(tmp_path / "run") == ["entry", "stop", "square_off"]
    assert len(day.told("login_needed")) == 1
    assert tries <= 3  # the first, perhaps one that is refused, and one with the new token
    assert token not in log
    assert TOKEN not in log


def test_without_a_token_nothing_is_asked_and_the_stream_is_not_tried_again(tmp_path, trade):
    with Counted(day_config(speed=SPEED)) as market, trade(market) as day:
        wait_until(lambda: market.account().is_protected, "there is a position with its stop")
        market.kill_token()
        market.faults.add(Fault(kind="reset"))
        day.wait_for("stream", state="refused")
        asked, tries, now = market.requests, market.upgrades, market.ask(lambda exchange: exchange.now)
        wait_until(
            lambda: (market.ask(lambda exchange: exchange.now) - now).total_seconds() > 5 * SPEED,
            "five seconds have passed",
        )
        assert market.requests - asked <= 2
        assert market.upgrades == tries
        assert market.account().is_protected
        market.log_in(tmp_path / "token.json")
        day.wait_for("stream", count=2, state="up")
        assert day.finish() == 0
        account = market.account()
    assert account.position == 0
    assert not account.working
    assert len(day.told("login_needed")) == 1
    assert len(day.told("stream", state="refused")) == 1
    lost = [row for row in day.rows("bars.csv") if row["origin"] == "backfill"]
    assert lost
