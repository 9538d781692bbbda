"""What an order may say: each bound one step below, on and one step above it, with the API's texts."""

from __future__ import annotations

import datetime as dt

import pytest

from brokers.sandbox.exchange import Exchange, ExchangeConfig, ExchangeError, SandboxInstrument
from brokers.sandbox.rates import OrderRates
from feeds.calendar import TradingCalendar
from feeds.errors import SettingsError
from tests.brokers.sandbox.scene import DAY, FAR, LOT, NEAR, Scene, at, form

LOWER, UPPER = 23_400.0, 28_600.0  # 10 % around 26,000


@pytest.fixture
def scene():
    made = Scene(cash=1e12)
    made.tick(0, 26_000.0)
    return made


def refusal(scene, side="BUY", lots=1, **fields):
    """The refusal of an order, or None; nothing may be left behind by a refused one."""
    before = scene.exchange.orders()
    found = None
    try:
        scene.place(side, lots, **fields)
    except ExchangeError as error:
        found = error
    if found is None:
        return None
    assert scene.exchange.orders() == before
    assert (found.status, found.error_type) == (400, "InputException")
    return found.message


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        (0, "Invalid `quantity`"), (-65, "Invalid `quantity`"), ("65.5", "Invalid `quantity`"),
        ("x", "Invalid `quantity`"), ("", "Missing or empty field `quantity`"),
        (LOT - 1, "multiples of the lot size 65"), (LOT, None), (LOT + 1, "multiples of the lot size 65"),
        (1755 - 65, None), (1755, None), (1820, "higher than the maximum quantity of 1755 (27 lots)"),
        (1800, "multiples of the lot size"),
    ],
)  # fmt: skip
def test_quantity_lot_and_freeze(scene, quantity, text):
    found = refusal(scene, quantity=quantity)
    assert (found is None) if text is None else text in found


@pytest.mark.parametrize(
    ("freeze", "quantity", "is_taken"),
    [(130, 65, True), (130, 130, True), (130, 195, False), (129, 130, False), (194, 130, True)],
)
def test_the_freeze_quantity_itself_is_allowed(freeze, quantity, is_taken):
    scene = Scene(instruments=(NEAR._replace(freeze=freeze),))
    scene.tick(0, 26_000.0)
    assert (refusal(scene, quantity=quantity) is None) is is_taken


