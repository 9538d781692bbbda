from __future__ import annotations

import pytest

from analyzers.status.health import health_of, outage_of
from analyzers.status.now import BrokerNow, CheckNow, DriftNow, FeedNow, StepNow
from tests.analyzers.status.examples import NOON, account_of, now_of

FLAT = account_of(position=0, open_words="", stop_price=None, target_price=None)


def feed(**changes):
    return FeedNow(**({"state": "up", "reason": "", "tick_age_seconds": 0.5, "reconnects": 0} | changes))


def broker(**changes):
    return BrokerNow(**({"session": "alive", "obstacle": "", "unresolved": 0} | changes))


NO_GO = CheckNow(name="margin", outcome="no_go", words="short", remedy="pay in")
CAUTION = CheckNow(name="data_store", outcome="warning", words="old")


@pytest.mark.parametrize(
    ("changes", "stale_seconds", "words"),
    [
        ({}, 0.3, ""),
        ({}, 15.0, ""),
        ({}, 15.1, "the trading process is silent for 15 s"),
        ({"phase": "waiting"}, 16.0, "the trading process is silent for 16 s"),
        ({"phase": "over"}, 0.3, "the trading process has ended: in order"),
        ({"phase": "over", "why": "SIGTERM"}, 9999.0, "the trading process has ended: SIGTERM"),
        ({"pulse_age_seconds": 60.0}, 0.3, ""),
        ({"pulse_age_seconds": 60.1}, 0.3,
         "the trading process hangs: its main thread took no turn for 60 s"),
        ({"pulse_age_seconds": 9999.0, "phase": "waiting"}, 0.3, ""),
    ],
)  # fmt: skip
def test_what_is_an_outage(changes, stale_seconds, words):
    assert outage_of(now_of(**changes), stale_seconds) == words


def test_an_outage_names_what_cannot_be_read():
    assert outage_of(None, None) == "the trading process has said nothing yet"
    assert outage_of(None, None, "no now.json") == "no now.json"
    assert outage_of(now_of(), 20.0, "not of this version").endswith("20 s (not of this version)")


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({}, "ok", None),
        ({"account": None, "feed": None, "broker": None, "drift": None, "plan": []}, "ok", None),
        ({"phase": "over", "state": "closed", "account": FLAT}, "attention", "has ended"),
        ({"state": "halted", "why": "daily loss"}, "red", "halted: daily loss"),
        ({"state": "halted", "kill_switch": "by page"}, "attention", "kill switch is on: by page"),
        ({"state": "paused", "paused": "lunch"}, "attention", "entries are paused: lunch"),
        ({"phase": "post_market", "state": "closed"}, "red", "open after the close: +130 NIFTY26SEPFUT"),
        ({"phase": "post_market", "state": "closed", "account": FLAT}, "ok", None),
        ({"phase": "waiting", "state": "closed", "account": account_of(position=-65, open_words="")}, "red",
         "open after the close: -65 units"),
        ({"account": account_of(stop_price=None)}, "red", "has no stop"),
        ({"account": FLAT}, "ok", None),
        ({"broker": broker(session="dead")}, "red", "log in again"),
        ({"broker": broker(session="dead"), "phase": "waiting"}, "ok", None),
        ({"broker": broker(session="unknown")}, "ok", None),
        ({"broker": broker(unresolved=1)}, "attention", "outcome of 1 order"),
        ({"broker": broker(obstacle="no book")}, "attention", "no entry can be sent: no book"),
        ({"feed": feed(state="down", reason="reset"), "account": FLAT}, "attention", "is down (reset)"),
        ({"feed": feed(state="down")}, "red", "the stream of ticks is down"),
        ({"feed": feed(state="refused", reason="403"), "account": FLAT}, "red", "refused (403)"),
        ({"feed": feed(state="down"), "phase": "preflight"}, "ok", None),
        ({"feed": feed(tick_age_seconds=30.0)}, "ok", None),
        ({"feed": feed(tick_age_seconds=30.5)}, "attention", "no tick for 30 s"),
        ({"feed": feed(tick_age_seconds=None)}, "ok", None),
        ({"phase": "preflight", "preflight": [NO_GO]}, "red", "preflight, margin: short; pay in"),
        ({"phase": "preflight", "preflight": [CAUTION]}, "attention", "preflight, data store: old"),
        ({"phase": "session", "preflight": [CAUTION]}, "ok", None),
        ({"plan": [StepNow(name="post_market", at=NOON, outcome="failed")]}, "red", "post market has failed"),
        ({"plan": [StepNow(name="preflight", at=NOON, outcome="missed")]}, "attention",
         "preflight of 12:00 was missed"),
        ({"drift": DriftNow(day=NOON.date(), level="alarm", words="rsi")}, "attention", "drift: rsi"),
        ({"drift": DriftNow(day=NOON.date(), level="warning", words="rsi")}, "ok", None),
        ({"drift": DriftNow(day=NOON.date(), level="unknown", words="few rows")}, "ok", None),
    ],
)  # fmt: skip
def test_each_state_has_its_colour(changes, level, words):
    health = health_of(now_of(**changes), 0.3)
    assert health.level == level
    assert len(health.reasons) == (0 if words is None else 1), health.reasons
    if words is not None:
        assert words in health.reasons[0]


def test_red_comes_first_and_all_is_named():
    now = now_of(paused="lunch", broker=broker(session="dead", unresolved=2))
    channel = {"name": "telegram", "failed": 1, "dropped": 2, "last_error": "401"}
    health = health_of(now, 20.0, [channel, {"name": "email"}], files_problem="No space")
    assert health.level == "red"
    assert [reason.split(" ")[0] for reason in health.reasons[:2]] == ["the", "the"]
    assert "log in again" in health.reasons[1]
    assert health.reasons[-1] == "alerts by telegram: 1 failed, 2 dropped (401)"
    assert "files of the day cannot be read: No space" in health.reasons


def test_nothing_heard_is_red():
    assert health_of(None, None).level == "red"
