from __future__ import annotations

import datetime as dt

import pytest

from analyzers.costs import at_todays_charges
from tests.analyzers.examples import FlatPercent
from tests.analyzers.test_trades import fill

DAY = dt.date(2026, 4, 1)


def test_an_order_in_parts_is_charged_once_and_shared_by_value():
    parts = [fill(1, 75.0, 100.0, order_id=7), fill(1, 225.0, 100.0, order_id=7)]
    charged = at_todays_charges(parts, FlatPercent(1.0, cap=20.0), DAY)
    assert [part.charges for part in charged] == pytest.approx([5.0, 15.0])


def test_only_the_charges_change_and_the_order_stays():
    fills = [
        fill(1, 75.0, 100.0, charges=3.0, order_id=1),
        fill(4, -75.0, 110.0, charges=4.0, role="stop", order_id=2),
    ]
    charged = at_todays_charges(fills, FlatPercent(1.0), DAY)
    assert [part.charges for part in charged] == pytest.approx([75.0, 82.5])
    assert [part._replace(charges=0.0) for part in charged] == [part._replace(charges=0.0) for part in fills]


def test_the_plan_is_asked_for_the_day_with_the_sign_of_the_order():
    asked = []

    class Plan:
        def order_charges(self, day, size, price):
            asked.append((day, size, price))
            return 1.0

    at_todays_charges(
        [fill(1, 75.0, 100.0), fill(2, 75.0, 102.0), fill(3, -150.0, 90.0, order_id=2)], Plan(), DAY
    )
    assert asked == [(DAY, 150.0, 101.0), (DAY, -150.0, 90.0)]


def test_an_order_above_the_largest_is_charged_in_slices():
    order = [fill(1, 450.0, 100.0)]
    plan = FlatPercent(1.0, cap=20.0)
    assert at_todays_charges(order, plan, DAY, 200.0)[0].charges == pytest.approx(60.0)  # 200 + 200 + 50
    assert at_todays_charges(order, plan, DAY, 450.0)[0].charges == pytest.approx(20.0)
