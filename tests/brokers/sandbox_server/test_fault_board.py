"""When a fault happens, and how often."""

from __future__ import annotations

import datetime as dt

import pytest
from pydantic import ValidationError

from brokers.sandbox.control import read_faults
from brokers.sandbox.faults import AFTER_KINDS, BEFORE_KINDS, EVENT_KINDS, SOCKET_KINDS, Fault, FaultBoard
from feeds.errors import SettingsError
from tests.brokers.sandbox_server.support import at

NOW = at("10:15")
ORDER = "POST /orders/regular"


def happen(board: FaultBoard, times: int = 1, **offer: object) -> list[int]:
    given = {"route": ORDER, **offer}
    return [len(board.take(AFTER_KINDS | BEFORE_KINDS, NOW, **given)) for _ in range(times)]


def test_it_lets_some_pass_happens_some_times_and_is_used_up():
    board = FaultBoard()
    (number,) = board.add(Fault(kind="lost_answer", skip=2, count=3))
    assert happen(board, 7) == [0, 0, 1, 1, 1, 0, 0]
    assert board.happened(number) == 3
    assert board.rows()[0]["happened"] == 3


def test_without_a_count_it_happens_for_ever():
    board = FaultBoard()
    board.add(Fault(kind="lost_answer", count=None))
    assert sum(happen(board, 50)) == 50


def test_chance_is_seeded():
    def drawn(seed: int) -> list[int]:
        board = FaultBoard(seed)
        board.add(Fault(kind="lost_answer", count=None, probability=0.4))
        return happen(board, 200)

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert 40 < sum(drawn(1)) < 120


@pytest.mark.parametrize(
    ("route", "asked", "fits"),
    [
        ("POST /orders/*", "POST /orders/regular", True),
        ("POST /orders/*", "PUT /orders/regular/1", False),
        ("* /orders*", "GET /orders", True),
        ("GET /orders", "GET /orders/1", False),
        ("*", "DELETE /session/token", True),
    ],
)
def test_it_is_about_the_requests_of_its_route(route, asked, fits):
    board = FaultBoard()
    board.add(Fault(kind="bad_gateway", route=route))
    assert happen(board, route=asked) == [int(fits)]


def test_it_is_about_orders_if_nothing_else_is_said_and_a_dead_token_about_everything():
    assert Fault(kind="bad_gateway").route == "POST /*order*/*"
    assert Fault(kind="kill_token").route == "*"


def test_fields_have_to_fit_and_a_request_that_does_not_is_no_opportunity():
    board = FaultBoard()
    board.add(Fault(kind="refuse", where={"order_type": "SL", "quantity": "65"}, skip=1))
    stop = {"order_type": "SL", "quantity": 65}
    assert happen(board, 3, fields={"order_type": "LIMIT", "quantity": 65}) == [0, 0, 0]
    assert happen(board, fields={"order_type": "SL"}) == [0]
    assert happen(board, 3, fields=stop) == [0, 1, 0]


@pytest.mark.parametrize(("time", "expected"), [("10:14:59", 0), ("10:15:00", 1), ("10:15:01", 1)])
def test_it_waits_for_its_time(time, expected):
    board = FaultBoard()
    board.add(Fault(kind="reset", after=dt.time(10, 15)))
    assert len(board.take(SOCKET_KINDS, at(time))) == expected


def test_one_request_has_one_answer_and_the_others_wait_for_their_turn():
    board = FaultBoard()
    board.add(Fault(kind="late_row"), Fault(kind="lost_answer"), Fault(kind="timed_out"))
    kinds = [[fault.kind for fault in board.take(AFTER_KINDS, NOW, route=ORDER)] for _ in range(3)]
    assert kinds == [["late_row", "lost_answer"], ["timed_out"], []]


def test_faults_can_be_taken_down():
    board = FaultBoard()
    (number,) = board.add(Fault(kind="lost_answer"))
    board.clear()
    assert happen(board) == [0]
    assert board.happened(number) == 0
    assert board.add(Fault(kind="refuse")) == [number + 1]


def test_every_kind_belongs_to_one_place():
    places = [BEFORE_KINDS, AFTER_KINDS, SOCKET_KINDS, EVENT_KINDS, {"refuse_upgrade"}]
    kinds = [kind for place in places for kind in place]
    assert len(kinds) == len(set(kinds))
    for kind in kinds:
        assert Fault(kind=kind).kind == kind


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "explode"},
        {"kind": "refuse", "status": 200},
        {"kind": "refuse", "count": 0},
        {"kind": "refuse", "probability": 1.5},
        {"kind": "delay", "seconds": -1},
        {"kind": "refuse", "rout": "*"},
        {"count": 1},
        "refuse",
        7,
    ],
)
def test_a_fault_that_is_wrong_is_refused_by_name(wrong):
    with pytest.raises(SettingsError, match=r"of a fault: .*see docs/sandbox\.md"):
        read_faults(wrong)


def test_a_list_of_faults_is_read_in_order():
    assert [fault.kind for fault in read_faults([{"kind": "delay"}, {"kind": "reset"}])] == ["delay", "reset"]
    with pytest.raises(ValidationError):
        Fault(kind="late_row", seconds=-2)
