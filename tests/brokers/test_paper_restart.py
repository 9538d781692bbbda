"""A paper account over the ends of its processes: crashes, breaks, nights."""

import datetime as dt

import backtrader as bt
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.brokers.paper_cases import at, contents, play, told
from tests.brokers.test_simulated_accounting import COSTS, bar_steps, entry_signals, random_frame
from tests.support import DAY, frame_of, run, settings_of

FLAT = (1000.0, 1005.0, 995.0, 1000.0)
FALL = (1000.0, 1001.0, 979.0, 985.0)
NEXT_DAY = DAY + dt.timedelta(days=1)
SECOND = dt.timedelta(seconds=1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "paper.sqlite"


def bars_of(bars, signal=(), start="09:15", day=DAY, **columns):
    return frame_of(
        list(bars), at=start, day=day, signal=[*signal, *[0] * (len(bars) - len(signal))],
        atr=[10.0] * len(bars), **columns,
    )  # fmt: skip


def closes_of(frame):
    return [stamp.to_pydatetime() + dt.timedelta(minutes=3) for stamp in frame.index]


# -- one restart after another -----------------------------------------------------------------------


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bar_steps, entry_signals, st.sampled_from([0.0, 0.05, 0.3]), st.booleans(),
    st.sets(st.integers(1, 90), max_size=6),
)  # fmt: skip
def test_restarts_change_nothing(tmp_path_factory, steps, signals, share, with_daily_loss, breaks):
    """Killed between two bars and started at once: the day is as if nothing had happened, to the last bit."""
    frame = random_frame(steps, signals)
    chosen = settings_of(
        strategy={"fixed_units": 300},
        broker={**COSTS, "max_percent_of_volume": share},
        risk={
            "daily_loss_rupees": 4000.0 if with_daily_loss else None, "max_entries_per_day": 5,
            "cooldown_losses": 2, "max_data_age_seconds": 30.0,
        },
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("restarts")
    whole = play(frame, chosen, folder / "whole.sqlite")
    path, start, closes = folder / "broken.sqlite", None, closes_of(frame)
    for bar in sorted(bar for bar in breaks if bar < len(frame)):
        play(frame, chosen, path, start=start, breaks_after=bar)
        start = closes[bar - 1] + SECOND
    broken = play(frame, chosen, path, start=start)
    assert broken.journal.fills == whole.journal.fills
    assert broken.journal.events == whole.journal.events
    assert repr(broken.journal.contexts) == repr(whole.journal.contexts)
    assert broken.broker.getcash() == whole.broker.getcash()
    assert broken.broker.startingcash == whole.broker.startingcash
    assert broken.broker.held == whole.broker.held
    if whole.journal.events:  # a flat account without a fact has begun anew with each process
        assert contents(path)[0] == contents(folder / "whole.sqlite")[0]
        assert contents(path)[1] == contents(folder / "whole.sqlite")[1]


def test_a_second_restart_changes_nothing(path):
    frame = bars_of([FLAT] * 6, [1])
    play(frame, settings_of(), path, breaks_after=4)
    before = contents(path)
    for _ in range(2):
        played = play(frame, settings_of(), path, start=at("09:27:01"), breaks_after=4)
        assert contents(path) == before
        assert told(played.journal) == [("entry", "03 09:18", 75, 1000.0)]
        assert [fill.bar for fill in played.journal.fills] == [1]
        assert played.broker.held == 75


# -- bars that were missed ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missed", "last"),
    [
        (FALL, ("stop", "03 09:24", -75, 980.0)),
        ((1000.0, 1031.0, 999.0, 1030.0), ("target", "03 09:24", -75, 1030.0)),
        ((960.0, 970.0, 950.0, 965.0), ("stop", "03 09:24", -75, 960.0)),
        (FLAT, ("entry", "03 09:18", 75, 1000.0)),
    ],
)
def test_what_rests_is_matched_on_bars_that_were_missed(path, missed, last):
    frame = bars_of([FLAT, FLAT, FLAT, missed, FLAT, FLAT], [1])
    play(frame, settings_of(), path, breaks_after=2)
    played = play(frame, settings_of(), path, start=at("09:30:30"))
    assert told(played.journal)[-1] == last
    assert told(played.journal) == told(run(frame, settings_of()))[: len(played.journal.fills)]


def test_an_entry_that_was_on_its_way_fills_on_the_bar_it_would_have(path):
    frame = bars_of([FLAT, (1001.0, 1006.0, 996.0, 1000.0), FLAT, FLAT], [1])
    play(frame, settings_of(), path, breaks_after=1)
    played = play(frame, settings_of(), path, start=at("09:26"))
    assert told(played.journal) == [("entry", "03 09:18", 75, 1001.0)]
    assert [order.role for order in played.broker.get_orders_open()] == ["stop", "target"]


def test_no_entry_is_decided_on_a_bar_that_was_missed(path):
    frame = bars_of([FLAT] * 7, [0, 0, 1, 1, 0, 1])
    play(frame, settings_of(), path, breaks_after=2)
    played = play(frame, settings_of(), path, start=at("09:28"))
    assert told(played.journal) == [("entry", "03 09:33", 75, 1000.0)]


