"""Champion against challenger through the engine: on bars new to both; the better one is told from luck."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from feeds.clock import IST
from feeds.errors import DataError
from feeds.settings import SyntheticSettings
from ml.factory import train
from ml.features import FeatureSet
from ml.registry import ModelRegistry
from strategies import model_commands
from strategies.loading import load_run_bars
from strategies.model_commands import promote_after_test
from strategies.modelling import store_model
from strategies.promotion_test import compare_models
from tests.parity.recorded import CALENDAR
from tests.strategies.test_retraining import settings_in

NOW = dt.datetime(2026, 9, 24, 16, 0, tzinfo=IST)


def with_bars(settings, **synthetic):
    data = settings.data.model_copy(
        update={"synthetic": SyntheticSettings(**({"sessions": 120, "seed": 5} | synthetic))}
    )
    return settings.model_copy(update={"data": data})


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """v0001 knows nothing, v0002 knows the planted edge; both learned from the first 72 of 120 sessions."""
    settings = settings_in(tmp_path_factory.mktemp("models"))
    ml = settings.ml.model_copy(
        update={"split": settings.ml.split.model_copy(update={"train_fraction": 0.6})}
    )
    settings = settings.model_copy(update={"ml": ml})
    edge = with_bars(settings, edge="momentum", edge_bps=80.0)
    for known in (with_bars(settings, edge="none", seed=6), edge):
        bars = load_run_bars(known, CALENDAR)
        store_model(known, bars, train(bars.frame, ml, "chronological"), NOW)
    return edge, load_run_bars(edge, CALENDAR).frame


@pytest.mark.slow
def test_a_model_that_knows_the_edge_beats_one_that_does_not(models):
    settings, frame = models
    found = compare_models(settings, CALENDAR, frame, "v0001", "v0002")
    assert found.passes, found.words()
    assert found.low > 0.0
    judges_from = ModelRegistry(settings.ml.registry).show("v0002").valid_from
    assert dt.date.fromisoformat(found.first) >= judges_from.astimezone(IST).date()
    swapped = compare_models(settings, CALENDAR, frame, "v0002", "v0001")
    assert not swapped.passes
    assert swapped.mean_difference == pytest.approx(-found.mean_difference)
    assert (swapped.champion_net, swapped.challenger_net) == (found.challenger_net, found.champion_net)


@pytest.mark.slow
def test_fills_are_as_fine_as_the_settings_say(models, monkeypatch):
    """As in the run that the promoted model will make, and by the command that promotes it."""
    settings, _ = models
    data = settings.data.model_copy(update={"detail": "1minute"})
    narrow = settings.strategy.model_copy(update={"stop_atr": 0.3, "target_atr": 0.3})  # one bar reaches both
    detailed = settings.model_copy(update={"data": data, "strategy": narrow})
    bars = load_run_bars(detailed, CALENDAR)
    fine = compare_models(detailed, CALENDAR, bars.frame, "v0001", "v0002", minutes=bars.minutes)
    coarse = compare_models(detailed, CALENDAR, bars.frame, "v0001", "v0002")
    assert fine.challenger_net != coarse.challenger_net
    registry = ModelRegistry(settings.ml.registry)
    registry.promote("v0001")
    monkeypatch.setattr(model_commands, "load_settings", lambda _: detailed)
    said = promote_after_test(None, "v0002", source=None, why="a test", by="asha", at=NOW, is_forced=False)
    assert fine.words() in said.words  # so narrow they do not pass


@pytest.mark.slow
def test_bars_that_a_model_has_learned_do_not_count(models):
    settings, frame = models
    registry = ModelRegistry(settings.ml.registry)
    later = frame.index[frame.index >= pd.Timestamp(frame.index[-1]).normalize() - pd.Timedelta(days=20)][0]
    card = registry.show("v0002").model_copy(update={"valid_from": later.to_pydatetime()})
    version = registry.save(registry.load("v0002", FeatureSet(settings.ml.features)).model, card)
    with pytest.raises(DataError, match="20 or more"):
        compare_models(settings, CALENDAR, frame, "v0001", version)


def test_bars_before_both_are_refused(models):
    settings, frame = models
    with pytest.raises(DataError, match="found no bar from"):
        compare_models(settings, CALENDAR, frame.iloc[:2000], "v0001", "v0002")
