"""The states of an order, in the order the real API shows them."""

from __future__ import annotations

import pytest

from brokers.sandbox.exchange import ExchangeError, MarketTrade
from feeds.calendar import TradingCalendar
from tests.brokers.sandbox.scene import DAY, LOT, NEAR, Scene, at

SENT = ["PUT ORDER REQ RECEIVED", "VALIDATION PENDING"]


@pytest.fixture
def scene():
    made = Scene()
    made.tick(0, 26_000.0)
    return made


def test_a_limit_order_is_acknowledged_after_its_latency_and_fills_at_its_price(scene):
    order = scene.place(order_type="LIMIT", price=25_990)
    assert scene.states(order) == SENT[:1]
    scene.advance(0.099)
    assert scene.states(order) == [*SENT, "OPEN PENDING"]
    assert scene.row(order)["exchange_order_id"] is None
    scene.advance(0.1)
    assert scene.states(order) == [*SENT, "OPEN PENDING", "OPEN"]
    assert scene.row(order)["exchange_timestamp"] == "2026-11-20 10:00:00"
    scene.tick(5, 25_985.0)
    assert scene.row(order)["status"] == "OPEN"  # the news is on its way
    scene.advance(5.02)
    row = scene.row(order)
    assert (row["status"], row["filled_quantity"], row["average_price"]) == ("COMPLETE", LOT, 25_990.0)


@pytest.mark.parametrize(
    ("side", "trigger", "price", "before", "reaching"),
    [
        ("SELL", 25_950.0, 25_900.0, 25_950.1, 25_950.0),
        ("SELL", 25_950.0, 25_900.0, 25_951.0, 25_940.0),
        ("BUY", 26_050.0, 26_100.0, 26_049.9, 26_050.0),
        ("BUY", 26_050.0, 26_100.0, 26_049.9, 26_060.0),
    ],
)
def test_a_stop_waits_for_a_print_at_or_through_its_trigger(scene, side, trigger, price, before, reaching):
    order = scene.place(side, order_type="SL", trigger_price=trigger, price=price)
    scene.advance(0.1)
    assert scene.states(order) == [*SENT, "TRIGGER PENDING"]
    scene.tick(1, before)
    assert scene.row(order)["status"] == "TRIGGER PENDING"
    scene.tick(2, reaching)
    assert scene.states(order)[3:] == ["OPEN PENDING", "OPEN"]
    scene.tick(3, reaching)  # the next print fills it
    scene.advance(3.02)
    row = scene.row(order)
    assert (row["status"], row["average_price"]) == ("COMPLETE", reaching)


def test_a_triggered_stop_whose_limit_was_jumped_rests_and_fills_at_its_own_price(scene):
    order = scene.place("SELL", order_type="SL", trigger_price=25_950, price=25_940)
    scene.tick(1, 25_900.0)
    scene.tick(2, 25_890.0)
    scene.advance(10)
    assert (scene.row(order)["status"], scene.row(order)["filled_quantity"]) == ("OPEN", 0)
    scene.tick(11, 25_960.0)
    scene.advance(12)
    assert scene.row(order)["average_price"] == 25_940.0


def test_a_stop_that_arrives_past_its_trigger_is_triggered_at_once(scene):
    order = scene.place("SELL", order_type="SL", trigger_price=25_990, price=25_900)
    scene.tick(0.05, 25_980.0)
    scene.advance(0.1)
    assert scene.row(order)["status"] == "OPEN"


def test_a_market_order_becomes_a_limit_order_and_takes_the_next_prints_price(scene):
    order = scene.place("BUY")
    scene.advance(0.2)
    row = scene.row(order)
    assert (row["order_type"], row["price"], row["market_protection"]) == ("LIMIT", 26_130.0, 0.0)
    assert row["tags"] == ["mktp", "mktp:0.50"]
    assert (row["tag"], row["filled_quantity"]) == (None, 0)
    scene.tick(1, 26_003.0)
    scene.advance(1.02)
    assert scene.row(order)["average_price"] == 26_003.0


