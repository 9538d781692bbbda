"""From the decision to the last exit: nothing is left behind, nothing fills that nobody wants any more."""

from __future__ import annotations

import datetime as dt

import backtrader as bt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.simulated import SimulatedBroker
from feeds.errors import BrokerError, MuhuratError, SettingsError
from strategies.base import Decision
from strategies.column_signal import Strategy as ColumnSignal
from tests.support import DAY, assemble, frame_of, run, settings_of

FLAT = (1000.0, 1005.0, 995.0, 1000.0)
NEXT_DAY = DAY + dt.timedelta(days=1)
LEAVING = f"{__name__}:LeavingSignal"


class LeavingSignal(ColumnSignal):
    """Leaves where the data's ``leave`` column says so."""

    def wants_exit(self):
        return self.data.leave[0] != 0

    def exit_bars(self):
        return np.array(self.data.lines.leave.array) != 0


def days(*parts):
    """Return one frame out of several."""
    return pd.concat(parts)


def part(bars, *, day=DAY, at="09:15", volume=75_000.0, signal=(), leave=()):
    columns = {
        name: [*values, *[0] * (len(bars) - len(values))] for name, values in
        {"signal": signal, "leave": leave}.items()
    }  # fmt: skip
    return frame_of(bars, day=day, at=at, volume=volume, atr=[10.0] * len(bars), **columns)


def told(journal):
    return [(fill.role, fill.time.strftime("%d %H:%M"), fill.size) for fill in journal.fills]


# -- an entry that is still working ------------------------------------------------------------------


def test_an_exit_ends_an_entry_that_is_still_filling():
    """150 of 600 units a bar; leaving on the second bar must not leave later units without a stop."""
    frame = part([FLAT] * 8, volume=1500.0, signal=[1], leave=[0, 1])
    journal = run(
        frame,
        settings_of(strategy={"name": LEAVING, "fixed_units": 600}, broker={"max_percent_of_volume": 10.0}),
    )
    assert told(journal) == [("entry", "03 09:18", 150), ("signal", "03 09:21", -150)]


def test_an_entry_without_a_fill_is_taken_back_at_the_square_off():
    bars = [FLAT] * 12
    frame = part(bars, at="14:54", volume=0.0, signal=[1])
    frame.iloc[10:, frame.columns.get_loc("volume")] = 1e6
    chosen = settings_of(broker={"max_percent_of_volume": 10.0})
    journal = run(frame, chosen)
    assert journal.fills == []
    ended = [event for event in journal.events if event.state == "canceled"]
    assert [event.role for event in ended] == ["entry", "stop", "target"]
    assert ended[0].time.time() == dt.time(15, 21)


@pytest.mark.parametrize("kind", [None, bt.Order.Limit])
def test_an_entry_does_not_outlive_its_day(kind):
    def enter(strategy):
        entry = strategy.buy(size=75, exectype=kind, price=999.0 if kind else None, transmit=False)
        strategy.sell(size=75, exectype=bt.Order.Stop, price=900.0, parent=entry)

    quiet = (1000.0, 1001.0, 999.5, 1000.0)
    frame = days(part([quiet] * 2, at="15:00"), part([quiet, quiet, FLAT, FLAT], day=NEXT_DAY))
    journal = plain({1: enter}, frame)
    assert journal.fills == []
    assert [(event.role, event.state) for event in journal.events][-2:] == [
        ("entry", "expired"), ("stop", "canceled"),
    ]  # fmt: skip
    assert journal.events[-1].time == pd.Timestamp("2024-06-04 09:18")


def test_an_expired_entry_lets_the_next_one_in():
    frame = days(part([FLAT] * 2, at="14:48", signal=[0, 1]), part([FLAT] * 3, day=NEXT_DAY, signal=[1]))
    assert told(run(frame, settings_of()))[0] == ("entry", "04 09:18", 75)


def test_units_of_an_expired_entry_that_had_filled_keep_their_protection():
    frame = days(
        part([FLAT] * 3, at="14:48", volume=1500.0, signal=[0, 1]),
        part([(1000.0, 1001.0, 970.0, 980.0), FLAT], day=NEXT_DAY, volume=1500.0),
    )
    chosen = settings_of(strategy={"fixed_units": 600}, broker={"max_percent_of_volume": 10.0})
    assert told(run(frame, chosen)) == [("entry", "03 14:54", 150), ("stop", "04 09:15", -150)]


