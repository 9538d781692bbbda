"""What holds whatever is ordered, changed, cancelled and printed, in any order and at any latency."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brokers.charges import ZerodhaCharges
from brokers.sandbox.exchange import ExchangeError
from brokers.sandbox.order import FINAL
from tests.brokers.sandbox.scene import DAY, FAR, LOT, NEAR, Scene, at

CHARGES = ZerodhaCharges()
FOLLOWS = {
    "": {"PUT ORDER REQ RECEIVED"},
    "PUT ORDER REQ RECEIVED": {"VALIDATION PENDING", "CANCELLED"},
    "VALIDATION PENDING": {"OPEN PENDING", "TRIGGER PENDING", "REJECTED", "CANCELLED"},
    "OPEN PENDING": {"OPEN", "CANCELLED"},
    "TRIGGER PENDING": {"OPEN PENDING", "MODIFY VALIDATION PENDING", "CANCEL PENDING", "CANCELLED"},
    "OPEN": {"OPEN", "COMPLETE", "CANCELLED", "MODIFY VALIDATION PENDING", "CANCEL PENDING"},
    "MODIFY VALIDATION PENDING": {
        "MODIFY VALIDATION PENDING", "MODIFY PENDING", "NOT MODIFIED", "COMPLETE", "CANCELLED",
    },
    "MODIFY PENDING": {"MODIFY PENDING", "MODIFIED", "NOT MODIFIED", "COMPLETE", "CANCELLED"},
    "MODIFIED": {"OPEN", "TRIGGER PENDING"},
    "NOT MODIFIED": {"OPEN", "TRIGGER PENDING"},
    "CANCEL PENDING": {"CANCEL PENDING", "CANCELLED", "COMPLETE"},
    "COMPLETE": set(), "CANCELLED": set(), "REJECTED": set(),
}  # fmt: skip

STEP = st.floats(0.0, 0.3)
SIDE = st.sampled_from(["BUY", "SELL"])
LOTS = st.integers(1, 27)
TICKS = st.integers(-40, 40)  # of the last price
PLACE = st.tuples(
    st.just("place"), STEP, SIDE, LOTS, st.sampled_from(["MARKET", "LIMIT", "SL", "SL-M"]), TICKS,
    st.sampled_from(["DAY", "IOC"]), st.sampled_from(["MIS", "NRML"]),
)  # fmt: skip
PRINT = st.tuples(st.just("print"), STEP, TICKS)
LATE = st.tuples(st.just("late"), STEP, TICKS)
MODIFY = st.tuples(st.just("modify"), STEP, st.integers(0, 9), TICKS, st.one_of(st.none(), LOTS))
CANCEL = st.tuples(st.just("cancel"), STEP, st.integers(0, 9))
WAIT = st.tuples(st.just("wait"), st.floats(0.0, 5.0))
STEPS = st.lists(st.one_of(PLACE, PRINT, PRINT, LATE, MODIFY, CANCEL, WAIT), min_size=10, max_size=40)


def busy_day(seed):
    """150 steps of a day on which much happens at once."""
    draw = random.Random(seed)  # noqa: S311 # a scenario, no secret
    steps = []
    for _ in range(150):
        pause, ticks = draw.choice([0.0, 0.01, 0.05, 0.1, 0.3]), draw.randint(-6, 6)
        kind = draw.choices(["place", "print", "late", "modify", "cancel", "wait"], [20, 50, 5, 12, 12, 1])[0]
        steps.append((kind, 3.0 if kind == "wait" else pause, *_details(kind, draw, ticks)))
    return steps


def _details(kind, draw, ticks):
    if kind == "place":
        order_type = draw.choice(["MARKET", "LIMIT", "LIMIT", "SL", "SL-M"])
        validity, product = draw.choice(["DAY", "DAY", "DAY", "IOC"]), draw.choice(["MIS", "MIS", "NRML"])
        return (
            draw.choice(["BUY", "SELL"]),
            draw.choice([1, 1, 2, 5, 27]),
            order_type,
            ticks,
            validity,
            product,
        )
    recent = draw.randint(-4, -1)
    if kind == "modify":
        return recent, ticks, draw.choice([None, None, 1, 3])
    return {"cancel": (recent,), "print": (ticks,), "late": (ticks,), "wait": ()}[kind]


class Player:
    """Plays steps on an exchange and holds the invariants after each of them."""

    def __init__(self, **config):
        self.scene = Scene(**config)
        self.exchange = self.scene.exchange
        self.last = 26_000.0
        self.seconds = 0.0
        self.ids = []
        self.placed_at = {}
        self.final = {}
        self.events = []

    def play(self, steps):
        self.scene.tick(0, self.last)
        for step in steps:
            self.seconds += step[1]
            self.exchange.advance(at(self.seconds))
            self.check()
            try:
                getattr(self, step[0])(*step[2:])
            except ExchangeError as error:
                assert error.status in (400, 429)  # noqa: PT017 # a refusal changes nothing; any other error is a fault
            self.check()

    def place(self, side, lots, order_type, ticks, validity, product):
        sign = 1 if side == "BUY" else -1
        price = round(self.last + ticks * 0.1, 1)
        trigger = round(self.last + sign * (abs(ticks) + 1) * 0.1, 1)
        fields = {
            "MARKET": {},
            "LIMIT": {"price": price},
            "SL": {"trigger_price": trigger, "price": round(trigger + sign * 0.5, 1)},
            "SL-M": {"trigger_price": trigger},
        }[order_type]
        order = self.scene.place(
            side, lots, order_type=order_type, validity=validity, product=product, **fields
        )
        self.ids.append(order)
        self.placed_at[order] = self.exchange.now

    def print(self, ticks):
        self.last = round(self.last + ticks * 0.1, 1)
        self.scene.tick(self.seconds, self.last)

    def late(self, ticks):
        self.last = round(self.last + ticks * 0.1, 1)
        self.scene.tick(self.seconds - 0.15, self.last)

    def modify(self, which, ticks, lots):
        if self.ids:
            fields = {} if lots is None else {"quantity": lots * LOT}
            order = self.ids[which % len(self.ids)]
            self.scene.modify(order, price=round(self.last + ticks * 0.1, 1), **fields)

    def cancel(self, which):
        if self.ids:
            self.scene.cancel(self.ids[which % len(self.ids)])

    def wait(self):
        pass

    def check(self):
        exchange, latency = self.exchange, self.exchange.config.latency_ms
        trades = exchange.trades()
        rows = {row["order_id"]: row for row in exchange.orders()}
        assert list(rows) == self.ids
        self.events += exchange.take_events()
        for order, row in rows.items():
            own = [trade for trade in trades if trade["order_id"] == order]
            filled = sum(trade["quantity"] for trade in own)
            assert row["filled_quantity"] == filled <= row["quantity"]
            assert (row["status"] == "COMPLETE") == (filled == row["quantity"])
            if exchange.now < self.placed_at[order] + dt.timedelta(milliseconds=latency):
                assert filled == 0
            assert all(trade["quantity"] % LOT == 0 for trade in own)
            if order in self.final:
                assert row == self.final[order]
            elif row["status"] in FINAL:
                self.final[order] = row
        for product in ("MIS", "NRML"):
            signed = sum(
                trade["quantity"] * (1 if trade["transaction_type"] == "BUY" else -1)
                for trade in trades
                if trade["product"] == product
            )
            assert self.scene.held(product) == signed
        self.check_money(rows, trades)

    def check_money(self, rows, trades):
        spent = math.fsum(
            trade["quantity"] * trade["average_price"] * (1 if trade["transaction_type"] == "BUY" else -1)
            for trade in trades
        )
        held = self.scene.held("MIS") + self.scene.held("NRML")
        profit = held * self.last - spent
        positions = self.exchange.positions()["net"]
        assert math.fsum(row["pnl"] for row in positions) == pytest.approx(profit, abs=1e-4)
        for row in positions:
            assert row["realised"] + row["unrealised"] == pytest.approx(row["pnl"], abs=1e-4)
        charges = 0.0
        for order, row in rows.items():
            own = [trade for trade in trades if trade["order_id"] == order]
            if own:
                value = math.fsum(trade["quantity"] * trade["average_price"] for trade in own)
                size = row["filled_quantity"] * (1 if row["transaction_type"] == "BUY" else -1)
                charges += CHARGES.order_charges(DAY, size, value / row["filled_quantity"])
        assert self.exchange.charges == pytest.approx(charges, abs=1e-6)
        funds = self.exchange.margins("equity")
        used = funds["utilised"]
        assert used["m2m_realised"] + used["m2m_unrealised"] == pytest.approx(profit, abs=1e-4)
        blocked = used["span"] + used["exposure"]
        loss = min(0.0, used["m2m_unrealised"])
        assert blocked >= abs(self.scene.held("MIS")) * self.last * 0.12 - 1e-3
        assert funds["net"] == pytest.approx(
            funds["available"]["cash"] - blocked + used["m2m_realised"] + loss - charges, abs=1e-3
        )

    def end(self):
        """Let the day end and look at the whole of it."""
        self.exchange.advance(at(clock="16:00"))
        self.check()
        for order in self.ids:
            history = self.exchange.order_history(order)
            states = ["", *(row["status"] for row in history)]
            assert all(later in FOLLOWS[state] for state, later in itertools.pairwise(states))
            assert states[-1] in FINAL
            stamps = [row["order_timestamp"] for row in history]
            assert stamps == sorted(stamps)
            fills = [row["filled_quantity"] for row in history]
            assert fills == sorted(fills)
            told = [event for event in self.events if event["order_id"] == order]
            assert told[-1]["status"] == states[-1]
            assert [event["status"] for event in told[:-1]] == ["UPDATE"] * (len(told) - 1)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=STEPS,
    latency_ms=st.sampled_from([0.0, 100.0, 333.0]),
    fill_latency_ms=st.sampled_from([0.0, 20.0, 400.0]),
    partial_fill_probability=st.sampled_from([0.0, 0.5, 1.0]),
    cash=st.sampled_from([250_000.0, 50_000_000.0]),
    seed=st.integers(0, 5),
)
def test_the_invariants_hold_after_every_step(steps, **config):
    player = Player(instruments=(NEAR, FAR), **config)
    player.play(steps)
    player.end()


@pytest.mark.parametrize("seed", range(12))
def test_the_invariants_hold_on_a_busy_day(seed):
    draw = random.Random(seed)  # noqa: S311 # a scenario, no secret
    player = Player(
        seed=seed,
        instruments=(NEAR, FAR),
        latency_ms=draw.choice([0.0, 100.0, 333.0]),
        fill_latency_ms=draw.choice([0.0, 20.0, 400.0]),
        partial_fill_probability=draw.choice([0.0, 0.5, 1.0]),
        cash=draw.choice([1e6, 2e7, 1e9]),
    )
    player.play(busy_day(seed))
    player.end()


def test_busy_days_reach_the_races_they_are_meant_to_reach():
    seen = set()
    for seed in range(6):
        player = Player(cash=1e9, fill_latency_ms=200.0, partial_fill_probability=0.5)
        player.play(busy_day(seed))
        player.end()
        for order in player.ids:
            row, states = player.scene.row(order), player.scene.states(order)
            is_part = 0 < row["filled_quantity"] < row["quantity"]
            seen |= {*states, "fill beat cancel" if states[-2:] == ["CANCEL PENDING", "COMPLETE"] else ""}
            seen |= {"cancelled with fills" if row["status"] == "CANCELLED" and is_part else ""}
            seen |= {"fill beat change" if states[-2:-1] == ["MODIFY PENDING"] else ""}
    assert seen >= {
        "fill beat cancel", "cancelled with fills", "fill beat change", "MODIFIED", "NOT MODIFIED",
    }  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.one_of(PLACE, PRINT, WAIT, CANCEL), min_size=1, max_size=30))
def test_no_fill_is_worse_than_the_limit(steps):
    player = Player(partial_fill_probability=0.5, cash=5e7)
    player.play(steps)
    player.end()
    rows = {row["order_id"]: row for row in player.exchange.orders()}
    for trade in player.exchange.trades():
        limit = rows[trade["order_id"]]["price"]
        worse = trade["average_price"] - limit
        assert (worse if trade["transaction_type"] == "BUY" else -worse) <= 1e-9


@settings(max_examples=30, deadline=None)
@given(steps=STEPS)
def test_it_does_not_matter_how_time_is_cut_up(steps):
    """An exchange that is advanced every 10 ms shows the same orders as one advanced only when asked."""
    coarse, fine = Player(partial_fill_probability=0.5), Player(partial_fill_probability=0.5)
    coarse.play(steps)
    fine.scene.tick(0, fine.last)
    for step in steps:
        for part in range(10):
            fine.exchange.advance(at(fine.seconds + step[1] * part / 10))
        fine.seconds += step[1]
        fine.exchange.advance(at(fine.seconds))
        try:
            getattr(fine, step[0])(*step[2:])
        except ExchangeError:
            continue
    assert fine.exchange.orders() == coarse.exchange.orders()
    assert fine.exchange.trades() == coarse.exchange.trades()
