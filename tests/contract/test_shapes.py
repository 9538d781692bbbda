"""The comparison itself finds what it has to find."""

from __future__ import annotations

import pytest

from tests.contract.shapes import Shape

ROWS = [
    {"id": "1", "price": 1.5, "units": 2, "note": None, "inner": {"a": True}, "list": [{"x": 1}]},
    {"id": "2", "price": 2, "units": 3, "note": "text", "inner": {"a": False, "b": 1}, "list": []},
]
GOOD = {"id": "3", "price": 3, "units": 1, "note": None, "inner": {"a": True}, "list": [{"x": 5}]}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, []),
        ({"price": 2.5, "note": "text", "list": []}, []),
        ({"id": 3}, [".id: int (3), expected ['str']"]),
        ({"id": None}, [".id: NoneType (None), expected ['str']"]),
        ({"units": 1.0}, [".units: float (1.0), expected ['int']"]),
        ({"units": True}, [".units: bool (True), expected ['int']"]),
        ({"inner": {}}, [".inner.a is missing"]),
        ({"inner": {"a": True, "c": 1}}, [".inner.c is in no example"]),
        ({"list": [{"x": "1"}]}, [".list[0].x: str ('1'), expected ['int']"]),
        ({"list": [{}]}, [".list[0].x is missing"]),
        ({"price": "2"}, [".price: str ('2'), expected ['float', 'int']"]),
    ],
)
def test_a_difference_is_found(change, found):
    assert list(Shape(ROWS).faults(GOOD | change)) == found


def test_a_missing_key_is_found_and_what_is_allowed_is_let_through():
    shape = Shape(ROWS)
    assert list(shape.faults({key: GOOD[key] for key in GOOD if key != "id"})) == [".id is missing"]
    assert list(shape.faults(GOOD | {"new": 1}, optional=["new"])) == []
    assert list(shape.faults(GOOD | {"units": 1.5}, rupees=["units"])) == []


def test_only_the_newest_examples_say_what_is_required():
    old, new = {"a": 1}, {"a": 1, "b": 2}
    assert list(Shape([new, old], newest=1).faults({"a": 1})) == [".b is missing"]
    assert list(Shape([new, old]).faults({"a": 1})) == []
