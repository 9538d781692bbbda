"""The model inside backtrader: all bars at once, bar by bar, and never with a look ahead."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.bars import aggregate
from feeds.calendar import TradingCalendar
from feeds.settings import SyntheticSettings
from feeds.sources.synthetic import make_bars
from ml.features import FeatureSet
from ml.labels import horizon_labels
from ml.models import XGBoostModel
from ml.predict import ModelWindow, Predictor
from ml.settings import MlSettings
from strategies.indicators import bars_of
from tests.support import assemble, settings_of

FEATURES = FeatureSet(MlSettings().features)


@pytest.fixture(scope="module")
def bars():
    calendar = TradingCalendar()
    return aggregate(make_bars(SyntheticSettings(sessions=16, seed=11), calendar), 3, calendar)


@pytest.fixture(scope="module")
def predictor(bars):
    matrix = FEATURES.compute(bars)
    labels = horizon_labels(bars, 3, 0.05)
    rows = np.flatnonzero(np.isfinite(matrix).all(axis=1) & labels.valid)
    model = XGBoostModel(rounds=20, leaf_rows=20, purge_rows=3).fit(matrix[rows], labels.values[rows])
    window = ModelWindow(model, None, None, bars.index[0].to_pydatetime())
    return Predictor(FEATURES, [window])


def chosen(**strategy):
    return settings_of(
        strategy={
            "name": "ml", "sizer": "risk",
            "parameters": {"buy_probability": 0.36, "sell_probability": 0.36}, **strategy,
        },
        market={"lot_size": "dated", "tick_size": "dated"},
    )  # fmt: skip


def decisions(bars, predictor, **cerebro):
    assembled = assemble(bars, chosen(), predictor=predictor)
    assembled.engine.run(**cerebro)
    return assembled.journal


def test_once_and_next_agree_to_the_last_bit(bars, predictor):
    seen = {}
    for name, options in {"once": {}, "next": {"runonce": False}, "unloaded": {"preload": False}}.items():
        assembled = assemble(bars, chosen(), predictor=predictor)
        strategy = assembled.engine.run(**options)[0]
        seen[name] = np.array([line.array[: len(bars)] for line in strategy.prediction.lines])
        seen[name + " atr"] = np.array(strategy.atr.array[: len(bars)])
    assert np.isfinite(seen["once"]).any()
    for name in ("next", "unloaded"):
        np.testing.assert_array_equal(seen[name], seen["once"])
        np.testing.assert_array_equal(seen[name + " atr"], seen["once atr"])


def test_every_way_through_the_bars_gives_the_same_orders(bars, predictor):
    expected = decisions(bars, predictor)
    assert len(expected.fills) > 10
    for options in ({"runonce": False}, {"preload": False}):
        other = decisions(bars, predictor, **options)
        assert other.fills == expected.fills
        assert str(other.contexts) == str(expected.contexts)


def test_the_feed_gives_back_the_frame_it_was_made_of(bars, predictor):
    data = assemble(bars, chosen(), predictor=predictor).engine.run()[0].data
    pd.testing.assert_frame_equal(
        bars_of(data, len(bars)), bars[[*bars.columns[:6], "complete"]], check_freq=False
    )


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_no_bar_after_a_moment_changes_what_was_done_until_then(bars, predictor, data):
    """Decisions and sizes up to bar t depend on nothing later, not even on the end of the data."""
    cut = data.draw(st.integers(600, len(bars) - 2), label="bar")
    factor = data.draw(st.floats(0.8, 1.25), label="factor")
    changed = bars.copy()
    later = slice(cut + 1, None)
    for column in ("open", "high", "low", "close", "volume"):
        changed.iloc[later, changed.columns.get_loc(column)] *= factor
    shuffled = changed.copy()
    order = np.random.default_rng(cut).permutation(len(changed) - cut - 1) + cut + 1
    shuffled.iloc[later] = changed.iloc[order].to_numpy()
    shuffled = shuffled.astype(changed.dtypes)
    until = (bars.index[cut] + pd.Timedelta(minutes=3)).tz_localize(None).to_pydatetime()

    def done(frame):
        journal = decisions(frame, predictor)
        return [event for event in journal.events if event.time <= until and event.role != "end_of_data"]

    expected = done(bars)
    assert done(changed) == expected
    assert done(shuffled) == expected
    truncated = [
        event for event in done(bars.iloc[: cut + 1]) if (event.state, event.time) != ("canceled", until)
    ]
    assert truncated == [event for event in expected if (event.state, event.time) != ("canceled", until)]


def test_the_age_of_the_model_reaches_the_gate(bars, predictor):
    old = Predictor(
        FEATURES,
        [predictor.windows[0]._replace(trained_until=bars.index[0].to_pydatetime() - dt.timedelta(days=200))],
    )
    settings_with_limit = chosen().model_copy(
        update={"risk": chosen().risk.model_copy(update={"max_model_age_days": 120.0})}
    )
    assembled = assemble(bars, settings_with_limit, predictor=old)
    assembled.engine.run()
    assert assembled.journal.fills == []
    assert {event.rule for event in assembled.journal.events if event.state == "denied"} == {"model_age"}
