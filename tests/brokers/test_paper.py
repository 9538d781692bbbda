"""A paper day without restarts: the backtest's fills, and what the clock adds."""

import datetime as dt
import threading

import backtrader as bt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brokers.paper_book import PaperBook
from feeds.errors import BrokerError
from tests.brokers.paper_cases import BrokenError, at, contents, play, told
from tests.brokers.test_simulated_accounting import COSTS, bar_steps, entry_signals, random_frame
from tests.support import frame_of, run, settings_of

FLAT = (1000.0, 1005.0, 995.0, 1000.0)
LATE = {"last_entry": dt.time(15, 18), "last_entry_before_close_minutes": 12}
TEMPORARY = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "paper.sqlite"


def bars_of(bars, signal=(), start="09:15", **columns):
    return frame_of(
        list(bars), at=start, signal=[*signal, *[0] * (len(bars) - len(signal))], atr=[10.0] * len(bars),
        **columns,
    )  # fmt: skip


def moment(text):
    return at(text).replace(tzinfo=None)


# -- bars ------------------------------------------------------------------------------------------


@TEMPORARY
@given(bar_steps, entry_signals, st.sampled_from([0.0, 0.05, 0.3]), st.booleans(), st.randoms())
def test_a_day_fills_as_in_a_backtest_however_often_the_loop_turns(
    tmp_path_factory, steps, signals, share, with_daily_loss, random
):
    frame = random_frame(steps, signals)
    chosen = settings_of(
        broker={**COSTS, "max_percent_of_volume": share},
        risk={"daily_loss_rupees": 4000.0 if with_daily_loss else None, "max_entries_per_day": 5},
    )
    path = tmp_path_factory.mktemp("day") / "paper.sqlite"
    seconds = sorted(random.randrange(60, 180 * len(frame)) for _ in range(10))
    idle = [(at("09:15") + dt.timedelta(seconds=each), None) for each in seconds]
    paper, backtest = play(frame, chosen, path, idle=idle).journal, run(frame, chosen)
    closed_by_backtest = [fill for fill in backtest.fills if fill.role == "end_of_data"]
    assert paper.fills == backtest.fills[: len(backtest.fills) - len(closed_by_backtest)]
    assert paper.events == backtest.events[: len(paper.events)]
    assert paper.contexts == backtest.contexts


def test_what_is_open_at_the_end_stays_in_the_book(path):
    played = play(bars_of([FLAT] * 3, [1]), settings_of(), path)
    assert told(played.journal) == [("entry", "03 09:18", 75, 1000.0)]
    assert played.broker.held == 75
    assert [order.role for order in played.broker.get_orders_open()] == ["stop", "target"]


class Impatient(bt.Strategy):
    """Buys from the second bar on, whatever the bar is."""

    def next(self):
        if len(self) > 1 and not self.position:
            self.buy(size=75)


def test_no_entry_is_taken_on_a_bar_that_closed_too_long_ago(path):
    """Bars of a break in the feed: they arrive at 09:30, each as if it had just closed."""
    frame = bars_of([FLAT] * 8)
    catching_up = [(at("09:20"), lambda broker: broker._clock.set(at("09:30")))]
    journal = play(frame, settings_of(), path, strategy=Impatient, idle=catching_up).journal
    refused = [(event.time, event.reason) for event in journal.events if event.state == "rejected"]
    assert refused == [
        (moment("09:21"), "decided on a bar that closed 540 s ago, expected at most 180 s"),
        (moment("09:24"), "decided on a bar that closed 360 s ago, expected at most 180 s"),
    ]


def test_the_gate_hears_how_old_the_data_are(path):
    frame = bars_of([FLAT] * 8, [0, 0, 1])
    late = [(at("09:20"), lambda broker: broker._clock.set(at("09:24:31")))]
    chosen = settings_of(risk={"max_data_age_seconds": 30.0})
    (denied,) = {
        event.reason
        for event in play(frame, chosen, path, idle=late).journal.events
        if event.state == "denied"
    }
    assert denied == "data are 31.0 s old, the limit is 30 s"