@pytest.mark.parametrize(
    ("price", "text"),
    [
        ("25999.9", None), ("26000", None), ("26000.1", None), ("26000.10", None),
        ("26000.05", "Tick size for this script is 0.10. Kindly enter price in the multiple"),
        ("26000.01", "Tick size"), ("0", "Invalid `price`"), ("-1", "Invalid `price`"),
        ("nan", "Invalid `price`"), ("inf", "Invalid `price`"), ("x", "Invalid `price`"),
        (None, "Missing or empty field `price`"),
        (LOWER - 0.1, "Your order price is lower than the current lower circuit limit of 23400.00"),
        (LOWER, None), (LOWER + 0.1, None), (UPPER - 0.1, None), (UPPER, None),
        (UPPER + 0.1, "Your order price is higher than the current upper circuit limit of 28600.00"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_tick_and_circuit(scene, side, price, text):
    found = refusal(scene, side, order_type="LIMIT", price=price)
    assert (found is None) if text is None else text in found


@pytest.mark.parametrize(
    ("side", "trigger", "price", "text"),
    [
        ("BUY", 26_000.1, 26_000.1, None),
        ("BUY", 26_000.0, 26_100.0, "buy orders should be higher than the last traded price (26000.00)"),
        ("BUY", 25_999.9, 26_100.0, "should be higher than the last traded price"),
        ("BUY", 26_050.0, 26_049.9, "stoploss buy orders should be lower than the limit price"),
        ("SELL", 25_999.9, 25_999.9, None),
        ("SELL", 26_000.0, 25_900.0, "sell orders should be lower than the last traded price (26000.00)"),
        ("SELL", 25_950.0, 25_950.1, "stoploss sell orders should be higher than the limit price"),
        ("SELL", 25_950.05, 25_900.0, "Kindly enter trigger price in the multiple"),
        ("SELL", 23_300.0, 23_300.0, "Your order price is lower than"),
        ("SELL", None, 25_000.0, "Missing or empty field `trigger_price`"),
    ],
)  # fmt: skip
def test_triggers(scene, side, trigger, price, text):
    found = refusal(scene, side, order_type="SL", trigger_price=trigger, price=price)
    assert (found is None) if text is None else text in found


def test_before_the_first_print_a_trigger_is_not_held_against_the_last_price():
    assert refusal(Scene(), "SELL", order_type="SL", trigger_price=26_500, price=26_400) is None


@pytest.mark.parametrize("order_type", ["MARKET", "SL-M"])
@pytest.mark.parametrize(
    ("protection", "text"),
    [
        (None, "Market orders without market protection are not allowed via API"),
        ("0", "Market orders without"),
        ("-1", None), ("0.01", None), ("100", None), ("100.01", "Invalid `market_protection`"),
        ("-2", "Invalid `market_protection`"), ("x", "Invalid `market_protection`"),
        ("nan", "Invalid `market_protection`"),
    ],
)  # fmt: skip
def test_market_orders_need_protection(scene, order_type, protection, text):
    found = refusal(scene, order_type=order_type, market_protection=protection, trigger_price=26_010)
    assert (found is None) if text is None else text in found


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"tag": "a" * 20}, None), ({"tag": "a" * 21}, "Invalid `tag`"), ({"tag": ""}, None),
        ({"transaction_type": "HOLD"}, "Invalid `transaction_type`"),
        ({"transaction_type": ""}, "Missing or empty field `transaction_type`"),
        ({"product": "CNC"}, "Invalid `product`"), ({"product": "NRML"}, None),
        ({"order_type": "STOP"}, "Invalid `order_type`"), ({"order_type": ""}, "Missing or empty field"),
        ({"validity": "GTC"}, "Invalid `validity`"), ({"validity": ""}, None),
        ({"validity": "TTL"}, "Invalid `validity_ttl`"), ({"validity": "TTL", "validity_ttl": 1}, None),
        ({"tradingsymbol": "NIFTY26OCTFUT"}, "has either expired or does not exist"),
        ({"tradingsymbol": ""}, "Missing or empty field `tradingsymbol`"),
        ({"exchange": "NSE"}, "has either expired or does not exist"),
    ],
)  # fmt: skip
def test_the_other_fields(scene, fields, text):
    found = refusal(scene, **fields)
    assert (found is None) if text is None else text in found


@pytest.mark.parametrize(("expiry", "is_listed"), [(DAY, True), (DAY - dt.timedelta(days=1), False)])
def test_a_contract_trades_up_to_its_expiry(expiry, is_listed):
    scene = Scene(instruments=(NEAR._replace(expiry=expiry),))
    assert (refusal(scene) is None) is is_listed


@pytest.mark.parametrize("variety", ["amo", "co", "iceberg", "auction", ""])
def test_only_regular_orders_are_taken(scene, variety):
    with pytest.raises(ExchangeError, match="Invalid `variety`"):
        scene.exchange.place(variety, form())


@pytest.mark.parametrize(
    ("clock", "is_open"),
    [("09:14:59", False), ("09:15:00", True), ("15:39:59", True), ("15:40:00", False), ("18:00:00", False)],
)
def test_orders_are_taken_in_the_session_only(clock, is_open):
    scene = Scene(start=at(clock=clock))
    found = refusal(scene)
    assert (found is None) if is_open else "Markets are closed right now" in found


def test_a_break_within_the_day_is_closed():
    scene = Scene(start=at(clock="09:15"), calendar=_calendar("09:15-10:00 11:30-12:30"))
    assert refusal(scene) is None
    scene.exchange.advance(at(clock="10:30"))
    assert "Markets are closed" in refusal(scene)
    scene.exchange.advance(at(clock="11:30"))
    assert refusal(scene) is None


