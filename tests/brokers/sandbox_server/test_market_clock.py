"""Market time: stands, runs at its speed, moves by hand, never goes back."""

from __future__ import annotations

import datetime as dt
import hashlib

import pytest

from brokers.sandbox.late_rows import LateRows
from brokers.sandbox.login_session import LoginSession
from brokers.sandbox.market_clock import MarketClock
from feeds.errors import SettingsError
from tests.brokers.sandbox_server.support import at


class Seconds:
    def __init__(self) -> None:
        self.passed = 1000.0

    def __call__(self) -> float:
        return self.passed


@pytest.fixture
def real():
    return Seconds()


def test_it_stands_until_it_runs_and_then_runs_at_its_speed(real):
    clock = MarketClock(at("09:14"), 60.0, real)
    real.passed += 100
    assert clock.now() == at("09:14")
    assert clock.seconds_until(at("09:15")) is None
    clock.run()
    real.passed += 1.5
    assert clock.now() == at("09:15:30")
    clock.run()  # a second time changes nothing
    assert clock.now() == at("09:15:30")
    assert clock.seconds_until(at("09:16:30")) == 1.0
    assert clock.seconds_until(at("09:00")) == 0.0


@pytest.mark.parametrize("is_running", [False, True])
def test_it_can_be_moved_forward_and_never_back(real, is_running):
    clock = MarketClock(at("09:14"), 2.0, real)
    if is_running:
        clock.run()
    clock.set(at("10:00"))
    clock.set(at("09:30"))
    assert clock.now() == at("10:00")
    real.passed += 10
    assert clock.now() == at("10:00:20" if is_running else "10:00")


def test_it_stops_before_midnight(real):
    clock = MarketClock(at("23:59"), 1000.0, real)
    clock.run()
    real.passed += 60
    assert clock.now() == at("23:59:59")
    clock.set(at("23:59") + dt.timedelta(days=1))
    assert clock.now() == at("23:59:59")
    assert clock.seconds_until(at("00:01") + dt.timedelta(days=1)) is None


@pytest.mark.parametrize("speed", [0.0, -1.0, float("inf"), float("nan")])
def test_a_speed_that_is_none_is_refused(speed):
    with pytest.raises(SettingsError, match="speed"):
        MarketClock(at("09:14"), speed)


@pytest.mark.parametrize(("seconds", "is_good"), [(299.0, True), (300.0, True), (301.0, False)])
def test_a_request_token_is_good_for_five_minutes(real, seconds, is_good):
    session = LoginSession("key", "secret", None, at("09:00"), real)
    token = session.request("key")
    checksum = hashlib.sha256(f"key{token}secret".encode()).hexdigest()
    real.passed += seconds
    if is_good:
        assert session.accepts("key", session.exchange("key", token, checksum, at("09:00")), at("09:00"))
    else:
        with pytest.raises(Exception, match="expired"):
            session.exchange("key", token, checksum, at("09:00"))


def test_rows_show_when_their_time_has_come(real):
    rows = LateRows(real)
    rows.hide("1", 2.0)
    both = [{"order_id": "1"}, {"order_id": "2"}]
    real.passed += 1.9
    assert rows.seen(both) == both[1:]
    assert rows.seconds_left("1") == pytest.approx(0.1)
    real.passed += 0.1
    assert rows.seen(both) == both
    assert rows.seconds_left("2") == 0.0
