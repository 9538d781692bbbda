"""The drift of the model as a limit on entries: every level with every action, sizes at their bounds."""

from __future__ import annotations

import math

import pytest

from brokers.risk.gate import RiskGate
from brokers.risk.model_drift import ModelDrift
from brokers.settings import RiskSettings, make_rules
from tests.brokers.risk_cases import ENTRY, account

LOT = 75


def entry(size, model_age_days=3.0):
    return ENTRY._replace(size=size, lot=LOT, model_age_days=model_age_days)


def rule(level, warning="reduce", alarm="stop", percent=50.0):
    return ModelDrift(level, warning, alarm, percent)


@pytest.mark.parametrize(
    ("level", "action"), [("ok", "allow"), ("unknown", "allow"), ("warning", "reduce"), ("alarm", "deny")]
)
@pytest.mark.parametrize("side", [1, -1])
def test_only_warning_and_alarm_limit(level, action, side):
    assert rule(level).check(entry(side * 4.0 * LOT), account()).action == action


@pytest.mark.parametrize("action", ["none", "reduce", "stop"])
def test_a_level_without_an_action_limits_nothing(action):
    request = entry(4.0 * LOT)
    assert rule("warning", warning="none", alarm=action).check(request, account()).action == "allow"


@pytest.mark.parametrize(
    ("lots", "percent", "left"),
    [
        (1, 50, 1),
        (2, 50, 1),
        (3, 50, 1),
        (4, 50, 2),
        (5, 50, 2),
        (3, 33, 1),
        (10, 30, 3),
        (10, 29.9, 2),
        (2, 99, 1),
    ],
)
def test_a_reduced_entry_has_whole_lots_and_one_at_least(lots, percent, left):
    request = entry(-float(lots * LOT))
    verdict = rule("warning", percent=percent).check(request, account())
    assert (verdict.size if verdict.action == "reduce" else lots * LOT) == left * LOT


def test_a_strategy_without_a_model_is_not_concerned():
    request = entry(4.0 * LOT, math.nan)
    assert rule("alarm").check(request, account()).action == "allow"


def test_words_say_what_is_limited_and_that_a_level_is_not_known():
    assert rule("unknown").describe() == "model drift: unknown after the last session, entries as ever"
    assert "no entries" in rule("alarm").describe()
    assert "50 %" in rule("warning").describe()
    gate = RiskGate([rule("alarm")], 1e6)
    assert "moved" in gate.uses(ENTRY.time)[0].use.blocks


def test_the_default_has_no_such_rule_and_an_action_brings_it():
    def names(**on_drift):
        return [rule.name for rule in make_rules(RiskSettings.model_validate({"on_drift": on_drift}))]

    assert "model_drift" not in names()
    assert "model_drift" not in names(level="alarm")
    assert "model_drift" in names(alarm="stop")
    assert "model_drift" in names(warning="reduce", level="unknown")