class Impatient(bt.Strategy):
    """Buys on every bar, whatever the bar is."""

    def __init__(self):
        self.refused = self.accepted = 0

    def next(self):
        if not self.position:
            self.buy(size=75)

    def notify_order(self, order):
        self.refused += order.status == order.Rejected
        self.accepted += order.status == order.Accepted


def test_bars_of_before_the_start_are_no_bars_to_trade_on_and_leave_no_trace(path):
    frame = bars_of([FLAT] * 6)
    played = play(frame, settings_of(), path, start=at("09:26"), strategy=Impatient)
    # closes 09:18, 09:21, 09:24 lie before the start; 09:27 is the first to buy on
    assert (played.strategy.refused, played.strategy.accepted) == (3, 1)
    assert [event.time.time() for event in played.journal.events] == [
        dt.time(9, 27), dt.time(9, 27), dt.time(9, 30),
    ]  # fmt: skip


def test_on_bars_of_before_the_restart_the_position_is_hidden_and_valued_as_it_was(path):
    frame = bars_of(
        [(2000.0, 2005.0, 1995.0, 2000.0), FLAT, FLAT, (1000.0, 1010.0, 995.0, 1010.0), FLAT], [0, 1]
    )
    play(frame, settings_of(), path, breaks_after=4)
    seen = []

    class Watching(bt.Strategy):
        def next(self):
            seen.append((self.position.size, self.broker.getvalue(), self.broker.held))

    play(frame, settings_of(), path, start=at("09:28"), strategy=Watching)
    assert seen == [(0, 1_000_750.0, 75)] * 4 + [(75, 1_000_000.0, 75)]


# -- the strategy goes on ----------------------------------------------------------------------------


def test_the_strategy_squares_off_what_it_held_before_the_restart(path):
    frame = bars_of([FLAT] * 10, [1], start="14:57")
    chosen = settings_of(strategy={"last_entry": dt.time(15, 10), "last_entry_before_close_minutes": 20})
    play(frame, chosen, path, start=at("14:56"), breaks_after=3)
    played = play(frame, chosen, path, start=at("15:07"))
    assert told(played.journal) == told(run(frame, chosen))
    assert told(played.journal)[-1] == ("square_off", "03 15:21", -75, 1000.0)


def test_the_strategy_takes_back_an_entry_that_waits_from_before_the_restart(path):
    frame = bars_of([FLAT] * 10, [1], start="14:57", volume=0.0)
    chosen = settings_of(
        strategy={"last_entry": dt.time(15, 10), "last_entry_before_close_minutes": 20},
        broker={"max_percent_of_volume": 10.0},
    )
    play(frame, chosen, path, start=at("14:56"), breaks_after=3)
    played = play(frame, chosen, path, start=at("15:06:01"))
    assert [(event.role, event.state, f"{event.time:%H:%M}") for event in played.journal.events][-3:] == [
        ("entry", "canceled", "15:21"), ("stop", "canceled", "15:21"), ("target", "canceled", "15:21"),
    ]  # fmt: skip


def test_an_exit_on_its_way_is_not_sent_twice(path):
    frame = bars_of([FLAT] * 10, [1], start="14:57")
    chosen = settings_of(strategy={"last_entry": dt.time(15, 10), "last_entry_before_close_minutes": 20})
    play(frame, chosen, path, start=at("14:56"), breaks_after=8)  # the square-off was decided at 15:21
    played = play(frame, chosen, path, start=at("15:21:05"))
    assert told(played.journal) == told(run(frame, chosen))
    assert [event.role for event in played.journal.events].count("square_off") == 3


def test_backtraders_own_trade_is_rebuilt(path):
    trades = []

    class Telling(bt.Strategy):
        def next(self):
            if len(self) == 2:
                entry = self.buy(size=75, transmit=False)
                self.sell(size=75, exectype=bt.Order.Stop, price=980.0, parent=entry)

        def notify_trade(self, trade):
            trades.append((trade.isclosed, trade.size, trade.price, trade.pnl))

    frame = bars_of([FLAT, FLAT, FLAT, FLAT, FALL, FLAT])
    play(frame, settings_of(), path, strategy=Telling, breaks_after=4)
    play(frame, settings_of(), path, strategy=Telling, start=at("09:27:01"))
    assert trades == [(False, 75, 1000.0, 0.0), (False, 75, 1000.0, 0.0), (True, 0, 1000.0, -1500.0)]


# -- the gate goes on --------------------------------------------------------------------------------


def denied_reasons(journal):
    return [event.reason for event in journal.events if event.state == "denied" and event.role == "entry"]