def test_a_halted_account_takes_no_entry_but_lets_exits_work(path):
    frame = bars_of([FLAT] * 4 + [(1000, 1001, 979, 985), FLAT, FLAT], [1, 0, 0, 0, 0, 1])
    stop_entries = [(at("09:20"), lambda broker: broker.halt("told to stop"))]
    journal = play(frame, settings_of(), path, idle=stop_entries).journal
    assert [fill.role for fill in journal.fills] == ["entry", "stop"]
    denied = [event for event in journal.events if event.state == "denied"]
    assert [(event.role, event.rule, event.reason) for event in denied] == [
        (role, "halt", "told to stop") for role in ("entry", "stop", "target")
    ]


# -- the clock -------------------------------------------------------------------------------------


def test_the_clock_squares_off_when_no_bar_comes(path):
    frame = bars_of([FLAT] * 3, [1], start="14:00")
    seen = {}
    idle = [
        (at("15:21:29"), None),
        (at("15:21:30"), lambda broker: seen.update(before=broker.held)),
        (at("15:21:31"), lambda broker: seen.update(after=broker.held)),
    ]
    chosen = settings_of(
        broker={"charges": {"plan": "zerodha"}, "slippage": {"model": "ticks", "ticks": 1.0}}
    )
    played = play(frame, chosen, path, idle=idle, start=at("13:59"))
    assert seen == {"before": 75, "after": 0}
    assert told(played.journal)[1:] == [("square_off", "03 14:06", -75, 999.95)]
    fill = played.journal.fills[-1]
    assert (fill.bar, fill.reference_price) == (2, 1000.0)
    assert fill.charges > 0
    ended = played.journal.events[-4:]
    assert [(event.role, event.state) for event in ended] == [
        ("target", "canceled"), ("square_off", "submitted"), ("square_off", "accepted"),
        ("square_off", "completed"),
    ]  # fmt: skip
    assert {event.time for event in ended} == {moment("15:21:30")}


def test_the_price_last_traded_is_better_than_the_last_close(path):
    frame = bars_of([FLAT] * 3, [1], start="14:00")
    options = {"idle": [(at("15:22"), None)], "start": at("13:59")}
    journal = play(frame, settings_of(), path, last_price=lambda: 1003.5, **options).journal
    assert journal.fills[-1].price == 1003.5
    unknown = play(
        frame, settings_of(), path.with_name("b.sqlite"), last_price=lambda: float("nan"), **options
    )
    assert unknown.journal.fills[-1].price == 1000.0


def test_an_exit_on_its_way_is_given_a_bar_to_fill_on(path):
    """Decided at 15:21 by the strategy; no bar comes; 180 s of bar and 30 s of grace later the clock acts."""
    frame = bars_of([FLAT] * 3, [1], start="15:12")
    held = []
    idle = [
        (at(text), lambda broker: held.append(broker.held))
        for text in ("15:22", "15:24:29", "15:24:30", "15:25")
    ]
    chosen = settings_of(strategy=LATE)
    played = play(frame, chosen, path, idle=idle, start=at("15:11"))
    assert held == [75, 75, 75, 0]
    assert told(played.journal)[-1] == ("square_off", "03 15:18", -75, 1000.0)
    squared = [event for event in played.journal.events if event.role == "square_off"]
    assert [event.state for event in squared] == [
        "submitted", "accepted", "canceled", "submitted", "accepted", "completed",
    ]  # fmt: skip
    assert squared[3].reason == "by the clock: no bar squared it off"


def test_an_exit_that_fills_on_the_next_bar_is_left_alone(path):
    frame = bars_of([FLAT] * 5, [1], start="15:12")
    idle = [(at("15:22"), None), (at("15:23:59"), None)]
    chosen = settings_of(strategy=LATE)
    journal = play(frame, chosen, path, idle=idle, start=at("15:11")).journal
    assert told(journal) == told(run(frame, chosen))


