"""What of a day's records is told: facts only, in words, with mode and time, and nothing twice."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analyzers.alerts.alert import Alert
from analyzers.alerts.day_alerts import DAY_ALERTS
from analyzers.alerts.rules import AlertRules
from brokers.desk import facts
from brokers.journal import OrderEvent
from feeds.clock import IST, ReplayClock
from feeds.live_log import LiveLog, make_log
from feeds.secrets import Secrets
from tests.analyzers.alerts.support import Hand

NOW = dt.datetime(2026, 9, 24, 14, 36, 2, tzinfo=IST)
CLOSE = dt.datetime(2026, 9, 24, 14, 36)  # noqa: DTZ001 # exchange wall clock, as in the journal
DAY = "2026-09-24"


class Told:
    """Rules that hear what the real log writes."""

    def __init__(self, path: Path, mode: str = "live", **options: Any) -> None:
        self.hand = Hand()
        self.rules = AlertRules(mode, clock=self.hand, **options)
        self.alerts = []
        self.log: LiveLog = make_log(path / "live.log", ReplayClock(NOW), Secrets(), self._hear)

    def _hear(self, record):
        alert = self.rules.alert_of(record)
        if alert is not None:
            self.alerts.append(alert)

    def fact(self, *news: facts.Fact) -> None:
        for fact in news:
            level, event = facts.event_of(fact)
            getattr(self.log, level)(event, **fact._asdict())

    def paper(
        self, role, state, *, kind="market", size=130, price=0.0, filled=0, average=0.0, order=1, **more
    ):
        event = OrderEvent(CLOSE, order, 7, role, kind, state, size, price, filled, average, **more)
        self.log.info("paper_order", **event._asdict())

    @property
    def told(self):
        return [(alert.severity, alert.title) for alert in self.alerts]

    @property
    def words(self):
        return [alert.words for alert in self.alerts]


@pytest.fixture
def told(tmp_path):
    told = Told(tmp_path)
    told.log.info("day_begins", symbol="NIFTY26SEPFUT", mode="live", cash=1e6)
    yield told
    told.log.close()


@pytest.fixture
def paper(tmp_path):
    paper = Told(tmp_path, "paper")
    paper.log.info("day_begins", symbol="NIFTY26SEPFUT", mode="paper", cash=1e6)
    yield paper
    paper.log.close()


def decided(size=130, **more):
    return facts.EntryDecided(1, size, 24999.0, 24942.0, 25115.2, CLOSE, 0.61, **more)


def filled(tag, number, size, price):
    return facts.Filled(tag, number, size, price, NOW, 20.0)


ENTRY = facts.Intent("e1", 1, "entry", 130, "market", 0.0, 24999.0)
STOP = facts.Intent("s1", 1, "stop", -130, "stop", 24942.0, 24942.0)

# -- orders --------------------------------------------------------------------------------------------------


def test_an_entry_is_told_when_it_was_filled_and_not_when_it_was_wanted(told):
    told.fact(decided(), ENTRY, facts.Sent("e1"), facts.Acknowledged("e1", "77", 3.0, 2.0))
    assert told.alerts == []
    told.fact(filled("e1", "a", 65, 25000.0))
    assert told.alerts == []
    told.fact(facts.OrderSeen("e1", "complete", 130, 25001.0), filled("e1", "b", 65, 25002.0))
    assert told.words == [
        "LIVE: long 130 NIFTY26SEPFUT at 25,001.00\nTrade 1.\nStop 24,942.00, target 25,115.20.\n"
        "Probability 0.61.\n2026-09-24 14:36:02 IST"
    ]


@pytest.mark.parametrize("fill_is_first", [True, False])
def test_an_entry_that_was_cancelled_in_part_is_told_as_what_it_became(told, fill_is_first):
    seen, fill = facts.OrderSeen("e1", "cancelled", 65, 25000.0), filled("e1", "a", 65, 25000.0)
    told.fact(decided(), ENTRY, *((fill, seen) if fill_is_first else (seen, fill)), seen)
    assert told.told == [("info", "LIVE: long 65 NIFTY26SEPFUT at 25,000.00")]
    assert "Only 65 of 130 were filled." in told.words[0]


def test_an_entry_that_never_filled_is_not_told(told):
    told.fact(decided(), ENTRY, facts.OrderSeen("e1", "cancelled", 0, 0.0))
    assert told.alerts == []


@pytest.mark.parametrize(
    ("role", "earned", "title"),
    [
        ("stop", -7540.4, "LIVE: flat again, net -7,540 rupees (stop)"),
        ("target", 1234.5, "LIVE: flat again, net +1,234 rupees (target)"),
        ("square_off", 0.0, "LIVE: flat again, net +0 rupees (square off)"),
        ("daily_loss", float("nan"), "LIVE: flat again, result not known (daily loss)"),
    ],
)
def test_an_exit_is_told_with_its_net_profit(told, role, earned, title):
    told.fact(decided(), ENTRY, filled("e1", "a", 130, 25000.0))
    told.fact(facts.ExitWanted(1, role, "why"), STOP._replace(role=role))
    told.fact(filled("s1", "b", -65, 24942.0), filled("s1", "c", -65, 24940.0), facts.TripClosed(1, earned))
    assert told.alerts[-1].title == title
    assert told.alerts[-1].severity == ("warning" if math.isnan(earned) else "info")
    assert "Sell 130 at 24,941.00.\nBecause: why." in told.words[-1]
    assert len(told.alerts) == 2


def test_a_stop_that_rests_is_not_told(told):
    told.fact(decided(), ENTRY, filled("e1", "a", 130, 25000.0), STOP, facts.Acknowledged("s1", "78"))
    told.fact(facts.OrderSeen("s1", "waiting", 0, 0.0), facts.CancelSent("s1"))
    assert len(told.alerts) == 1


def test_a_fill_whose_order_is_not_known_is_told_as_it_is(told):
    told.fact(filled("e9", "a", -65, 25000.0), facts.OrderSeen("e9", "complete", 65, 25000.0))
    assert told.told == [("info", "LIVE: filled: sell 65 at 25,000.00")]


def test_a_denial_is_told_once_a_bar_and_rule(told):
    denied = facts.EntryDenied(-130, 25000.0, CLOSE, 0.6, "max_trades", "10 entries today, at most 10")
    told.fact(
        denied, denied, denied._replace(rule=""), denied._replace(signal_time=CLOSE + dt.timedelta(minutes=3))
    )
    assert told.told == [
        ("info", "LIVE: entry denied (max trades): sell 130"),
        ("info", "LIVE: entry denied (desk): sell 130"),
        ("info", "LIVE: entry denied (max trades): sell 130"),
    ]
    assert told.alerts[0].key == told.alerts[2].key


def test_a_refused_entry_is_told_and_a_refused_exit_only_with_what_is_done(told):
    told.fact(ENTRY, STOP, facts.Refused("s1", "RMS: blocked"))
    assert told.alerts == []
    told.log.error("exit_refused", tag="s1", error="RMS: blocked", next_try_seconds=2.0)
    told.fact(facts.Refused("e1", "margin"))
    assert told.told == [
        ("critical", "CRITICAL LIVE: an exit was refused, and is tried again"),
        ("warning", "LIVE: the broker refused an order"),
    ]


def test_an_unknown_outcome_is_told_for_each_order(told):
    told.fact(ENTRY, facts.Unresolved("e1", "timed out"), facts.Unresolved("x", "502"), facts.NotFound("e1"))
    assert told.told == [
        ("warning", "LIVE: outcome unknown: entry order, buy 130"),
        ("warning", "LIVE: outcome unknown: order x"),
        ("warning", "LIVE: order e1 was never placed, as the order book has it"),
    ]
    assert len({alert.key for alert in told.alerts}) == 3


def test_paper_orders_are_told_as_paper(paper):
    paper.paper("entry", "submitted", price=25000.0)
    paper.paper("stop", "submitted", kind="stop", size=-130, price=24942.0, order=2)
    paper.paper("target", "submitted", kind="limit", size=-130, price=25115.2, order=3)
    assert paper.alerts == []
    paper.paper("entry", "completed", price=25000.0, filled=130, average=25001.5)
    paper.paper("stop", "accepted", kind="stop", size=-130, price=24942.0, order=2)
    paper.paper(
        "target", "completed", kind="limit", size=-130, price=25115.2, filled=-130, average=25115.2, order=3
    )
    paper.paper("stop", "canceled", kind="stop", size=-130, price=24942.0, order=2)
    assert paper.words == [
        "PAPER: long 130 NIFTY26SEPFUT at 25,001.50\nTrade 7, on paper.\nStop 24,942.00, target 25,115.20.\n"
        "2026-09-24 14:36:02 IST",
        "PAPER: exit, gross +14,781 rupees (target)\nTrade 7, on paper: sell 130 at 25,115.20.\n"
        "Before charges; the summary of the day has them.\n2026-09-24 14:36:02 IST",
    ]


def test_a_short_paper_trade_that_falls_earns(paper):
    paper.paper("entry", "completed", size=-130, filled=-130, average=25000.0)
    paper.paper("square_off", "completed", filled=130, average=24990.0, order=2)
    assert paper.told[1] == ("info", "PAPER: exit, gross +1,300 rupees (square off)")


def test_a_paper_denial_and_an_exit_of_an_unknown_trade(paper):
    paper.paper("entry", "denied", rule="cooldown", reason="3 losses in a row")
    paper.paper("stop", "completed", size=-130, filled=-130, average=25000.0, order=2)
    assert paper.told == [
        ("info", "PAPER: entry denied (cooldown): buy 130"),
        ("info", "PAPER: exit: sell 130 at 25,000.00 (stop)"),
    ]


# -- the day -------------------------------------------------------------------------------------------------

LINK = "https://me.example.com/kite/login"


def check(name, outcome, words="words", remedy=""):
    return {"name": name, "outcome": outcome, "words": words, "remedy": remedy}


@pytest.mark.parametrize(
    ("go", "checks", "login_needed", "severity", "title"),
    [
        (True, [check("login", "go")], False, "info", "GO for Thu 24 Sep 2026, all checks passed"),
        (True, [check("model", "warning")], False, "warning", "GO for Thu 24 Sep 2026, with 1 caution"),
        (False, [check("login", "no_go"), check("disk", "warning")], True, "warning",
         "NO GO for Thu 24 Sep 2026: login"),
        (False, [check("login", "no_go"), check("disk_free", "no_go")], True, "critical",
         "NO GO for Thu 24 Sep 2026: login, disk free"),
        (False, [check("clock", "no_go")], False, "critical", "NO GO for Thu 24 Sep 2026: clock"),
    ],
)  # fmt: skip
def test_the_morning_says_go_or_no_go(tmp_path, go, checks, login_needed, severity, title):
    told = Told(tmp_path, "paper", public_url="https://me.example.com/")
    told.log.info("plan", day=DAY, kind="regular", notes=["expiry day"], steps=[])
    told.log.warning("preflight", go=go, day=DAY, checks=checks, login_needed=login_needed)
    told.log.close()
    (alert,) = told.alerts
    mark = "CRITICAL " if severity == "critical" else ""
    assert (alert.severity, alert.title) == (severity, f"{mark}PAPER: {title}")
    for one in checks:
        assert (f"{one['name'].replace('_', ' ')}: words" in alert.text) is (one["outcome"] != "go")
    assert (LINK in alert.text) is login_needed
    assert "expiry day" in alert.text


def test_another_reason_for_no_go_is_another_alert_and_the_same_is_not(told):
    for checks in (
        [check("clock", "no_go", "1.2 s")],
        [check("clock", "no_go", "1.3 s")],
        [check("disk", "no_go")],
    ):
        told.log.error("preflight", go=False, day=DAY, checks=checks, login_needed=False)
    keys = [alert.key for alert in told.alerts]
    assert keys[0] == keys[1] != keys[2]


def test_the_summary_has_the_chart(told):
    told.log.info(
        "summary", day=DAY, mode="live", trades=3, wins=2, net_pnl=-4321.4, charges=900.0,
        max_drawdown=-5000.0,
        entries_denied=4, chart="/somewhere/chart.png", report=None,
    )  # fmt: skip
    told.log.info("summary", day=DAY, mode="live", trades=0, wins=0, net_pnl=0.0, chart=None)
    first, second = told.alerts
    assert first.title == "LIVE: Thu 24 Sep 2026: net -4,321 rupees"
    assert first.attachments == (Path("/somewhere/chart.png"),)
    assert "3 trades, 2 won." in first.text
    assert "Charges 900 rupees.\nDeepest fall of the equity 5,000 rupees.\nEntries denied: 4." in first.text
    assert (second.attachments, "No trades." in second.text) == ((), True)


RECORDS: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("info", "unattended_begins", {"mode": "paper", "until": None}, "info", "watching the market"),
    ("info", "unattended_ends", {"reason": "SIGTERM"}, "warning", "no longer watching the market"),
    ("info", "no_session", {"day": "2026-10-02", "next": "2026-10-05"}, "info",
     "no session on Fri 02 Oct 2026"),
    ("warning", "step_missed", {"name": "preflight", "at": f"{DAY}T08:45:00+05:30", "late_minutes": 12.0},
     "warning", "step missed: preflight"),
    ("error", "step_missed", {"name": "square_off", "at": f"{DAY}T15:20:00+05:30", "late_minutes": 12.0},
     "critical", "step missed: square off"),
    ("error", "session_missed", {"day": DAY, "reason": "started at 16:00"}, "critical",
     "the session of Thu 24 Sep 2026 was missed"),
    ("warning", "clock_stepped", {"seconds": -3600.0}, "warning",
     "this machine's clock was moved by -3,600 seconds"),
    ("info", "control", {"id": "1", "command": "pause", "by": "page", "outcome": "done", "words": "paused"},
     "info", "pause by page: done"),
    ("warning", "control", {"id": "2", "command": "flatten", "by": "page", "outcome": "done",
     "words": "closed"},
     "warning", "flatten by page: done"),
    ("warning", "control", {"id": "3", "command": "resume", "by": "page", "outcome": "refused",
     "words": "kill"},
     "warning", "resume by page: refused"),
    ("warning", "retrained", {"outcome": "stored", "version": "v0007", "trades": 90, "wins": 41}, "info",
     "a new model v0007 is trained"),
    ("error", "retrained", {"outcome": "failed", "reason": "exit code 3: no bars"}, "warning",
     "a training failed"),
    ("error", "companion_died", {"code": -9}, "warning", "status page and alerts were down for a moment"),
    ("error", "day_failed", {"error": "BrokerError: x", "will_retry": True}, "critical",
     "the day was ended by an error"),
    ("info", "post_market", {"parity": "differs", "parity_words": "1 trade", "drift": "ok"}, "warning",
     "look at the day's checks"),
    ("warning", "post_market", {"parity": "passed", "drift": "ok", "troubles": ["report: disk full"]},
     "warning", "look at the day's checks"),
    ("error", "ended_by_error", {"error": "ValueError: x"}, "critical",
     "the program has ended with an error"),
    ("error", "login_needed", {"reason": "token", "remedy": "x"}, "critical", "a new Kite login is needed"),
    ("error", "session_dead", {"error": "403", "open": "+130"}, "critical", "a new Kite login is needed"),
    ("error", "stream_refused", {"reason": "HTTP 403"}, "critical", "a new Kite login is needed"),
    ("info", "login_found", {}, "info", "the new login is in use"),
    ("error", "halted", {"reason": "foreign position"}, "critical", "no more entries"),
    ("error", "halted", {"flat": True, "open": "nothing"}, "critical",
     "trading ended by an error, nothing is open"),
    ("error", "halted", {"flat": False, "open": "+130 NIFTY"}, "critical",
     "trading ended by an error, open: +130 NIFTY"),
    ("info", "resumed", {"reason": "flat again"}, "info", "entries are allowed again"),
    ("error", "taken_over", {"trip": 1, "units": 130, "foreign": -65}, "critical",
     "somebody else closed a position of ours"),
    ("error", "protection_failed", {"trip": 1, "detail": "refused"}, "critical",
     "the stop did not hold its place: the position is being closed"),
    ("error", "journal_failed", {"error": "disk full", "open": "+130"}, "critical",
     "the journal is unwritable: the position is being closed"),
    ("error", "desk_failed", {"error": "x", "open": ""}, "critical", "order handling failed"),
    ("error", "failed", {"error": "ValueError: x"}, "critical",
     "an unexpected error: the position is being closed"),
    ("error", "left_open", {"open": "+130", "remedy": "look"}, "critical",
     "A POSITION WAS LEFT OPEN: close it by hand now"),
    ("warning", "square_off_late", {"own": "15:28", "broker": "15:26", "product": "MIS"}, "warning",
     "the broker squares off before we do"),
    ("error", "trading_died", {"words": "code -9"}, "critical", "the trading process has ended unexpectedly"),
    ("error", "trading_silent", {"words": "for 20 s"}, "critical",
     "the trading process says nothing any more"),
    ("error", "never_heard_of", {"why": "x"}, "critical", "never heard of"),
    ("error", "summary", {"why": "malformed"}, "critical", "summary"),
]  # fmt: skip


@pytest.mark.parametrize(("level", "event", "fields", "severity", "title"), RECORDS)
def test_each_event_is_told_in_its_words(told, level, event, fields, severity, title):
    getattr(told.log, level)(event, **fields)
    (alert,) = told.alerts
    mark = "CRITICAL " if severity == "critical" else ""
    assert (alert.severity, alert.title) == (severity, f"{mark}LIVE: {title}")
    assert alert.text.endswith("2026-09-24 14:36:02 IST")
    assert "{" not in alert.words
    assert "None" not in alert.words


def test_no_event_is_left_without_a_test():
    tested = {event for _, event, *_ in RECORDS} | {"preflight", "summary", "exit_refused"}
    assert tested >= set(DAY_ALERTS)


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ("bar", {"start": DAY, "close": 1.0}),
        ("no_session", {"day": "2026-09-26", "next": "2026-09-28"}),
        ("post_market", {"parity": "passed", "drift": "ok", "backup": "x", "troubles": []}),
        ("post_market", {"parity": "not_run", "drift": "unknown"}),
        ("summary", {}),
        ("stopping", {"reason": "SIGTERM"}),
        ("step", {"name": "preflight", "at": DAY}),
    ],
)
def test_what_is_as_usual_or_malformed_is_not_told(told, event, fields):
    told.log.info(event, **fields)
    assert told.alerts == []


def test_each_trouble_after_the_close_is_a_line(told):
    troubles = ["report: disk full", "backup: no room"]
    told.log.warning("post_market", parity="differs", parity_words="1 trade", drift="ok", troubles=troubles)
    assert told.alerts[0].text.splitlines()[:-1] == ["Parity: 1 trade", *troubles]


@pytest.mark.parametrize("code", [0x202A, 0x202E, 0x2066, 0x2069])
def test_what_turns_the_direction_of_writing_becomes_a_blank(code):
    alert = Alert(severity="info", title=f"a{chr(code)}b", text=f"c{chr(code)}d")
    assert (alert.title, alert.text) == ("a b", "c d")


@pytest.mark.parametrize("code", [0x2029 - 1, 0x202F, 0x2065, 0x206A])
def test_its_neighbours_stay(code):
    assert chr(code) in Alert(severity="info", title="a", text=f"c{chr(code)}d").text


def test_what_alerts_log_of_themselves_is_no_alert(told):
    for event in ("alert_channel_ended", "heartbeat_failing", "telegram_commands_down"):
        told.log.error(event, error="x")
    assert told.alerts == []


def test_a_control_from_telegram_is_not_told_there_again(told):
    told.log.info("control", id="1", command="pause", by="telegram", outcome="done", words="paused")
    assert told.alerts[0].told_on == "telegram"


def test_a_login_is_asked_for_once_however_many_notice(told):
    told.log.error("session_dead", error="403", open="")
    told.log.error("login_needed", reason="403")
    assert len({alert.key for alert in told.alerts}) == 1


def test_the_same_trade_number_on_another_day_is_another_alert():
    rules = AlertRules("live")
    closed = {"event": "trip_closed", "level": "info", "trip": 1, "net_pnl": 5.0}
    keys = {rules.alert_of({**closed, "time": f"2026-09-{day}T10:00:00+05:30"}).key for day in (24, 25)}
    assert len(keys) == 2


# -- the stream ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "is_told"), [(19.0, False), (20.0, True), (21.0, True)])
def test_a_stream_that_is_down_is_told_after_a_moment_and_its_return_too(told, seconds, is_told):
    told.log.info("stream", state="up", reason="")
    told.log.info("stream", state="down", reason="no connection")
    told.hand.seconds += seconds
    due = told.rules.due()
    assert (due is not None) is is_told
    assert told.rules.due() is None
    told.log.info("stream", state="down", reason="still")
    told.log.info("stream", state="up", reason="")
    assert told.told == ([("info", f"LIVE: prices are back after {seconds:.0f} seconds")] if is_told else [])
    if is_told:
        assert (due.severity, due.title) == ("warning", "LIVE: no prices: the stream is down")
        assert "no connection." in due.text


@pytest.mark.parametrize("event", ["day_over", "stopping"])
def test_a_stream_that_ends_with_the_day_is_not_told(told, event):
    told.log.info("stream", state="down", reason="x")
    told.log.info(event, reason="market over")
    told.hand.seconds += 1000
    assert told.rules.due() is None


# -- hostile records -----------------------------------------------------------------------------------------

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
FIELDS = (
    "time", "level", "symbol", "tag", "trip", "size", "price", "state", "filled", "role", "net_pnl", "checks",
    "go", "day", "name", "at", "outcome", "command", "by", "id", "trade_id", "kind", "order_id",
    "average_price",
)  # fmt: skip
EVENTS = (
    *DAY_ALERTS,
    "filled",
    "intent",
    "order_seen",
    "trip_closed",
    "paper_order",
    "entry_denied",
    "stream",
    "plan",
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.sampled_from(EVENTS), st.dictionaries(st.sampled_from(FIELDS), ANYTHING)), max_size=8
    )
)
def test_no_record_can_end_the_rules(records):
    rules = AlertRules("demo")
    for event, fields in records:
        alert = rules.alert_of({**fields, "event": event})
        assert alert is None or "\n" not in alert.title
    rules.due()