@pytest.mark.parametrize(
    "risk", [{"daily_loss_rupees": 1000.0}, {"cooldown_losses": 1}, {"max_entries_per_day": 1}]
)
def test_a_limit_that_was_reached_before_the_restart_still_holds(path, risk):
    frame = bars_of([FLAT, FLAT, FALL, FLAT, FLAT, FLAT, FLAT], [1, 0, 0, 0, 0, 1])
    chosen = settings_of(risk=risk)
    play(frame, chosen, path, breaks_after=4)
    played = play(frame, chosen, path, start=at("09:28"))
    whole = play(frame, chosen, path.with_name("whole.sqlite"))
    assert denied_reasons(played.journal) == denied_reasons(whole.journal) != []
    assert played.broker.gate.state == whole.broker.gate.state


# -- nights ------------------------------------------------------------------------------------------


def test_the_next_day_goes_on_with_the_cash_and_an_empty_journal(path):
    first = bars_of([FLAT, FLAT, FALL, FLAT], [1])
    play(first, settings_of(), path)
    both = pd.concat([first, bars_of([FLAT] * 4, [1], day=NEXT_DAY)])
    played = play(both, settings_of(broker={"starting_cash": 5.0}), path, start=at("09:00", NEXT_DAY))
    assert played.broker.startingcash == 998_500.0
    assert told(played.journal) == [("entry", "04 09:18", 75, 1000.0)]
    assert {context.trade_id for context in played.journal.contexts} == {2}
    assert {event.trade_id for event in played.journal.events} == {2}


def test_a_position_of_yesterday_is_matched_and_left_and_told_from_its_beginning(path):
    first = bars_of([FLAT] * 5, [1], start="15:00")
    chosen = settings_of(strategy={"last_entry": dt.time(15, 10), "last_entry_before_close_minutes": 20})
    play(first, chosen, path, start=at("14:59"), breaks_after=3)
    both = pd.concat([first, bars_of([FLAT] * 4, day=NEXT_DAY)])
    played = play(both, chosen, path, start=at("09:00", NEXT_DAY))
    assert told(played.journal) == told(run(both, chosen))
    assert told(played.journal)[-1] == ("square_off", "04 09:18", -75, 1000.0)
    assert [fill.bar for fill in played.journal.fills] == [1, 6]
    assert played.broker.startingcash == 1_000_000.0


# -- the clock and the restart -----------------------------------------------------------------------


def test_a_restart_after_the_square_off_closes_what_is_open_though_no_bar_follows(path):
    frame = bars_of([FLAT] * 4, [1], start="14:00")
    play(frame, settings_of(), path, start=at("13:59"), breaks_after=3)
    played = play(frame.iloc[:3], settings_of(), path, start=at("15:25"), idle=[(at("15:25:01"), None)])
    assert told(played.journal)[-1] == ("square_off", "03 14:06", -75, 1000.0)
    assert [fill.bar for fill in played.journal.fills] == [1, 2]
    assert played.broker.held == 0


def test_missed_bars_come_before_the_clock(path):
    """The stop was hit while the process was away; the clock has no say in a position that is gone."""
    frame = bars_of([FLAT, FLAT, FLAT, FALL], [1], start="14:00")
    play(frame, settings_of(), path, start=at("13:59"), breaks_after=3)
    idle = [(at("15:25:01"), lambda broker: broker.flatten("signal"))]
    played = play(frame, settings_of(), path, start=at("15:25"), idle=idle)
    assert told(played.journal)[-1] == ("stop", "03 14:09", -75, 980.0)


def test_missed_bars_come_before_a_flatten_that_was_asked_for_at_the_start(path):
    class Flattening(bt.Strategy):
        def start(self):
            self.broker.flatten("signal")

    frame = bars_of([FLAT, FLAT, FLAT, FLAT, FALL, FLAT], [1])
    play(frame, settings_of(), path, breaks_after=3)
    played = play(frame, settings_of(), path, start=at("09:31"), strategy=Flattening)
    assert told(played.journal)[-1] == ("stop", "03 09:27", -75, 980.0)


def test_stopped_before_it_had_caught_up_the_account_keeps_its_position(path):
    frame = bars_of([FLAT] * 4, [1])
    play(frame, settings_of(), path, breaks_after=3)
    before = contents(path)

    def end(broker):
        broker.flatten("signal")
        broker.stop()

    play(frame, settings_of(), path, start=at("09:40"), breaks_after=2, on_end=end)
    assert contents(path) == before


def test_the_bars_of_a_break_cost_a_flat_account_no_writes(path):
    frame = bars_of([FLAT] * 30)
    play(frame, settings_of(), path, breaks_after=2)
    before = contents(path)
    play(frame, settings_of(), path, start=at("10:40"), breaks_after=28)
    assert contents(path) == before


def test_the_feed_is_asked_to_reach_back_to_the_last_bar_an_open_trip_saw(path):
    frame = bars_of([FLAT] * 4 + [FALL] + [FLAT] * 2, [1])
    open_trip = play(frame, settings_of(), path, breaks_after=3).broker
    assert open_trip.wants_bars_after == at("09:24").replace(tzinfo=None)
    assert play(frame, settings_of(), path, start=at("09:25")).broker.wants_bars_after is None