class Limits(bt.Strategy):
    """Leaves a limit order that is never reached."""

    def next(self):
        if len(self) == 1:
            self.buy(size=75, exectype=bt.Order.Limit, price=900.0)


def test_the_clock_takes_back_an_entry_that_still_waits(path):
    idle = [(at("15:21:30"), None)]
    played = play(bars_of([FLAT] * 3), settings_of(), path, strategy=Limits, idle=idle)
    assert played.broker.get_orders_open() == []
    assert played.journal.events[-1].state == "canceled"
    assert played.journal.fills == []


def test_a_day_without_a_session_has_no_square_off(path):
    idle = [(at("15:29"), None)]
    played = play(bars_of([FLAT] * 3, [1]), settings_of(), path, idle=idle, square_off_at=lambda day: None)
    assert played.broker.held == 75


# -- flatten ---------------------------------------------------------------------------------------


def test_flatten_from_another_thread_closes_with_the_next_turn(path):
    def ask(broker):
        caller = threading.Thread(target=broker.flatten, args=("signal", "Ctrl-C"))
        caller.start()
        caller.join()
        assert broker.held == 75

    frame = bars_of([FLAT] * 6, [1])
    played = play(frame, settings_of(), path, idle=[(at("09:22"), ask)])
    assert told(played.journal)[1:] == [("signal", "03 09:18", -75, 1000.0)]
    assert played.journal.events[-1].time == moment("09:22")
    assert next(event.reason for event in played.journal.events if event.role == "signal") == "Ctrl-C"


def test_flatten_after_an_error_is_honoured_by_stop(path):
    """The feed breaks while it loads a bar; the session flattens and stops."""

    def end(broker):
        broker.flatten("signal", "an error")
        broker.close()
        broker.close()

    def fail(broker):
        raise BrokenError

    frame = bars_of([FLAT] * 3, [1])
    played = play(frame, settings_of(), path, idle=[(at("09:22"), None), (at("09:23"), fail)], on_end=end)
    assert told(played.journal) == [("entry", "03 09:18", 75, 1000.0), ("signal", "03 09:18", -75, 1000.0)]
    assert [fill.bar for fill in played.journal.fills] == [1, 1]
    again = play(frame, settings_of(), path, start=at("09:30"))
    assert again.broker.held == 0
    assert again.journal.fills == played.journal.fills


def test_flatten_after_the_end_of_the_feed_is_honoured_by_close(path):
    """Ctrl-C ends the feed, Cerebro stops the broker, and only then the session decides what to do."""

    def end(broker):
        broker.flatten("shutdown", "SIGINT")
        broker.close()

    played = play(bars_of([FLAT] * 3, [1]), settings_of(), path, on_end=end)
    assert told(played.journal)[1:] == [("shutdown", "03 09:21", -75, 1000.0)]
    assert (
        len(contents(path)[0]) == len(played.journal.events) + 2 + 1 + 4
    )  # fills, context, the gate's facts


def test_flatten_with_nothing_open_changes_nothing(path):
    ask = [(at("09:22"), lambda broker: broker.flatten("signal"))]
    played = play(bars_of([FLAT] * 4, [0, 0, 1]), settings_of(), path, idle=ask)
    assert [fill.role for fill in played.journal.fills] == ["entry"]


# -- the file --------------------------------------------------------------------------------------


def test_a_second_instance_is_refused_until_the_first_has_ended(path):
    first = PaperBook(path)
    with pytest.raises(BrokerError, match=r"paper\.sqlite is in use by another process"):
        PaperBook(path)
    first.close()
    PaperBook(path).close()


def test_a_book_is_for_one_instrument_and_one_feed(path):
    frame = bars_of([FLAT] * 3, [1])
    play(frame, settings_of(), path)
    before = contents(path)
    with pytest.raises(BrokerError, match="is of NIFTY, expected BANKNIFTY"):
        play(frame, settings_of(market={"instrument": "BANKNIFTY"}), path)
    assert contents(path) == before
