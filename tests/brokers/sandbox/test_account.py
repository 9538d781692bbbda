"""Positions, funds and charges in numbers."""

from __future__ import annotations

import math
import random

import pytest

from brokers.charges import PercentCharges, ZerodhaCharges
from brokers.sandbox.account import Position
from brokers.sandbox.exchange import ExchangeError
from tests.brokers.sandbox.scene import DAY, LOT, NEAR, NEXT, Scene, form

NO_CHARGES = PercentCharges(0.0)


def trade(scene, second, side, lots, price, **fields):
    """Fill a market order at ``price``."""
    scene.advance(second)
    order = scene.place(side, lots, market_protection=100, **fields)
    scene.tick(second + 0.5, price)
    scene.advance(second + 0.6)
    assert scene.row(order)["status"] == "COMPLETE"
    return order


@pytest.fixture
def scene():
    made = Scene(charges=NO_CHARGES)
    made.tick(0, 26_000.0)
    return made


def test_a_round_trip(scene):
    trade(scene, 1, "BUY", 2, 26_000.0)
    (row,) = scene.exchange.positions()["net"]
    assert (row["quantity"], row["average_price"], row["unrealised"]) == (130, 26_000.0, 0.0)
    scene.tick(3, 26_010.0)
    (row,) = scene.exchange.positions()["net"]
    assert (row["unrealised"], row["realised"], row["pnl"], row["m2m"]) == (1_300.0, 0.0, 1_300.0, 1_300.0)
    trade(scene, 4, "SELL", 2, 26_020.0)
    (row,) = scene.exchange.positions()["net"]
    assert (row["quantity"], row["average_price"], row["unrealised"]) == (0, 0.0, 0.0)
    assert (row["realised"], row["pnl"], row["value"]) == (2_600.0, 2_600.0, 2_600.0)
    assert (row["buy_quantity"], row["buy_price"], row["buy_value"]) == (130, 26_000.0, 3_380_000.0)
    assert (row["sell_quantity"], row["sell_price"], row["sell_value"]) == (130, 26_020.0, 3_382_600.0)
    funds = scene.exchange.margins("equity")
    assert funds["net"] == 10_002_600.0
    assert funds["utilised"]["span"] == funds["utilised"]["exposure"] == 0.0
    assert scene.exchange.positions()["day"] == scene.exchange.positions()["net"]


def test_turning_around_starts_a_new_average(scene):
    trade(scene, 1, "BUY", 1, 26_000.0)
    trade(scene, 2, "SELL", 3, 26_100.0)
    (row,) = scene.exchange.positions()["net"]
    assert (row["quantity"], row["average_price"], row["realised"]) == (-130, 26_100.0, 6_500.0)
    trade(scene, 3, "SELL", 2, 26_050.0)
    (row,) = scene.exchange.positions()["net"]
    assert (row["quantity"], row["average_price"]) == (-260, 26_075.0)


def test_products_and_contracts_are_positions_of_their_own(scene):
    trade(scene, 1, "BUY", 1, 26_000.0)
    trade(scene, 2, "SELL", 1, 26_000.0, product="NRML")
    scene.tick(3, 26_100.0, token=NEXT.token)
    order = scene.place("BUY", 1, tradingsymbol=NEXT.symbol)
    scene.tick(4, 26_101.0)  # another contract's print
    scene.advance(4.5)
    assert scene.row(order)["status"] == "OPEN"
    scene.tick(5, 26_105.0, token=NEXT.token)
    scene.advance(6)
    found = [
        (row["tradingsymbol"], row["product"], row["quantity"]) for row in scene.exchange.positions()["net"]
    ]
    assert found == [(NEAR.symbol, "MIS", 65), (NEAR.symbol, "NRML", -65), (NEXT.symbol, "MIS", 65)]
    blocked = scene.exchange.margins("equity")["utilised"]
    value = 65 * (26_101.0 * 2 + 26_105.0)  # products are not netted
    assert blocked["span"] + blocked["exposure"] == pytest.approx(value * 0.12)
    assert blocked["exposure"] == pytest.approx(value * 0.02)


def test_open_losses_count_and_open_profits_do_not(scene):
    trade(scene, 1, "BUY", 1, 26_000.0)
    for price, loss in ((26_100.0, 0.0), (25_900.0, 6_500.0)):
        scene.tick(3, price)
        funds = scene.exchange.margins("equity")
        assert funds["net"] == pytest.approx(1e7 - 65 * price * 0.12 - loss)
        assert funds["available"]["live_balance"] == funds["net"]


def test_charges_are_by_order_not_by_fill():
    charges = {}
    for probability in (0.0, 1.0):
        scene = Scene(partial_fill_probability=probability)
        scene.tick(0, 26_000.0)
        scene.place("SELL", 10)
        for second in range(1, 15):
            scene.tick(second, 26_000.0)
        scene.advance(20)
        assert scene.held() == -650
        charges[probability] = scene.exchange.charges
    expected = ZerodhaCharges().order_charges(DAY, -650, 26_000.0)
    assert charges == {0.0: pytest.approx(expected), 1.0: pytest.approx(expected)}