@pytest.mark.parametrize(
    ("side", "protection", "limit"),
    [
        ("BUY", -1, 26_130.0),
        ("SELL", -1, 25_870.0),
        ("BUY", 1, 26_260.0),
        ("SELL", 0.25, 25_935.0),
        ("BUY", 100, 28_600.0),
        ("SELL", 100, 23_400.0),
    ],
)
def test_the_protection_band(scene, side, protection, limit):
    order = scene.place(side, market_protection=protection)
    scene.advance(0.1)
    assert scene.row(order)["price"] == limit


def test_a_protected_market_order_that_the_market_left_behind_rests(scene):
    order = scene.place("BUY", tag="abc")
    scene.tick(1, 26_200.0)
    scene.advance(60)
    row = scene.row(order)
    assert (row["status"], row["filled_quantity"], row["tags"]) == ("OPEN", 0, ["abc", "mktp", "mktp:0.50"])
    scene.tick(61, 26_100.0)
    scene.advance(62)
    assert scene.row(order)["average_price"] == 26_130.0  # it was resting: hit at its own price


def test_sl_m_shows_as_sl_with_the_limit_behind_its_trigger(scene):
    order = scene.place("SELL", order_type="SL-M", trigger_price=25_900)
    scene.advance(0.1)
    row = scene.row(order)
    assert (row["order_type"], row["trigger_price"], row["price"]) == ("SL", 25_900.0, 25_770.5)


def test_without_the_protection_rule_a_market_order_takes_any_price():
    scene = Scene(require_market_protection=False)
    scene.tick(0, 26_000.0)
    order = scene.place("SELL", market_protection=0)
    scene.tick(1, 24_000.0)
    scene.advance(2)
    row = scene.row(order)
    assert (row["order_type"], row["status"], row["average_price"]) == ("MARKET", "COMPLETE", 24_000.0)


def test_no_print_before_the_arrival_fills(scene):
    order = scene.place("BUY")
    scene.tick(0.0999, 26_001.0)
    scene.advance(1)
    assert scene.row(order)["filled_quantity"] == 0
    scene.tick(0.05, 26_000.0)  # late news of an older print
    scene.advance(1.05)
    assert scene.row(order)["filled_quantity"] == 0
    scene.tick(1.1, 26_002.0)
    scene.advance(1.2)
    assert scene.row(order)["average_price"] == 26_002.0


def test_a_quiet_market_fills_a_marketable_order_at_the_last_price(scene):
    market = scene.place("BUY")
    resting = scene.place("BUY", order_type="LIMIT", price=25_999.9)
    scene.advance(2.09)
    assert scene.row(market)["filled_quantity"] == 0
    scene.advance(2.13)
    assert scene.row(market)["average_price"] == 26_000.0
    scene.advance(3600)
    assert scene.row(resting)["filled_quantity"] == 0


def test_the_idle_time_begins_anew_with_each_part():
    scene = Scene(partial_fill_probability=1.0)
    scene.tick(0, 26_000.0)
    order = scene.place("BUY", 2)
    scene.tick(1.9, 26_000.0)
    scene.advance(3.89)
    assert scene.row(order)["filled_quantity"] == LOT
    scene.advance(3.92)
    assert scene.row(order)["filled_quantity"] == 2 * LOT


def test_the_idle_time_begins_anew_with_a_change(scene):
    order = scene.place("BUY", order_type="LIMIT", price=25_990)
    scene.advance(1)
    scene.modify(order, price=26_010)
    scene.advance(3.09)
    assert scene.row(order)["filled_quantity"] == 0
    scene.advance(3.12)
    assert scene.row(order)["average_price"] == 26_000.0


def test_nothing_fills_in_a_break():
    scene = Scene(start=at(clock="09:59"), calendar=TradingCalendar({DAY: "09:15-10:00 11:30-12:30"}))
    scene.tick(-30, 26_000.0)
    scene.advance(-1)
    quiet, resting = scene.place("BUY"), scene.place("BUY", order_type="LIMIT", price=25_990)
    scene.tick(60, 25_900.0)
    scene.advance(3600)
    assert [scene.row(order)["filled_quantity"] for order in (quiet, resting)] == [0, 0]
    scene.exchange.on_trade(NEAR.token, MarketTrade(at(clock="11:30"), 25_900.0, LOT))
    scene.advance(3 * 3600)
    assert [scene.row(order)["filled_quantity"] for order in (quiet, resting)] == [LOT, LOT]


