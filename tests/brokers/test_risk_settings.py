"""From the sections of the settings to rules, charges and slippage."""

from __future__ import annotations

import datetime as dt
import math

import pytest
from pydantic import ValidationError

from brokers.charges import PercentCharges, UpstoxCharges, ZerodhaCharges
from brokers.risk import RiskGate
from brokers.settings import (
    BrokerSettings,
    ChargeSettings,
    RiskSettings,
    SlippageSettings,
    make_charges,
    make_rules,
    make_slippage,
)
from brokers.slippage import FillContext
from feeds.errors import SettingsError
from tests.brokers.risk_cases import ENTRY

OFF = {
    "daily_loss_percent": None,
    "max_entries_per_day": None,
    "cooldown_losses": None,
    "max_atr_percent": None,
    "entries_from": None,
    "entries_until": None,
    "max_lots": None,
    "max_margin_percent": None,
    "order_sanity": False,
    "deny_incomplete_bars": False,
    "max_data_age_seconds": None,
    "max_model_age_days": None,
    "kill_switch_file": None,
    "pause_file": None,
}


def names(settings):
    return [rule.name for rule in make_rules(settings)]


def test_all_rules_are_on_unless_switched_off():
    assert names(RiskSettings()) == [
        "kill_switch",
        "pause",
        "data_quality",
        "model_age",
        "trading_window",
        "daily_loss",
        "max_trades",
        "cooldown",
        "volatility",
        "exposure",
        "order_sanity",
    ]


def test_every_rule_can_be_switched_off():
    assert names(RiskSettings(**OFF)) == []


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("daily_loss_percent", 2.0, "daily_loss"),
        ("daily_loss_rupees", 5_000.0, "daily_loss"),
        ("max_entries_per_day", 10, "max_trades"),
        ("cooldown_losses", 3, "cooldown"),
        ("min_atr_percent", 0.01, "volatility"),
        ("max_atr_percent", 1.0, "volatility"),
        ("entries_from", "09:15", "trading_window"),
        ("entries_until", "15:00", "trading_window"),
        ("max_lots", 20, "exposure"),
        ("max_margin_percent", 80.0, "exposure"),
        ("order_sanity", True, "order_sanity"),
        ("deny_incomplete_bars", True, "data_quality"),
        ("max_data_age_seconds", 30.0, "data_quality"),
        ("max_model_age_days", 120.0, "model_age"),
        ("kill_switch_file", "KILL_SWITCH", "kill_switch"),
        ("pause_file", "PAUSED", "pause"),
    ],
)
def test_each_limit_alone_switches_its_rule_on(field, value, rule):
    assert names(RiskSettings(**{**OFF, field: value})) == [rule]


def test_a_sound_entry_passes_all_rules_of_the_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gate = RiskGate(make_rules(RiskSettings()), 1_000_000.0)
    assert gate.check_entry(ENTRY).action == "allow"
    (tmp_path / "PAUSED").touch()
    assert gate.check_entry(ENTRY).rule == "pause"
    (tmp_path / "KILL_SWITCH").touch()
    assert gate.check_entry(ENTRY).rule == "kill_switch"


@pytest.mark.parametrize("value", [900, 54_000.0, "15:00+05:30"])
def test_a_time_that_yaml_took_for_a_number_is_refused(value):
    with pytest.raises(ValidationError, match="expected a time"):
        RiskSettings(entries_until=value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"min_atr_percent": 1.1}, "max_atr_percent"),
        ({"entries_from": "15:00"}, "entries_until"),
        ({"max_lots": 0}, "max_lots"),
        ({"daily_loss_percent": 0}, "daily_loss_percent"),
        ({"max_order_slices": 11}, "max_order_slices"),
        ({"pause_file": "KILL_SWITCH"}, "another file than kill_switch_file"),
        ({"max_lot": 3}, "max_lot"),
    ],
)
def test_limits_that_cannot_be_meant_are_refused(changes, words):
    with pytest.raises(ValidationError, match=words):
        RiskSettings(**changes)


def test_times_may_be_written_as_text():
    assert RiskSettings(entries_from="09:30").entries_from == dt.time(9, 30)


# -- charges and slippage ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "kind"), [("zerodha", ZerodhaCharges), ("upstox", UpstoxCharges), ("percent", PercentCharges)]
)
def test_plan_by_name(plan, kind):
    assert type(make_charges(BrokerSettings(charges=ChargeSettings(plan=plan)))) is kind


CONTEXT = FillContext(10_000.0, 100.0, 10_020.0, 9_980.0, 10_000.0, 30.0, 0.05)


@pytest.mark.parametrize(
    ("settings", "points"),
    [
        ({}, 2.0),
        ({"model": "none"}, 0.0),
        ({"model": "percent", "percent": 0.05}, 5.0),
        ({"model": "ticks", "ticks": 3}, 0.15),
        ({"model": "volatility", "range_fraction": 0.2}, 6.0),
        ({"model": "square_root", "impact_coefficient": 2.0}, 6.0),
    ],
)
def test_slippage_by_name(settings, points):
    model = make_slippage(BrokerSettings(slippage=SlippageSettings(**settings)))
    assert model.adverse_points(CONTEXT) == pytest.approx(points)


class HalfSpread:
    """A slippage model of one's own."""

    needs_recent_range = False

    def __init__(self, points=0.5):
        self.points = points

    def adverse_points(self, context):
        del context
        return self.points


class NeverOnMondays:
    """A risk rule of one's own."""

    name = "never_on_mondays"

    def describe(self):
        return "never on Mondays"

    def check(self, request, state):
        del request, state
        raise NotImplementedError


HERE = "tests.brokers.test_risk_settings"


def own_slippage(path, **parameters):
    return make_slippage(BrokerSettings(slippage=SlippageSettings(model=path, parameters=parameters)))


def test_a_slippage_model_of_ones_own():
    assert own_slippage(f"{HERE}:HalfSpread", points=0.75).adverse_points(CONTEXT) == 0.75


@pytest.mark.parametrize(
    ("path", "parameters", "words"),
    [
        ("percnt", {}, "percnt"),
        (f"{HERE}:QuarterSpread", {}, "QuarterSpread"),
        (f"{HERE}:HalfSpread", {"ticks": 1}, "ticks"),
        (f"{HERE}:NeverOnMondays", {}, "adverse_points"),
    ],
)
def test_a_slippage_model_that_is_none_is_refused(path, parameters, words):
    with pytest.raises(SettingsError, match=words):
        own_slippage(path, **parameters)


def test_a_rule_of_ones_own_is_asked_before_the_size_rules():
    settings = RiskSettings(own_rules={f"{HERE}:NeverOnMondays": {}})
    assert names(settings)[-3:] == ["never_on_mondays", "exposure", "order_sanity"]
    with pytest.raises(SettingsError, match="lacks name, describe, check"):
        make_rules(RiskSettings(own_rules={f"{HERE}:HalfSpread": {}}))


@pytest.mark.parametrize("changes", [{"latency_ms": -1}, {"starting_cash": 0}, {"starting_cash": math.nan}])
def test_broker_numbers_out_of_range_are_refused(changes):
    with pytest.raises(ValidationError):
        BrokerSettings(**changes)
