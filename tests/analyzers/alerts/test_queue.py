"""The queue of a channel: bounded, in order, the least severe goes first, and every alert is counted once."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzers.alerts.alert import SEVERITIES
from analyzers.alerts.channel import DeliveryError
from analyzers.alerts.desk import AlertDesk
from analyzers.alerts.queue import AlertQueue
from analyzers.alerts.worker import Pauses
from feeds.secrets import Secrets
from tests.analyzers.alerts.support import AT_ONCE, GatedChannel, Hand, MemoryLog, alert_of, settings_of
from tests.telegram_server import WAIT

SIZES = st.integers(min_value=1, max_value=6)
STEPS = st.lists(st.sampled_from([*SEVERITIES, "begin", "done", "release"]), max_size=60)


@settings(deadline=None)
@given(SIZES, STEPS)
def test_it_never_holds_more_than_its_size_keeps_the_order_and_loses_nothing(size, steps):
    """Against a model: a list, of which the oldest of the least severe goes, the one being sent excepted."""
    queue, model, gone, is_sending, put, done = AlertQueue(size), [], [], False, 0, 0
    for step in steps:
        if step in SEVERITIES:
            alert = alert_of(str(put), step)
            put += 1
            dropped = queue.put(alert)
            model.append(alert)
            if len(model) > size:
                loose = model[1:] if is_sending else model
                least = min(SEVERITIES.index(item.severity) for item in loose)
                expected = next(item for item in loose if SEVERITIES.index(item.severity) == least)
                model.remove(expected)
                gone.append(expected)
                assert dropped is expected
            else:
                assert dropped is None
        elif step == "begin" and model and not is_sending:
            assert queue.begin().alert is model[0]
            is_sending = True
        elif step == "done" and is_sending:
            queue.done()
            del model[0]
            done += 1
            is_sending = False
        elif step == "release" and is_sending:
            queue.release()
            is_sending = False
        assert len(queue) == len(model) <= size
        assert put == len(queue) + len(gone) + done
    rest = []
    while len(queue):
        rest.append(queue.begin().alert)
        queue.done()
    assert rest == model


@pytest.mark.parametrize(("count", "dropped"), [(4, 0), (5, 0), (6, 1), (7, 2)])
def test_the_size_is_a_size(count, dropped):
    queue = AlertQueue(5)
    assert sum(queue.put(alert_of(str(number))) is not None for number in range(count)) == dropped
    assert len(queue) == count - dropped


def test_the_least_severe_goes_and_it_may_be_the_new_one():
    queue = AlertQueue(2)
    critical, warning, info = (alert_of(name, name) for name in ("critical", "warning", "info"))
    assert queue.put(warning) is None
    assert queue.put(critical) is None
    assert queue.put(info) is info
    assert queue.put(alert_of("second", "critical")) is warning
    assert queue.begin().alert is critical


def test_what_is_being_sent_is_not_dropped_and_between_tries_it_may_be():
    queue = AlertQueue(1)
    first, second, third = alert_of("1"), alert_of("2"), alert_of("3")
    queue.put(first)
    assert queue.begin().alert is first
    assert queue.put(second) is second
    queue.release()
    assert queue.put(third) is first


def test_a_closed_queue_takes_nothing_and_wakes_who_waits():
    queue = AlertQueue(3)
    got = []
    waiting = threading.Thread(target=lambda: got.append(queue.begin()))
    waiting.start()
    queue.close()
    waiting.join(WAIT)
    assert got == [None]
    refused = alert_of("late")
    assert queue.put(refused) is refused
    queue.pause(WAIT * 10)  # comes back at once
    assert queue.clear() == 0


# -- the same through a desk, with threads -------------------------------------------------------------------

OUTCOMES = st.sampled_from(["sent", "passing", "lost", "final"])


@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(1, 5),
    given_alerts=st.lists(
        st.tuples(st.sampled_from(SEVERITIES), st.sampled_from(["", "", "a"])), max_size=25
    ),
    outcomes=st.lists(OUTCOMES, max_size=25),
    waits=st.booleans(),
)
def test_counters_add_up_and_order_is_kept_whatever_the_channel_does(size, given_alerts, outcomes, waits):
    channel = GatedChannel(is_open=not waits, least="warning")
    channel.errors = [
        DeliveryError(kind, is_final=kind == "final", may_have_arrived=kind == "lost")
        for kind in outcomes
        if kind != "sent"
    ]
    desk = AlertDesk([channel], settings_of(queue_size=size), Secrets(), MemoryLog(), pauses=Pauses(0.0, 0.0))
    desk.start()
    try:
        for number, (severity, key) in enumerate(given_alerts):
            desk.put(alert_of(f"{number:03}", severity, key))
            counters = desk.counters()[0]
            assert counters.queued <= size
            wanted = sum(each != "info" for each, _ in given_alerts[: number + 1])
            assert sum(counters[1:6]) == wanted
        channel.gate.set()
        assert desk.flush(WAIT)
        counters = desk.counters()[0]
        assert sum(counters[1:6]) == sum(each != "info" for each, _ in given_alerts)
        assert counters.queued == 0
        assert counters.sent == len(channel.delivered)
        titles = [alert.title for alert in channel.delivered]
        assert titles == sorted(set(titles))
    finally:
        desk.close()


def test_putting_does_not_wait_for_a_channel_that_hangs():
    channel = GatedChannel(is_open=False)
    desk = AlertDesk([channel], settings_of(queue_size=3), Secrets(), MemoryLog(), pauses=AT_ONCE)
    desk.start()
    for number in range(1000):  # would never come to an end if it waited: the gate is shut
        desk.put(alert_of(str(number)))
    counters = desk.counters()[0]
    assert (counters.queued, counters.dropped, counters.sent) == (3, 997, 0)
    channel.gate.set()
    assert desk.flush(WAIT)
    assert [alert.title for alert in channel.delivered][-2:] == ["998", "999"]
    desk.close()
    desk.put(alert_of("after the end"))
    assert desk.counters()[0].dropped == 998


def test_threads_that_put_at_once_lose_nothing():
    channel = GatedChannel()
    desk = AlertDesk([channel], settings_of(queue_size=1000), Secrets(), MemoryLog(), pauses=AT_ONCE)
    desk.start()
    many = [
        threading.Thread(target=lambda name=name: [desk.put(alert_of(f"{name}-{n:03}")) for n in range(100)])
        for name in "abcd"
    ]
    for thread in many:
        thread.start()
    for thread in many:
        thread.join()
    assert desk.flush(WAIT)
    titles = [alert.title for alert in channel.delivered]
    assert len(titles) == 400
    for name in "abcd":
        assert [title for title in titles if title[0] == name] == [f"{name}-{n:03}" for n in range(100)]
    desk.close()


# -- patience ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age_seconds", "tries"), [(899.0, 2), (900.0, 1), (901.0, 1)])
def test_an_alert_is_tried_again_until_it_is_too_old_and_once_at_least(age_seconds, tries):
    hand, log, channel = Hand(), MemoryLog(), GatedChannel(is_open=False)
    channel.standing_error = DeliveryError("down")
    pauses = Pauses(0.001, 0.001)
    desk = AlertDesk([channel], settings_of(give_up_minutes=15), Secrets(), log, pauses=pauses, clock=hand)
    desk.start()
    desk.put(alert_of("x"))
    assert channel.begun.acquire(timeout=WAIT)
    hand.seconds += age_seconds
    if tries == 2:
        channel.gate.set()
        assert channel.begun.acquire(timeout=WAIT)
        hand.seconds += 2
    channel.gate.set()
    assert desk.flush(WAIT)
    log.wait("alert_given_up")
    counters = desk.counters()[0]
    assert (counters.failed, counters.sent, counters.last_error) == (1, 0, "down")
    assert len(channel.tries) >= tries
    if tries == 1:
        assert len(channel.tries) == 1
    desk.close()


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 1.0), (2, 2.0), (3, 4.0), (6, 32.0), (7, 60.0), (8, 60.0), (10_000, 60.0)]
)
def test_pauses_grow_up_to_a_minute(failures, seconds):
    assert Pauses().after(failures) == seconds


def test_what_is_final_is_not_tried_again_and_said_once():
    log, channel = MemoryLog(), GatedChannel()
    channel.standing_error = DeliveryError("no such chat", is_final=True, remedy="correct it")
    desk = AlertDesk([channel], settings_of(), Secrets(), log, pauses=Pauses(1000.0, 1000.0))
    desk.start()
    for number in range(3):
        desk.put(alert_of(str(number)))
    assert desk.flush(WAIT)
    assert [alert.title for alert in channel.tries] == ["0", "1", "2"]
    assert desk.counters()[0].failed == 3
    assert len(log.of("alert_channel_down")) == 1
    assert log.of("alert_channel_down")[0]["remedy"] == "correct it"
    channel.standing_error = None
    desk.put(alert_of("now"))
    assert desk.flush(WAIT)
    log.wait("alert_channel_up")
    desk.close()


def test_a_close_does_not_wait_for_a_pause():
    channel, log = GatedChannel(), MemoryLog()
    channel.standing_error = DeliveryError("later", retry_after_seconds=500.0)
    desk = AlertDesk([channel], settings_of(), Secrets(), log)
    desk.start()
    desk.put(alert_of("x"))
    desk.put(alert_of("y"))
    log.wait("alert_channel_down")
    desk.close()
    desk.close()
    assert (desk.counters()[0].dropped, desk.counters()[0].queued) == (2, 0)
    assert log.of("alerts_left") == [
        {"level": "warning", "event": "alerts_left", "channel": "gated", "count": 2}
    ]


def test_a_second_try_after_a_lost_answer_says_so():
    channel = GatedChannel()
    channel.errors = [DeliveryError("refused"), DeliveryError("lost", may_have_arrived=True)]
    desk = AlertDesk([channel], settings_of(), Secrets(), MemoryLog(), pauses=AT_ONCE)
    desk.start()
    desk.put(alert_of("x", text="a"))
    desk.put(alert_of("y", text="b"))
    assert desk.flush(WAIT)
    again = "(Sent again: the answer to the first try was lost.)"
    assert [alert.text for alert in channel.tries] == ["a", "a", f"a\n{again}", "b"]
    desk.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_a_channel_does_not_foresee_ends_that_channel_only():
    broken, other, log = GatedChannel("broken"), GatedChannel("other"), MemoryLog()
    broken.deliver = lambda alert, deadline: 1 / 0
    desk = AlertDesk([broken, other], settings_of(), Secrets(), log, pauses=AT_ONCE)
    desk.start()
    desk.put(alert_of("x"))
    log.wait("alert_channel_ended")
    desk.put(alert_of("y"))
    assert desk.flush(WAIT)
    assert [alert.title for alert in other.delivered] == ["x", "y"]
    counters = desk.counters()[0]
    assert (counters.failed, counters.dropped, counters.queued) == (1, 1, 0)
    assert "ZeroDivisionError" in counters.last_error
    desk.close()


# -- who gets what -------------------------------------------------------------------------------------------


def test_each_channel_gets_what_it_wants_and_what_its_reader_does_not_know():
    everything, urgent, telegram = GatedChannel("a"), GatedChannel("b", "critical"), GatedChannel("telegram")
    desk = AlertDesk([everything, urgent, telegram], settings_of(), Secrets(), MemoryLog())
    desk.start()
    desk.put(alert_of("info"))
    desk.put(alert_of("warning", "warning", told_on="telegram"))
    desk.put(alert_of("critical", "critical"))
    assert desk.flush(WAIT)
    titles = [[alert.title for alert in channel.delivered] for channel in (everything, urgent, telegram)]
    assert titles == [["info", "warning", "critical"], ["critical"], ["info", "critical"]]
    desk.close()


def test_secrets_leave_no_alert():
    channel = GatedChannel()
    desk = AlertDesk([channel], settings_of(), Secrets({"STATUS_TOKEN": "opensesame"}), MemoryLog())
    desk.start()
    desk.put(alert_of("opensesame", text="why opensesame\nsecond line"))
    assert desk.flush(WAIT)
    assert channel.delivered[0].words == "***\nwhy ***\nsecond line"
    desk.close()


@pytest.mark.parametrize(("after_seconds", "is_sent"), [(599.0, False), (600.0, True), (601.0, True)])
def test_the_same_alert_is_held_back_for_a_while_and_counted_with_the_next(after_seconds, is_sent):
    hand, channel = Hand(), GatedChannel()
    desk = AlertDesk([channel], settings_of(repeat_minutes=10), Secrets(), MemoryLog(), clock=hand)
    desk.start()
    for title in ("first", "second", "third"):
        desk.put(alert_of(title, key="k"))
    desk.put(alert_of("worse", "critical", "k"))
    desk.put(alert_of("without a key"))
    hand.seconds += after_seconds
    desk.put(alert_of("later", key="k", text="text"))
    assert desk.flush(WAIT)
    sent = [alert.words for alert in channel.delivered]
    later = ["later\ntext\n(2 more like this since the last message)"] if is_sent else []
    assert sent == ["first", "worse", "without a key", *later]
    assert desk.counters()[0].suppressed == (2 if is_sent else 3)
    desk.close()


def test_without_a_window_nothing_is_held_back():
    channel = GatedChannel()
    desk = AlertDesk([channel], settings_of(repeat_minutes=0), Secrets(), MemoryLog(), clock=Hand())
    desk.start()
    for _ in range(3):
        desk.put(alert_of("x", key="k"))
    assert desk.flush(WAIT)
    assert len(channel.delivered) == 3
    desk.close()