def test_without_the_idle_rule_nothing_fills_in_a_quiet_market():
    scene = Scene(idle_fill_ms=float("inf"))
    scene.tick(0, 26_000.0)
    order = scene.place("BUY")
    scene.advance(3600)
    assert scene.row(order)["status"] == "OPEN"


def test_nothing_fills_before_the_first_print_of_the_day():
    scene = Scene()
    order = scene.place("BUY")
    scene.advance(600)
    assert (scene.row(order)["status"], scene.row(order)["price"]) == ("OPEN", 26_130.0)


def test_partial_fills_are_open_rows_and_add_up():
    scene = Scene(partial_fill_probability=1.0)
    scene.tick(0, 26_000.0)
    order = scene.place("BUY", 10)
    seen = []
    for second in range(1, 30):
        scene.tick(second, 26_000.0 + second)
        scene.advance(second + 0.5)
        row = scene.row(order)
        seen.append(row["filled_quantity"])
        assert row["pending_quantity"] == 650 - row["filled_quantity"]
        assert row["status"] == ("COMPLETE" if row["filled_quantity"] == 650 else "OPEN")
    trades = scene.exchange.order_trades(order)
    assert len(trades) > 1
    assert sorted(seen) == seen
    assert seen[-1] == 650 == sum(trade["quantity"] for trade in trades)
    value = sum(trade["quantity"] * trade["average_price"] for trade in trades)
    assert scene.row(order)["average_price"] == pytest.approx(value / 650, abs=1e-4)
    events = [(event["status"], event["unfilled_quantity"]) for event in scene.exchange.take_events()]
    assert events[-1] == ("COMPLETE", 0)
    assert {status for status, _ in events[:-1]} == {"UPDATE"}


def test_the_same_seed_draws_the_same_parts_whatever_the_timing():
    parts = []
    for step in (1.0, 3.0):
        scene = Scene(partial_fill_probability=1.0, seed=5, idle_fill_ms=60_000)
        scene.tick(0, 26_000.0)
        order = scene.place("BUY", 20)
        for count in range(1, 20):
            scene.tick(count * step, 26_000.0)
        scene.advance(1000)
        parts.append([trade["quantity"] for trade in scene.exchange.order_trades(order)])
    assert parts[0] == parts[1]
    assert len(parts[0]) > 1


# -- cancel ------------------------------------------------------------------------------------------------


def test_a_cancel_takes_its_latency(scene):
    order = scene.place(order_type="LIMIT", price=25_990)
    scene.advance(1)
    scene.cancel(order)
    assert scene.row(order)["status"] == "CANCEL PENDING"
    scene.advance(1.1)
    row = scene.row(order)
    assert row["status"] == "CANCELLED"
    assert (row["pending_quantity"], row["cancelled_quantity"], row["filled_quantity"]) == (LOT, LOT, 0)
    assert row["exchange_timestamp"] == "2026-11-20 10:00:00"
    assert [event["status"] for event in scene.exchange.take_events()] == ["CANCELLED"]


def test_a_fill_wins_the_race_against_a_cancel(scene):
    order = scene.place(order_type="LIMIT", price=25_990)
    scene.advance(1)
    scene.cancel(order)
    scene.tick(1.05, 25_990.0)
    scene.advance(2)
    assert scene.states(order)[-2:] == ["CANCEL PENDING", "COMPLETE"]


def test_a_fill_that_is_still_on_its_way_wins_too():
    scene = Scene(fill_latency_ms=500)
    scene.tick(0, 26_000.0)
    order = scene.place(order_type="LIMIT", price=25_990)
    scene.tick(1, 25_990.0)
    scene.cancel(order)  # the account does not know of the fill yet
    scene.advance(1.2)
    assert scene.row(order)["status"] == "CANCEL PENDING"
    scene.advance(1.5)
    assert scene.row(order)["status"] == "COMPLETE"


