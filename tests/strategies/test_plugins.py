"""Strategies by name, dotted path and entry point."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from feeds.errors import SettingsError
from strategies import plugins
from strategies.ema_cross import Strategy as EmaCross
from strategies.plugins import SHIPPED, load_strategy, plugin_settings


def installed(monkeypatch, **values):
    points = [EntryPoint(name, value, plugins.ENTRY_POINT_GROUP) for name, value in values.items()]
    monkeypatch.setattr(
        plugins, "entry_points", lambda group: points if group == "muhurat.strategies" else []
    )


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_strategy_loads_with_its_defaults(name):
    strategy = load_strategy(name)
    assert plugin_settings(name, strategy, {}) == strategy.Settings()


def test_a_dotted_path_and_an_entry_point_give_the_same_class(monkeypatch):
    installed(monkeypatch, mine="strategies.ema_cross:Strategy")
    assert load_strategy("mine") is load_strategy("strategies.ema_cross:Strategy") is EmaCross


def test_an_entry_point_is_among_the_names_that_are_suggested(monkeypatch):
    installed(monkeypatch, turtle="strategies.ema_cross:Strategy")
    with pytest.raises(SettingsError, match="did you mean 'turtle'"):
        load_strategy("turtel")


@pytest.mark.parametrize("value", ["nowhere.at.all:Strategy", "strategies.ema_cross:Nothing"])
def test_an_entry_point_that_leads_nowhere(monkeypatch, value):
    installed(monkeypatch, broken=value)
    with pytest.raises(SettingsError, match="'broken': its installed package points to"):
        load_strategy("broken")


def test_a_shipped_name_is_not_taken_over_by_a_package(monkeypatch):
    installed(monkeypatch, ema_cross="strategies.random_entry:Strategy")
    assert load_strategy("ema_cross") is EmaCross


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"fast_bar": 3}, "unknown setting 'strategy.parameters.fast_bar'; did you mean 'fast_bars'"),
        ({"fast_bars": 0}, "strategy.parameters.fast_bars is 0, expected 1 or more"),
        ({"fast_bars": 20}, "fast_bars 20 is not below slow_bars 10"),
    ],
)
def test_wrong_parameters_name_the_strategy(parameters, words):
    with pytest.raises(SettingsError, match="strategy ema_cross") as refusal:
        plugin_settings("ema_cross", EmaCross, parameters)
    assert words in str(refusal.value)
