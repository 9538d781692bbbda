"""Trading or not, and why: what goes before what."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import get_args

import pytest

from analyzers.status.now import Phase, RuleNow, State
from strategies.live_state import standing_of

PHASES = get_args(Phase)


def glance(*, halted="", session="alive", obstacle="", blocks=""):
    return SimpleNamespace(
        halted=halted,
        broker=SimpleNamespace(session=session, obstacle=obstacle),
        rules=[
            RuleNow(name="max_trades", description=""),
            RuleNow(name="entry_window", description="", blocks=blocks),
        ],
    )


def stand(phase="session", seen=None, **said):
    words = {"paused": "", "kill_switch": "", "trouble": "", "note": "the note", **said}
    return standing_of(phase, seen, **words)


@pytest.mark.parametrize(
    ("given", "state", "why"),
    [
        ({}, "trading", "the note"),
        ({"blocks": "before 09:15"}, "trading", "no entry now (entry window: before 09:15)"),
        ({"obstacle": "an order is unresolved"}, "trading", "an order is unresolved"),
        ({"obstacle": "an order is unresolved", "blocks": "late"}, "trading", "an order is unresolved"),
        ({"obstacle": "halted: a stranger in the account"}, "halted", "halted: a stranger in the account"),
        ({"session": "dead", "obstacle": "the session is dead"}, "halted", "the session is dead"),
        ({"halted": "2.1% lost"}, "halted", "2.1% lost"),
        ({"halted": "2.1% lost", "session": "dead", "obstacle": "dead"}, "halted", "2.1% lost"),
    ],
)
def test_in_the_session(given, state, why):
    assert stand(seen=glance(**given)) == (state, why)


@pytest.mark.parametrize(
    ("phase", "seen", "state"),
    [
        ("session", None, "starting"), ("session", glance(), "trading"), ("preflight", None, "starting"),
        ("preflight", glance(halted="yesterday's"), "starting"), ("waiting", None, "closed"),
        ("waiting", glance(halted="today's, over"), "closed"), ("post_market", glance(), "closed"),
        ("over", None, "closed"),
    ],
)  # fmt: skip
def test_outside_of_it(phase, seen, state):
    assert stand(phase, seen) == (state, "the note")


def test_a_pause_is_what_stops_a_session_and_what_is_known_of_outside_of_it():
    assert stand(seen=glance(), paused="budget speech") == ("paused", "budget speech")
    assert stand(seen=glance(halted="2% lost"), paused="x").state == "halted"
    for phase in ("waiting", "post_market", "over"):
        assert stand(phase, paused="budget") == ("closed", "entries are paused (budget); the note")


@pytest.mark.parametrize("phase", PHASES)
def test_the_kill_switch_goes_before_everything(phase):
    for seen, paused, trouble in itertools.product((None, glance()), ("", "p"), ("", "no go")):
        found = stand(phase, seen, paused=paused, trouble=trouble, kill_switch="runaway")
        assert found == ("halted", "kill switch: runaway")


@pytest.mark.parametrize("phase", PHASES)
def test_trouble_is_never_shown_as_well(phase):
    for seen, paused in itertools.product((None, glance()), ("", "p")):
        assert stand(phase, seen, paused=paused, trouble="no go: login") == ("halted", "no go: login")


def test_every_case_has_a_state_that_the_page_knows():
    known = set(get_args(State))
    cases = itertools.product(
        PHASES, (None, glance(), glance(session="dead")), ("", "p"), ("", "k"), ("", "t")
    )
    for phase, seen, paused, kill_switch, trouble in cases:
        found = stand(phase, seen, paused=paused, kill_switch=kill_switch, trouble=trouble)
        assert found.state in known