@pytest.mark.parametrize("fill_latency_ms", [0, 20, 500])
def test_a_cancelled_order_carries_its_fills(fill_latency_ms):
    scene = Scene(partial_fill_probability=1.0, fill_latency_ms=fill_latency_ms)
    scene.tick(0, 26_000.0)
    order = scene.place("BUY", 10, order_type="LIMIT", price=25_990)
    scene.tick(1, 25_990.0)
    scene.cancel(order)
    scene.advance(1.1)
    scene.tick(1.2, 25_980.0)  # too late
    scene.advance(2)
    row = scene.row(order)
    assert row["status"] == "CANCELLED"
    assert 0 < row["filled_quantity"] < 650
    assert row["cancelled_quantity"] == row["pending_quantity"] == 650 - row["filled_quantity"]
    assert scene.held() == row["filled_quantity"]


@pytest.mark.parametrize("end", ["COMPLETE", "CANCELLED", "REJECTED"])
@pytest.mark.parametrize(("what", "word"), [("cancel", "cancelled"), ("modify", "modified")])
def test_what_has_ended_cannot_be_touched(end, what, word):
    scene = Scene(cash=0.0 if end == "REJECTED" else 1e7)
    scene.tick(0, 26_000.0)
    order = scene.place(order_type="LIMIT", price=26_000 if end == "COMPLETE" else 25_000)
    scene.advance(3)
    if end == "CANCELLED":
        scene.cancel(order)
        scene.advance(4)
    assert scene.row(order)["status"] == end
    before = scene.states(order)
    with pytest.raises(ExchangeError, match=f"Order cannot be {word} as it is being processed") as error:
        scene.cancel(order) if what == "cancel" else scene.modify(order, price=24_000)
    assert (error.value.status, error.value.error_type) == (400, "InputException")
    assert scene.states(order) == before


@pytest.mark.parametrize("moment", [0.0, 0.04, 0.08])
def test_what_is_on_its_way_cannot_be_touched(scene, moment):
    order = scene.place(order_type="LIMIT", price=25_990)
    scene.advance(moment)
    with pytest.raises(ExchangeError, match="being processed"):
        scene.cancel(order)


def test_an_unknown_order_is_not_found(scene):
    for ask in (scene.exchange.order_history, scene.exchange.order_trades, scene.cancel):
        with pytest.raises(ExchangeError, match="Couldn't find that `order_id`") as error:
            ask("190000000000000000")
        assert error.value.status == 404


# -- modify ------------------------------------------------------------------------------------------------


def test_a_modification_goes_through_the_real_states(scene):
    order = scene.place(order_type="LIMIT", price=25_990)
    scene.advance(84)
    scene.modify(order, price=25_995)
    scene.advance(85)
    assert scene.states(order) == [
        *SENT, "OPEN PENDING", "OPEN", "MODIFY VALIDATION PENDING", "MODIFY PENDING", "MODIFIED", "OPEN",
    ]  # fmt: skip
    prices = [row["price"] for row in scene.exchange.order_history(order)]
    assert prices == [25_990.0] * 7 + [25_995.0]
    row = scene.row(order)
    assert row["modified"] is True
    assert row["exchange_timestamp"] == "2026-11-20 10:01:24"
    assert [event["status"] for event in scene.exchange.take_events()] == ["UPDATE"]


def test_the_old_price_works_until_the_new_one_arrives(scene):
    order = scene.place(order_type="LIMIT", price=25_990)
    scene.advance(1)
    scene.modify(order, price=25_900)
    scene.tick(1.05, 25_990.0)
    scene.advance(2)
    assert scene.states(order)[-3:] == ["MODIFY VALIDATION PENDING", "MODIFY PENDING", "COMPLETE"]


def test_a_change_to_less_than_what_is_filled_is_refused():
    scene = Scene(partial_fill_probability=1.0)
    scene.tick(0, 26_000.0)
    order = scene.place("BUY", 10, order_type="LIMIT", price=25_990)
    scene.tick(1, 25_990.0)
    scene.advance(1.1)
    scene.modify(order, quantity=LOT)
    scene.advance(2)
    assert scene.states(order)[-2:] == ["NOT MODIFIED", "OPEN"]
    assert scene.row(order)["quantity"] == 650


