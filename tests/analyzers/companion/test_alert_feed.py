"""From logs to alerts, also over restarts: nothing twice, nothing left out, and with the words of before."""

import json
import threading

import pytest

from analyzers.alerts.rules import AlertRules
from analyzers.companion.alert_feed import AlertFeed
from tests.analyzers.alerts.support import MemoryLog
from tests.analyzers.companion.running import WAIT, TradingProcess
from tests.analyzers.status.examples import log, record


class Desk:
    """Keeps what is handed in."""

    def __init__(self):
        self.alerts = []

    def put(self, alert):
        self.alerts.append(alert)

    @property
    def titles(self):
        return [alert.title.removeprefix("LIVE: ") for alert in self.alerts]


class Companionless:
    """Makes feeds over one state folder, as restarts do."""

    def __init__(self, state):
        self.state, self.log, self.outage = state, MemoryLog(), ""
        self.trading = TradingProcess(state)
        self.trading.say()

    def feed(self):
        desk = Desk()
        return AlertFeed(self.state, AlertRules("live"), desk, lambda: self.outage, self.log), desk

    def closed(self, number, file="live.log"):
        self.trading.log("trip_closed", file=file, trip=number, net_pnl=10.0 * number)


@pytest.fixture
def here(tmp_path):
    return Companionless(tmp_path)


def test_both_logs_are_told_in_the_order_of_their_times(here):
    feed, desk = here.feed()
    log(here.state / "live.log", record("trip_closed", time="10:00:02", trip=1, net_pnl=10.0))
    log(here.state / "watch.log", record("resumed", time="10:00:01", reason="by hand"))
    feed.look()
    feed.look()
    assert desk.titles == ["entries are allowed again", "flat again, net +10 rupees (closed)"]


def test_a_restart_tells_nothing_twice_and_leaves_nothing_out(here):
    first, desk = here.feed()
    here.closed(1)
    here.trading.log("resumed", file="watch.log", reason="by hand")
    first.look()
    assert len(desk.alerts) == 2
    here.closed(2)  # while there is no companion
    second, desk = here.feed()
    second.look()
    here.closed(3)
    second.look()
    assert desk.titles == [f"flat again, net +{number}0 rupees (closed)" for number in (2, 3)]


def test_after_a_restart_an_exit_is_told_with_the_words_of_its_entry(here):
    say = here.trading.log
    first, desk = here.feed()
    say("intent", tag="e", trip=1, role="entry", size=130.0, kind="market")
    say("filled", tag="e", trade_id="1", size=130.0, price=25_000.0)
    say("intent", tag="t", trip=1, role="target", size=-130.0, kind="limit")
    first.look()
    assert len(desk.alerts) == 1
    second, desk = here.feed()
    second.look()
    assert desk.alerts == []
    say("filled", tag="t", trade_id="2", size=-130.0, price=25_010.0)
    say("trip_closed", trip=1, net_pnl=900.0)
    second.look()
    assert desk.titles == ["flat again, net +900 rupees (target)"]
    assert "Sell 130 at 25,010.00." in desk.alerts[0].text


def test_the_log_of_a_new_day_is_told_from_its_beginning(here):
    feed, desk = here.feed()
    here.closed(1)
    feed.look()
    tomorrow = here.state / "tomorrow"
    log(tomorrow / "live.log", record("trip_closed", trip=1, net_pnl=20.0))
    here.trading.say(folder=str(tomorrow))
    feed.look()
    assert desk.titles == [f"flat again, net +{number}0 rupees (closed)" for number in (1, 2)]
    again, desk = here.feed()
    again.look()
    assert desk.alerts == []


def test_a_process_restarted_in_mid_day_comes_back_to_its_day_without_telling_it_again(here):
    day = here.state / "day"
    log(day / "live.log", record("trip_closed", trip=1, net_pnl=10.0))
    here.trading.say(folder=str(day))
    first, desk = here.feed()
    first.look()
    assert len(desk.alerts) == 1
    here.trading.say(folder=None)  # started anew, it has not come to the session yet
    second, desk = here.feed()
    here.trading.log("resumed", file="watch.log", reason="by hand")
    second.look()
    log(day / "live.log", record("trip_closed", trip=2, net_pnl=20.0))
    here.trading.say(folder=str(day))
    second.look()
    assert desk.titles == ["entries are allowed again", "flat again, net +20 rupees (closed)"]


def test_positions_of_old_days_are_forgotten(here):
    feed, _ = here.feed()
    for number in range(20):
        day = here.state / f"day-{number}"
        log(day / "live.log", record("trip_closed", trip=1, net_pnl=10.0))
        here.trading.say(folder=str(day))
        feed.look()
    kept = list(json.loads((here.state / "alerts.json").read_text()))
    assert kept[-1] == str(here.state / "day-19/live.log")
    assert len(kept) == 10


@pytest.mark.parametrize("kept", [b"", b"[]", b"\xff", b'{"%s": 7}', b'{"%s": {"inode": "x"}}'])
def test_a_position_that_cannot_be_read_means_that_all_is_new(here, kept):
    name = str(here.state / "live.log").encode()
    (here.state / "alerts.json").write_bytes(kept.replace(b"%s", name))
    here.closed(1)
    feed, desk = here.feed()
    feed.look()
    assert len(desk.alerts) == 1


def test_a_position_that_cannot_be_kept_is_complained_of_once(here):
    (here.state / "alerts.json").mkdir()
    feed, desk = here.feed()
    for number in (1, 2):
        here.closed(number)
        feed.look()
    assert len(desk.alerts) == 2
    assert [record["event"] for record in here.log.records] == ["alert_position_unwritable"]


def test_an_outage_is_told_when_it_begins_and_again_when_it_has_come_back(here):
    feed, desk = here.feed()
    for here.outage in ("", "silent for 16 s", "silent for 17 s", "", "silent for 18 s"):
        feed.look()
    assert ["silent for 16 s" in alert.text for alert in desk.alerts] == [True, False]


def test_what_two_threads_see_is_told_once_and_in_order(here):
    """The last look at a dead process is not that of the feed's own thread."""
    feed, desk = here.feed()
    is_telling, go_on, keep = threading.Event(), threading.Event(), desk.put

    def tell_slowly(alert):
        is_telling.set()
        go_on.wait(WAIT)
        keep(alert)

    desk.put = tell_slowly
    here.closed(1)
    first = threading.Thread(target=feed.look)
    first.start()
    assert is_telling.wait(WAIT)
    desk.put = keep
    here.closed(2)
    second = threading.Thread(target=lambda: feed.hear(record("resumed", reason="by hand")))
    second.start()
    second.join(0.3)  # were it let in, it would be through by now
    go_on.set()
    for thread in (first, second):
        thread.join(WAIT)
    told = [f"flat again, net +{number}0 rupees (closed)" for number in (1, 2)]
    assert desk.titles == [*told, "entries are allowed again"]


def test_its_thread_looks_until_the_block_ends_and_once_more(here):
    feed, desk = here.feed()
    with feed:
        here.closed(1)
    assert len(desk.alerts) == 1
    kept = json.loads((here.state / "alerts.json").read_text())
    assert str(here.state / "live.log") in kept