def _calendar(hours):
    return TradingCalendar({DAY: hours})


# -- margin ------------------------------------------------------------------------------------------------

ONE_LOT = 65 * 26_000.0 * 0.12


@pytest.mark.parametrize(
    ("cash", "status"), [(ONE_LOT - 0.01, "REJECTED"), (ONE_LOT, "OPEN"), (ONE_LOT + 0.01, "OPEN")]
)
def test_an_order_needs_its_margin(cash, status):
    scene = Scene(cash=cash)
    scene.tick(0, 26_000.0)
    order = scene.place(order_type="LIMIT", price=25_990)
    scene.advance(1)
    row = scene.row(order)
    assert row["status"] == status
    if status == "REJECTED":
        assert row["status_message"].startswith(
            f"Insufficient funds. Required margin is {ONE_LOT:.2f} but available margin is {cash:.2f}."
        )
        assert row["status_message_raw"].startswith(f"RMS:Margin Exceeds,Required:{ONE_LOT:.2f}")
        assert (row["exchange_order_id"], row["exchange_timestamp"], row["pending_quantity"]) == (
            None,
            None,
            0,
        )
        assert [event["status"] for event in scene.exchange.take_events()] == ["REJECTED"]


def test_open_orders_block_margin_and_cancels_free_it():
    scene = Scene(cash=ONE_LOT)
    scene.tick(0, 26_000.0)
    first = scene.place(order_type="LIMIT", price=25_990)
    second = scene.place(order_type="LIMIT", price=25_990)
    scene.advance(1)
    assert scene.row(second)["status"] == "REJECTED"
    assert scene.exchange.margins("equity")["net"] == pytest.approx(0.0)
    scene.cancel(first)
    scene.advance(2)
    assert scene.exchange.margins("equity")["net"] == ONE_LOT


def test_exits_need_no_margin_even_two_of_them():
    scene = Scene(cash=ONE_LOT + 1_000)
    scene.tick(0, 26_000.0)
    scene.place()
    scene.tick(1, 26_000.0)
    scene.advance(2)
    stop = scene.place("SELL", order_type="SL", trigger_price=25_900, price=25_890)
    target = scene.place("SELL", order_type="LIMIT", price=26_100)
    other_product = scene.place("SELL", order_type="LIMIT", price=26_100, product="NRML")
    scene.advance(3)
    assert [scene.row(order)["status"] for order in (stop, target, other_product)] == [
        "TRIGGER PENDING", "OPEN", "REJECTED",
    ]  # fmt: skip


def test_without_any_price_an_order_is_rejected():
    scene = Scene(previous_closes={})
    order = scene.place()
    scene.advance(1)
    assert scene.row(order)["status"] == "REJECTED"
    assert "No last price" in scene.row(order)["status_message"]


# -- rate limits -------------------------------------------------------------------------------------------


def test_ten_order_requests_in_a_calendar_second():
    scene = Scene(rate_limits=True)
    scene.advance(0.9)
    for _ in range(10):
        scene.place(order_type="LIMIT", price=25_990)
    with pytest.raises(ExchangeError, match="Too many requests") as error:
        scene.place(order_type="LIMIT", price=25_990)
    assert (error.value.status, error.value.error_type) == (429, "NetworkException")
    assert len(scene.exchange.orders()) == 10
    scene.advance(1.0)  # 100 ms later a new second has begun
    scene.place(order_type="LIMIT", price=25_990)


def test_refused_requests_changes_and_cancels_count_too():
    scene = Scene(rate_limits=True)
    order = scene.place(order_type="LIMIT", price=25_990)
    scene.advance(1)
    for _ in range(3):
        with pytest.raises(ExchangeError, match="Invalid `quantity`"):
            scene.place(quantity=0)
        with pytest.raises(ExchangeError, match="Tick size"):
            scene.modify(order, price=1.01)
        with pytest.raises(ExchangeError, match="Couldn't find"):
            scene.cancel("no")
    scene.cancel(order)
    with pytest.raises(ExchangeError, match="Too many requests"):
        scene.place()