def test_margins_and_charges_of_imagined_orders(scene):
    scene = Scene()
    asked = {**form("SELL", 2), "quantity": 130, "price": 0, "order_type": "MARKET"}
    (row,) = scene.exchange.order_margins([asked])
    assert row["total"] == pytest.approx(130 * 26_000 * 0.12)
    assert row["span"] + row["exposure"] == pytest.approx(row["total"])
    parts = ZerodhaCharges().breakdown(DAY, -130, 26_000.0)
    assert row["charges"]["total"] == pytest.approx(parts.total)
    assert row["charges"]["transaction_tax"] == pytest.approx(parts.stt)
    (note,) = scene.exchange.virtual_contract_note([{**asked, "average_price": 26_100, "order_id": "1"}])
    assert note["charges"]["total"] == pytest.approx(ZerodhaCharges().order_charges(DAY, -130, 26_100.0))
    assert (note["price"], note["quantity"], note["transaction_type"]) == (26_100.0, 130, "SELL")
    parts = [note["charges"][name] for name in (
        "transaction_tax", "exchange_turnover_charge", "sebi_turnover_charge", "brokerage", "stamp_duty",
    )]  # fmt: skip
    assert math.fsum([*parts, note["charges"]["gst"]["total"]]) == pytest.approx(note["charges"]["total"])


@pytest.mark.parametrize("change", [{"quantity": 0}, {"quantity": "x"}, {"price": -1}, {"price": "x"},
                                    {"transaction_type": "X"}, {"tradingsymbol": "X"}])  # fmt: skip
def test_an_imagined_order_must_be_readable(scene, change):
    asked = [{**form(), **change}]
    for ask in (
        scene.exchange.order_margins, scene.exchange.basket_margins, scene.exchange.virtual_contract_note,
    ):  # fmt: skip
        with pytest.raises(ExchangeError) as error:
            ask(asked)
        assert error.value.status == 400


def test_a_basket_sets_orders_and_positions_off(scene):
    one_lot = 65 * 26_000 * 0.12
    both = [form("BUY"), form("SELL")]
    basket = scene.exchange.basket_margins(both)
    assert basket["initial"]["total"] == pytest.approx(2 * one_lot)
    assert basket["final"]["total"] == pytest.approx(one_lot)
    trade(scene, 1, "BUY", 1, 26_000.0)
    assert scene.exchange.basket_margins([form("SELL")])["final"]["total"] == 0.0
    alone = scene.exchange.basket_margins([form("SELL")], consider_positions=False)
    assert alone["final"]["total"] == pytest.approx(one_lot)
    assert basket["charges"]["total"] == sum(row["charges"]["total"] for row in basket["orders"])


def conversion(units, old="MIS", new="NRML", side="BUY", **fields):
    return {**form(side), "quantity": str(units), "old_product": old, "new_product": new, **fields}


def test_converting_moves_units_at_their_price(scene):
    trade(scene, 1, "BUY", 3, 26_000.0)
    scene.tick(3, 26_050.0)
    before = scene.exchange.margins("equity")
    assert scene.exchange.convert(conversion(2 * LOT)) is True
    rows = {row["product"]: row for row in scene.exchange.positions()["net"]}
    assert (rows["MIS"]["quantity"], rows["NRML"]["quantity"]) == (65, 130)
    assert rows["NRML"]["average_price"] == 26_000.0
    assert rows["MIS"]["pnl"] + rows["NRML"]["pnl"] == pytest.approx(3 * 65 * 50)
    assert scene.exchange.margins("equity") == before


@pytest.mark.parametrize(
    "asked",
    [
        conversion(4 * LOT), conversion(0), conversion(-LOT), conversion("x"), conversion(LOT, side="SELL"),
        conversion(LOT, old="NRML", new="MIS"), conversion(LOT, new="MIS"), conversion(LOT, new="CNC"),
        conversion(LOT, tradingsymbol=NEXT.symbol),
    ],
)  # fmt: skip
def test_a_conversion_that_cannot_be_is_refused(scene, asked):
    trade(scene, 1, "BUY", 3, 26_000.0)
    before = scene.exchange.positions()
    with pytest.raises(ExchangeError):
        scene.exchange.convert(asked)
    assert scene.exchange.positions() == before


@pytest.mark.parametrize("seed", range(20))
def test_profit_is_conserved_over_fills_and_conversions(seed):
    draw = random.Random(seed)  # noqa: S311 # a scenario, no secret
    positions = {product: Position(NEAR, product) for product in ("MIS", "NRML")}
    held, spent = 0, 0.0
    for _ in range(60):
        first, second = draw.sample(list(positions.values()), 2)
        if draw.random() < 0.3 and first.quantity:
            first.move_to(second, draw.randint(1, abs(first.quantity) // LOT) * LOT)
        else:
            units, price = draw.choice([-3, -1, 1, 2]) * LOT, 26_000.0 + draw.randint(-50, 50)
            first.book(units, price)
            held, spent = held + units, spent + units * price
        rows = positions.values()
        assert sum(row.quantity for row in rows) == held
        total = math.fsum(row.realised + row.unrealised(26_000.0) for row in rows)
        assert total == pytest.approx(held * 26_000.0 - spent, abs=1e-4)
        for row in rows:
            value = row.sold_value - row.bought_value + row.quantity * 26_000.0
            assert value == pytest.approx(row.realised + row.unrealised(26_000.0), abs=1e-4)
            assert row.bought - row.sold == row.quantity