@pytest.mark.parametrize("fields", [{"order_type": "SL", "trigger_price": 26_100, "price": 26_200}, {}])
def test_a_partly_filled_order_becomes_no_stop_and_shrinks_to_no_less_than_its_fills(fields):
    scene = Scene(partial_fill_probability=1.0, idle_fill_ms=float("inf"))
    scene.tick(0, 26_000.0)
    order = scene.place("BUY", 2, order_type="LIMIT", price=25_990)
    scene.tick(1, 25_990.0)
    scene.advance(1.1)
    assert scene.row(order)["filled_quantity"] == LOT
    scene.modify(order, **(fields or {"quantity": LOT}))
    scene.advance(2)
    assert scene.states(order)[-2:] == ["NOT MODIFIED", "OPEN"]


def test_a_triggered_stop_stays_triggered(scene):
    order = scene.place("SELL", order_type="SL", trigger_price=25_950, price=25_940)
    scene.tick(1, 25_900.0)
    scene.tick(2, 25_890.0)
    scene.modify(order, price=26_050)
    scene.advance(3)
    assert scene.states(order)[-2:] == ["MODIFIED", "OPEN"]
    scene.tick(4, 26_060.0)
    scene.advance(5)
    assert scene.row(order)["average_price"] == 26_050.0


def test_a_change_that_comes_after_the_end_changes_nothing():
    scene = Scene(partial_fill_probability=1.0, fill_latency_ms=500)
    scene.tick(0, 26_000.0)
    order = scene.place("BUY", 2, order_type="LIMIT", price=25_990, validity="TTL", validity_ttl=1)
    scene.advance(60.04)
    scene.modify(order, price=25_980)
    scene.tick(60.05, 25_990.0)  # a part; the order's minute ends at 60.1
    scene.advance(70)
    assert scene.states(order)[-1] == "CANCELLED"
    assert "MODIFIED" not in scene.states(order)
    assert (scene.row(order)["filled_quantity"], scene.held()) == (LOT, LOT)


def test_a_changed_price_needs_no_second_margin():
    scene = Scene(cash=65 * 26_000 * 0.12)
    scene.tick(0, 26_000.0)
    order = scene.place(order_type="LIMIT", price=25_990)
    scene.advance(1)
    scene.modify(order, price=25_991)
    scene.advance(2)
    assert scene.row(order)["price"] == 25_991.0


def test_a_change_without_margin_is_refused():
    scene = Scene(cash=250_000.0)
    scene.tick(0, 26_000.0)
    order = scene.place(order_type="LIMIT", price=25_990)
    scene.advance(1)
    scene.modify(order, quantity=2 * LOT)
    scene.advance(2)
    assert scene.states(order)[-2:] == ["NOT MODIFIED", "OPEN"]
    assert scene.row(order)["quantity"] == LOT


@pytest.mark.parametrize(
    ("first", "changes", "shown"),
    [
        ({"order_type": "LIMIT", "price": 25_900},
         {"order_type": "MARKET", "market_protection": -1}, ("LIMIT", 26_130.0)),
        ({"order_type": "SL", "price": 26_200, "trigger_price": 26_100},
         {"order_type": "MARKET", "market_protection": 1}, ("LIMIT", 26_260.0)),
        ({"order_type": "SL", "price": 26_200, "trigger_price": 26_100},
         {"order_type": "LIMIT", "price": 26_010}, ("LIMIT", 26_010.0)),
        ({"order_type": "SL", "price": 26_200, "trigger_price": 26_100},
         {"order_type": "SL-M", "market_protection": -1}, ("SL", 26_230.5)),
        ({"order_type": "LIMIT", "price": 25_900},
         {"order_type": "SL", "price": 26_200, "trigger_price": 26_100}, ("SL", 26_200.0)),
    ],
)  # fmt: skip
def test_changes_of_the_order_type(scene, first, changes, shown):
    order = scene.place("BUY", **first)
    scene.advance(1)
    scene.modify(order, **changes)
    scene.advance(1.2)
    row = scene.row(order)
    assert (row["order_type"], row["price"]) == shown
    assert row["status"] == ("TRIGGER PENDING" if shown[0] == "SL" else "OPEN")