def test_four_hundred_a_minute():
    rates = OrderRates()
    for count in range(400):
        rates.take(at(count // 10), is_placement=False)
    with pytest.raises(ExchangeError, match="Too many requests"):
        rates.take(at(59), is_placement=False)
    rates.take(at(60), is_placement=False)


def test_five_thousand_placements_a_day_exits_included():
    rates = OrderRates(per_second=100_000, per_minute=100_000)
    for _ in range(6000):
        rates.take(at(), is_placement=False)
    for _ in range(5000):
        rates.take(at(), is_placement=True)
    with pytest.raises(ExchangeError, match="Maximum allowed order requests exceeded"):
        rates.take(at(3600), is_placement=True)
    rates.take(at(3601), is_placement=False)


# -- slices ------------------------------------------------------------------------------------------------


def test_slices_are_orders_of_their_own(scene):
    answer = scene.exchange.place_sliced("regular", form(lots=60, tag="mine"))
    ids = [child["order_id"] for child in answer["children"]]
    assert [scene.row(order)["quantity"] for order in ids] == [1755, 1755, 390]
    row = scene.row(ids[0])
    assert row["parent_order_id"] == answer["order_id"]
    assert (row["tag"], row["tags"]) == ("mine", ["mine", "autoslice", f"autoslice:{answer['order_id']}"])
    scene.tick(1, 26_000.0)
    scene.advance(2)
    assert scene.held() == 60 * LOT


@pytest.mark.parametrize(
    ("lots", "text"), [(27, "greater than 1755"), (28, None), (270, None), (271, "17550")]
)
def test_slicing_begins_above_the_freeze_quantity_and_ends_at_ten(scene, lots, text):
    if text is None:
        children = scene.exchange.place_sliced("regular", form(lots=lots))["children"]
        assert len(children) == -(-lots // 27) <= 10
    else:
        with pytest.raises(ExchangeError, match=text):
            scene.exchange.place_sliced("regular", form(lots=lots))
        assert scene.exchange.orders() == []


def test_slices_can_fail_one_by_one():
    scene = Scene(rate_limits=True, cash=1e12)
    scene.tick(0, 26_000.0)
    for _ in range(8):
        scene.place(order_type="LIMIT", price=25_000)
    children = scene.exchange.place_sliced("regular", form(lots=81))["children"]
    assert [list(child) for child in children] == [["order_id"], ["order_id"], ["error"]]
    assert children[2]["error"] == {
        "code": 429, "error_type": "NetworkException", "message": "Too many requests", "data": None,
    }  # fmt: skip


# -- the set-up --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"cash": -1.0}, "cash is -1"), ({"latency_ms": -0.1}, "latency_ms"),
        ({"cash": float("nan")}, "cash"),
        ({"partial_fill_probability": 1.01}, "partial_fill_probability is 1.01, expected 0 to 1"),
        ({"day": dt.date(2026, 11, 21)}, "2026-11-21 is no trading day"),
    ],
)  # fmt: skip
def test_a_wrong_set_up_is_refused(change, text):
    with pytest.raises(SettingsError, match=text):
        ExchangeConfig(**{"instruments": (NEAR, FAR), "day": DAY, **change})


def test_order_ids_have_19_digits_and_can_go_on_counting():
    config = ExchangeConfig(
        instruments=(SandboxInstrument(*NEAR),), day=DAY, first_order_number=501,
        previous_closes={NEAR.token: 26_000.0},
    )  # fmt: skip
    exchange = Exchange(config, at())
    ids = [exchange.place("regular", form()) for _ in range(2)]
    assert ids == ["1926112000000000501", "1926112000000000502"]