# -- a position that its session had no bar left for --------------------------------------------------


def test_a_position_from_an_earlier_day_is_left_at_once():
    quiet = [FLAT] * 5
    frame = days(part(quiet, at="14:48", signal=[0, 1]), part(quiet, day=NEXT_DAY))
    assert told(run(frame, settings_of())) == [("entry", "03 14:54", 75), ("square_off", "04 09:18", -75)]


@pytest.mark.parametrize("bar_minutes", [1, 3, 5, 10, 15, 25, 30, 60, 125])
def test_bars_of_any_length_end_flat(bar_minutes):
    """A square-off that is decided on the session's last bar would fill on the next morning."""
    per_day = -(-375 // bar_minutes)
    frames = [
        frame_of(
            [FLAT] * per_day, day=day, bar_minutes=bar_minutes, signal=[1] * per_day, atr=[500.0] * per_day
        )
        for day in (DAY, NEXT_DAY)
    ]
    journal = run(pd.concat(frames), settings_of(data={"bar_minutes": bar_minutes}))
    assert {fill.role for fill in journal.fills} == {"entry", "square_off"}
    assert all(
        entry.time.date() == leave.time.date()
        for entry, leave in zip(journal.fills[::2], journal.fills[1::2], strict=True)
    )


# -- orders that a plugin places itself ----------------------------------------------------------------


class Plain(bt.Strategy):
    """Does what a test asks for, by bar."""

    params = (("plan", None),)

    def next(self):
        action = self.p.plan.get(len(self) - 1)
        if action:
            action(self)


def plain(plan, frame, *, options=None, **sections):
    assembled = assemble(frame, settings_of(**sections), **(options or {}))
    assembled.engine.strats.clear()
    assembled.engine.addstrategy(Plain, plan=plan)
    assembled.engine.run()
    return assembled.journal


def bracket(strategy, size=75, stop=980.0, target=1030.0):
    strategy.entry = strategy.buy(size=size, transmit=False)
    strategy.sell(size=size, exectype=bt.Order.Stop, price=stop, parent=strategy.entry, transmit=False)
    strategy.sell(size=size, exectype=bt.Order.Limit, price=target, parent=strategy.entry)


def test_an_exit_at_market_goes_when_the_stop_was_first():
    """``close()`` without cancelling the bracket, and the market opens below the stop."""
    bars = [FLAT, FLAT, (970.0, 975.0, 960.0, 970.0), FLAT, FLAT]
    journal = plain({0: bracket, 1: lambda s: s.close()}, part(bars))
    assert told(journal) == [("entry", "03 09:18", 75), ("stop", "03 09:21", -75)]
    assert {event.role for event in journal.events if event.state == "canceled"} == {"target", "signal"}


def test_part_of_a_position_can_be_left():
    bars = [FLAT, FLAT, FLAT, (1000.0, 1001.0, 979.0, 980.0), FLAT]
    journal = plain({0: lambda s: bracket(s, 150), 1: lambda s: s.sell(size=75)}, part(bars))
    assert told(journal) == [
        ("entry", "03 09:18", 150), ("signal", "03 09:21", -75), ("stop", "03 09:24", -75),
    ]  # fmt: skip


def test_a_bracket_against_the_position_is_refused_as_a_whole():
    def against(strategy):
        entry = strategy.sell(size=75, transmit=False)
        strategy.buy(size=75, exectype=bt.Order.Stop, price=1020.0, parent=entry)

    journal = plain({0: bracket, 2: against}, part([FLAT] * 5))
    assert [(event.order_id, event.state) for event in journal.events if event.order_id in {4, 5}] == [
        (4, "rejected"), (5, "rejected"),
    ]  # fmt: skip
    assert told(journal)[-1][0] == "end_of_data"


def test_a_child_that_comes_after_its_parent_has_left_is_refused():
    late = {
        0: bracket,
        2: lambda s: s.sell(size=75, exectype=bt.Order.Stop, price=990.0, parent=s.entry),
    }
    journal = plain(late, part([FLAT] * 4))
    refused = [event for event in journal.events if event.state == "rejected"]
    assert [event.order_id for event in refused] == [4]
    assert "parent" in refused[0].reason


def test_a_role_of_ones_own_does_not_turn_an_entry_into_an_exit():
    journal = plain({0: lambda s: s.buy(size=75, role="breakout")}, part([FLAT] * 4))
    assert told(journal) == [("entry", "03 09:18", 75), ("end_of_data", "03 09:24", -75)]


def test_the_price_of_a_market_order_does_not_shrink_its_margin():
    journal = plain({0: lambda s: s.buy(size=75, price=0.05)}, part([FLAT] * 3),
                    broker={"starting_cash": 7_499.0})  # fmt: skip
    assert journal.fills == []


def test_the_protection_of_a_stop_entry_is_judged_by_the_price_of_the_entry():
    def breakout(strategy):
        entry = strategy.buy(size=75, exectype=bt.Order.Stop, price=1010.0, transmit=False, volatility=5.0)
        strategy.sell(size=75, exectype=bt.Order.Stop, price=1005.0, parent=entry)

    bars = [
        (1000.0, 1001.0, 999.0, 1000.0),
        (1000.0, 1011.0, 999.0, 1011.0),
        (1011.0, 1012.0, 1006.0, 1010.0),
    ]
    journal = plain({0: breakout}, part(bars), risk={"order_sanity": True})
    assert told(journal)[0] == ("entry", "03 09:18", 75)


def test_units_entered_inside_a_bar_do_not_reach_the_target_inside_it():
    """Half of a limit entry was held; the other half and the target lie in one bar, order unknown."""

    def enter(strategy):
        entry = strategy.buy(size=300, exectype=bt.Order.Limit, price=990.0, transmit=False)
        strategy.sell(size=300, exectype=bt.Order.Limit, price=1003.0, parent=entry)

    bars = [
        FLAT,
        (1000.0, 1001.0, 989.0, 995.0),
        (995.0, 1004.0, 989.0, 1000.0),
        (1000.0, 1004.0, 999.0, 1000.0),
    ]
    frame = part(bars, volume=1500.0)
    frame.iloc[2:, frame.columns.get_loc("volume")] = 1e6
    journal = plain({0: enter}, frame, broker={"max_percent_of_volume": 10.0})
    assert told(journal) == [
        ("entry", "03 09:18", 150), ("entry", "03 09:21", 150), ("target", "03 09:24", -300),
    ]  # fmt: skip


def test_finer_bars_say_nothing_of_a_bar_in_which_the_entry_happened():
    """A short limit entry: its stop in the same bar counts, whatever the minutes say of the target."""

    def enter(strategy):
        entry = strategy.sell(size=75, exectype=bt.Order.Limit, price=1010.0, transmit=False)
        strategy.buy(size=75, exectype=bt.Order.Stop, price=1020.0, parent=entry, transmit=False)
        strategy.buy(size=75, exectype=bt.Order.Limit, price=990.0, parent=entry)

    bars = [FLAT, (1000.0, 1021.0, 989.0, 1000.0), FLAT]
    minutes = frame_of(
        [(1000.0, 1001.0, 999.0, 1000.0)] * 3
        + [(1000.0, 1001.0, 989.0, 1000.0), (1000.0, 1015.0, 999.0, 1010.0), (1010.0, 1021.0, 1000.0, 1000.0)]
        + [(1000.0, 1001.0, 999.0, 1000.0)] * 3,
        bar_minutes=1,
    )
    journal = plain({0: enter}, part(bars), data={"detail": "1minute"}, options={"minutes": minutes})
    assert told(journal) == [("entry", "03 09:18", -75), ("stop", "03 09:18", 75)]


# -- limits that flatten --------------------------------------------------------------------------------


def test_the_strategy_does_not_leave_again_while_a_limit_is_flattening():
    """The daily loss strikes shortly before the square-off, and there is no volume to leave with."""
    bars = [FLAT, FLAT, *[(984.0, 985.0, 983.0, 984.0)] * 6]
    frame = part(bars, at="14:54", signal=[1])
    frame.iloc[3:7, frame.columns.get_loc("volume")] = 0.0
    frame.index = frame.index[:3].append(frame.index[3:] + pd.Timedelta(minutes=9))
    journal = run(frame, settings_of(
        risk={"daily_loss_rupees": 1000.0}, broker={"max_percent_of_volume": 10.0}
    ))  # fmt: skip
    assert told(journal)[-1][0] == "daily_loss"
    assert [event.role for event in journal.events if event.state == "submitted"].count("daily_loss") == 1
    assert not [event for event in journal.events if event.state == "rejected"]


def test_the_rest_of_an_entry_goes_when_a_limit_flattens():
    bars = [FLAT, FLAT, (990.0, 991.0, 984.0, 985.0), *[(985.0, 986.0, 984.0, 985.0)] * 4]
    frame = part(bars, volume=1500.0, signal=[1])
    journal = run(frame, settings_of(
        strategy={"fixed_units": 600},
        broker={"max_percent_of_volume": 10.0},
        risk={"daily_loss_rupees": 1000.0},
    ))  # fmt: skip
    assert told(journal) == [
        ("entry", "03 09:18", 150), ("entry", "03 09:21", 150),
        ("daily_loss", "03 09:24", -150), ("daily_loss", "03 09:27", -150),
    ]  # fmt: skip
    struck = pd.Timestamp("2024-06-03 09:24")
    ended = [event.role for event in journal.events if event.state == "canceled" and event.time == struck]
    assert ended == ["entry", "stop", "target"]


def test_a_new_day_does_not_lose_again_what_the_last_one_lost():
    """Held overnight for want of bars with 900 rupees lost: 150 more do not make it a day of 1,050."""
    down = (988.0, 989.0, 987.0, 988.0)
    frame = days(
        part([FLAT, FLAT, down], at="14:48", signal=[1]),
        part([down, (986.0, 987.0, 985.0, 986.0), down, down], day=NEXT_DAY, signal=[0, 1]),
    )
    journal = run(frame, settings_of(risk={"daily_loss_rupees": 1000.0}))
    assert [fill.role for fill in journal.fills] == ["entry", "square_off", "entry", "end_of_data"]


# -- what the gate is told ----------------------------------------------------------------------------------

LOSING = [FLAT, FLAT, (1000.0, 1001.0, 979.0, 1000.0), FLAT, FLAT, FLAT]


def entries(journal):
    return [fill.time.strftime("%H:%M") for fill in journal.fills if fill.role == "entry"]


def test_entries_of_a_day_are_counted():
    frame = part(LOSING, signal=[1, 0, 0, 1])
    assert entries(run(frame, settings_of(risk={"max_entries_per_day": 2}))) == ["09:18", "09:27"]
    limited = run(frame, settings_of(risk={"max_entries_per_day": 1}))
    assert entries(limited) == ["09:18"]
    assert "max_trades" in {event.rule for event in limited.events}


def test_losses_in_a_row_are_counted():
    frame = part(LOSING, signal=[1, 0, 0, 1])
    limited = run(frame, settings_of(risk={"cooldown_losses": 1, "cooldown_minutes": 30.0}))
    assert entries(limited) == ["09:18"]
    assert "cooldown" in {event.rule for event in limited.events}


def test_a_round_trip_that_only_its_charges_make_a_loss_is_a_loss():
    frame = part([FLAT] * 6, signal=[1, 0, 0, 1], leave=[0, 1])
    limits = {"cooldown_losses": 1, "cooldown_minutes": 30.0}
    free = settings_of(strategy={"name": LEAVING}, risk=limits)
    assert entries(run(frame, free)) == ["09:18", "09:27"]
    paid = settings_of(
        strategy={"name": LEAVING}, risk=limits, broker={"charges": {"plan": "percent", "percent": 0.02}}
    )
    assert entries(run(frame, paid)) == ["09:18"]


def test_a_reduced_entry_has_protection_of_its_size_from_the_start():
    journal = run(part([FLAT] * 3, signal=[1]),
                  settings_of(strategy={"fixed_units": 300}, risk={"max_lots": 2}))  # fmt: skip
    submitted = [event.size for event in journal.events if event.state == "submitted"]
    assert submitted == [150, -150, -150, -150]


# -- volume and time --------------------------------------------------------------------------------------


def test_entry_and_stop_of_one_bar_share_its_volume():
    bars = [FLAT, (1000.0, 1001.0, 979.0, 990.0), (985.0, 990.0, 984.0, 990.0), FLAT]
    frame = part(bars, volume=75.0, signal=[1])
    journal = run(frame, settings_of(broker={"max_percent_of_volume": 100.0}))
    assert [(fill.role, fill.bar, fill.price) for fill in journal.fills] == [
        ("entry", 1, 1000.0), ("stop", 2, 985.0),
    ]  # fmt: skip


def test_the_end_of_the_data_has_no_latency():
    journal = run(part([FLAT] * 3, signal=[1]), settings_of(broker={"latency_ms": 45_000.0}))
    assert [(fill.role, fill.price) for fill in journal.fills] == [("entry", 1002.5), ("end_of_data", 1000.0)]


def test_a_position_of_a_later_day_is_not_taken_for_an_old_one():
    frame = days(
        part([FLAT, FLAT, (1000.0, 1001.0, 979.0, 980.0)], signal=[1]),
        part([FLAT] * 4 + [(1000.0, 1031.0, 999.0, 1000.0)], day=NEXT_DAY, signal=[1]),
    )
    assert told(run(frame, settings_of()))[2:] == [("entry", "04 09:18", 75), ("target", "04 09:27", -75)]


# -- anything at all --------------------------------------------------------------------------------------

steps = st.tuples(st.integers(-18, 18), st.integers(0, 25), st.integers(0, 25), st.sampled_from([0, 1, 1, 4]))
sessions = st.lists(st.lists(steps, min_size=1, max_size=16), min_size=1, max_size=4)
flags = st.lists(st.sampled_from([-1, 0, 0, 1]), min_size=64, max_size=64)
leaves = st.lists(st.sampled_from([0, 0, 0, 1]), min_size=64, max_size=64)


def wandering(parts, signals, leave):
    """Return sessions that begin at 14:39 and may lack their last bars."""
    price, day, taken, frames = 20_000.0, DAY, 0, []
    for session in parts:
        bars, volumes = [], []
        for step, up, down, lots in session:
            close = price + step
            bars.append((price, max(price, close) + up, min(price, close) - down, close))
            volumes.append(lots * 75.0)
            price = close + step / 3
        frame = frame_of(
            bars, day=day, at="14:39", signal=signals[taken : taken + len(bars)],
            leave=leave[taken : taken + len(bars)], atr=[12.0] * len(bars),
        )  # fmt: skip
        frame["volume"] = volumes
        frames.append(frame)
        taken += len(bars)
        day += dt.timedelta(days=1)
    return pd.concat(frames)


@settings(max_examples=150, deadline=None)
@given(sessions, flags, leaves, st.sampled_from([0.0, 100.0]), st.booleans())
def test_nothing_is_ever_left_behind(parts, signals, leave, share, with_daily_loss):
    frame = wandering(parts, signals, leave)
    chosen = settings_of(
        strategy={"name": LEAVING, "fixed_units": 225}, broker={"max_percent_of_volume": share},
        risk={"daily_loss_rupees": 4000.0 if with_daily_loss else None},
    )  # fmt: skip
    assembled = assemble(frame, chosen, skip=False)
    broker = assembled.broker
    matched = SimulatedBroker.next

    def next_and_check():
        matched(broker)
        for market in broker._markets.values():
            held = market.position.size
            working = market.working
            entry = [order for order in working if order.role == "entry"]
            leaving = [order for order in working if order.leaves_at_market]
            assert len(entry) <= 1
            assert len(leaving) <= 1
            if not held:
                assert bool(market.trip) == bool(entry)
                assert bool(working) == bool(entry)
            elif leaving:
                assert not entry
                assert working == leaving
                assert leaving[0].executed.remsize == -held
            else:
                kinds = [order.kind for order in working if order not in entry]
                assert kinds == ["stop", "limit"]
                assert all(order.executed.remsize == -held for order in working if order not in entry)

    broker.next = next_and_check
    assembled.engine.run()
    journal = assembled.journal
    decided = {context.trade_id: context.signal_time for context in journal.contexts}
    for fill in journal.fills:
        if fill.role == "entry":
            assert fill.time.date() == decided[fill.trade_id].date()
            assert fill.time.time() < dt.time(15, 21)
    assert not [event for event in journal.events if event.state == "rejected"]
    for options, cerebro in (({}, {}), ({"verify": True}, {}), ({}, {"preload": False})):
        other = run(frame, chosen, cerebro=cerebro, **options)
        assert other.fills == journal.fills
        assert other.events == journal.events


class Undecided(ColumnSignal):
    """Answers no side at all."""

    def decide(self):
        return Decision(0)


def test_a_decision_without_a_side_is_no_short_entry():
    with pytest.raises(MuhuratError, match=r"Undecided: decide\(\) answered side 0, expected \+1 or -1"):
        run(part([FLAT] * 3, signal=[1]), settings_of(strategy={"name": f"{__name__}:Undecided"}))


@pytest.mark.parametrize("atr", [np.nan, np.inf, 0.0, -1.0])
def test_no_entry_without_a_finite_atr(atr):
    frame = part([FLAT] * 3, signal=[1])
    frame["atr"] = atr
    assert run(frame, settings_of()).events == []


def test_a_freeze_quantity_below_the_lot_is_refused():
    """It would cut an order into slices of nothing."""
    with pytest.raises(SettingsError, match=r"found 50 units on 2024-06-03, expected at least the lot of 75"):
        run(part([FLAT] * 3, signal=[1]), settings_of(market={"freeze_quantity": 50}))
    assert run(part([FLAT] * 3, signal=[1]), settings_of(market={"freeze_quantity": 75})).fills


def test_stop_and_target_work_for_the_open_units_after_partial_exits():
    """The target takes a part, then the stop: what works is what is held."""
    bars = [FLAT, FLAT, (1000.0, 1031.0, 999.0, 1000.0), (1000.0, 1001.0, 979.0, 985.0), *[FLAT] * 3]
    frame = part(bars, signal=[1])
    frame.iloc[2:4, frame.columns.get_loc("volume")] = 75.0
    assembled = assemble(
        frame, settings_of(strategy={"fixed_units": 300}, broker={"max_percent_of_volume": 100.0}), skip=False
    )
    broker, left = assembled.broker, []
    matched = SimulatedBroker.next

    def next_and_look():
        matched(broker)
        left.extend(
            (market.bar, order.role, order.executed.remsize)
            for market in broker._markets.values() for order in market.working
        )  # fmt: skip

    broker.next = next_and_look
    assembled.engine.run()
    assert left == [
        (1, "stop", -300), (1, "target", -300), (2, "stop", -225), (2, "target", -225),
        (3, "stop", -150), (3, "target", -150),
    ]  # fmt: skip
    assert told(assembled.journal)[-1] == ("stop", "03 09:27", -150)


@pytest.mark.parametrize("price", [np.nan, np.inf])
def test_an_order_without_a_finite_price_is_refused(price):
    with pytest.raises(BrokerError, match=f"the price is {price}"):
        plain({0: lambda s: s.buy(size=75, exectype=bt.Order.Limit, price=price)}, part([FLAT] * 3))


class WaitingEntry(ColumnSignal):
    """Enters with a limit order of its own, far below."""

    def decide(self):
        if not self.data.signal[0]:
            return
        entry = self.buy(size=75, exectype=bt.Order.Limit, price=990.0, transmit=False)
        self.sell(size=75, exectype=bt.Order.Stop, price=900.0, parent=entry)


@pytest.mark.parametrize("options", [{}, {"skip": False}, {"verify": True}])
def test_a_waiting_entry_ends_on_the_first_bar_of_the_next_day_however_bars_are_visited(options):
    frame = days(part([FLAT] * 9, signal=[1]), part([FLAT] * 9, day=NEXT_DAY))
    journal = run(frame, settings_of(strategy={"name": f"{__name__}:WaitingEntry"}), **options)
    assert journal.fills == []
    assert [event.time for event in journal.events if event.state in {"expired", "canceled"}] == [
        pd.Timestamp("2024-06-04 09:18")
    ] * 2