def test_changing_to_market_needs_protection_again(scene):
    order = scene.place(order_type="LIMIT", price=25_900)
    scene.advance(1)
    with pytest.raises(ExchangeError, match="Market orders without market protection"):
        scene.modify(order, order_type="MARKET")


def test_a_triggered_stop_can_be_turned_into_a_market_order_whatever_its_trigger(scene):
    order = scene.place("SELL", order_type="SL", trigger_price=25_950, price=25_940)
    scene.tick(1, 25_900.0)
    scene.tick(2, 25_890.0)
    scene.modify(order, order_type="SL-M", market_protection=-1)
    scene.tick(3, 25_880.0)
    scene.advance(4)
    assert (scene.row(order)["status"], scene.row(order)["average_price"]) == ("COMPLETE", 25_880.0)


@pytest.mark.parametrize("limit", [1, 25])
def test_modifications_up_to_the_limit(limit):
    scene = Scene(max_modifications=limit)
    scene.tick(0, 26_000.0)
    order = scene.place(order_type="LIMIT", price=25_000)
    for count in range(1, limit + 1):
        scene.advance(count)
        scene.modify(order, price=25_000 + count)
    scene.advance(limit + 1)
    assert scene.row(order)["price"] == 25_000 + limit
    with pytest.raises(ExchangeError, match="Maximum allowed order modifications exceeded") as error:
        scene.modify(order, price=25_500)
    assert error.value.status == 429
    scene.cancel(order)  # a cancel is no modification
    scene.advance(limit + 2)
    assert scene.row(order)["status"] == "CANCELLED"


# -- validity and the day ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "probability", "status", "least", "most"),
    [
        (26_000, 0.0, "COMPLETE", 650, 650),
        (25_999, 0.0, "CANCELLED", 0, 0),
        (26_000, 1.0, "CANCELLED", 65, 585),
    ],
)
def test_an_ioc_order_takes_what_it_gets_and_ends(price, probability, status, least, most):
    scene = Scene(partial_fill_probability=probability)
    scene.tick(0, 26_000.0)
    order = scene.place("BUY", 10, order_type="LIMIT", price=price, validity="IOC")
    scene.advance(1)
    row = scene.row(order)
    assert row["status"] == status
    assert least <= row["filled_quantity"] <= most


def test_a_ttl_order_ends_after_its_minutes(scene):
    order = scene.place(order_type="LIMIT", price=25_000, validity="TTL", validity_ttl=2)
    scene.advance(120)
    assert scene.row(order)["status"] == "OPEN"
    scene.advance(120.1)
    assert scene.row(order)["status"] == "CANCELLED"


def test_the_day_ends_with_open_orders_cancelled():
    scene = Scene(start=at(clock="15:39"))
    scene.exchange.on_trade(9042946, _print(at(clock="15:39"), 26_000.0))
    resting = scene.place(order_type="LIMIT", price=25_000)
    stop = scene.place("SELL", order_type="SL", trigger_price=25_000, price=24_990)
    scene.exchange.advance(at(59.95, clock="15:39"))
    late = scene.place(order_type="LIMIT", price=25_000)
    scene.exchange.advance(at(clock="15:40"))
    scene.exchange.on_trade(9042946, _print(at(1, clock="15:40"), 24_000.0))
    scene.exchange.advance(at(clock="16:00"))
    assert [scene.row(order)["status"] for order in (resting, stop, late)] == ["CANCELLED"] * 3
    assert scene.row(late)["exchange_order_id"] is None
    assert scene.exchange.next_due() is None


def test_late_news_does_not_turn_the_stamps_back():
    scene = Scene(cash=250_000.0)
    scene.tick(0, 26_000.0)
    order = scene.place(order_type="SL", trigger_price=26_010, price=26_020)
    scene.advance(5)
    scene.modify(order, quantity=2 * LOT)  # refused: no margin
    scene.advance(6)
    scene.tick(3, 26_010.0)
    stamps = [row["order_timestamp"] for row in scene.exchange.order_history(order)]
    assert scene.states(order)[-1] == "OPEN"
    assert stamps == sorted(stamps)


def _print(time, price):
    return MarketTrade(time, price, 65)
