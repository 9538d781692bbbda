"""Every cheat is caught under its name, and nobody else is accused."""

import numpy as np
import pytest

from feeds.errors import DataError
from ml.arrays import BarArrays
from ml.catalogue import CATALOGUE
from ml.leakage.features import check_future, check_warm_up
from tests.ml.bars import random_bars
from tests.ml.leakage.cheats import KNOWS_THE_FUTURE, NEEDS_MORE_THAN_IT_SAYS

HONEST = tuple(CATALOGUE.values())


@pytest.fixture(scope="module")
def bars():
    """Three weeks of bars, of which a few are missing: gaps are where features go astray."""
    whole = random_bars(10, seed=3)
    lost = np.random.default_rng(1).permutation(np.arange(200, len(whole) - 1))[:20]
    return whole.drop(index=whole.index[lost])


@pytest.mark.parametrize("name", KNOWS_THE_FUTURE)
def test_a_feature_that_knows_the_future_is_caught_among_honest_ones(bars, name):
    findings = check_future([*HONEST[:2], KNOWS_THE_FUTURE[name]], bars)
    assert [found.guilty for found in findings] == [name]
    assert findings[0].bar is not None
    assert findings[0].amount != 0
    assert name in findings[0].line()


@pytest.mark.parametrize(("seed", "edge"), [(0, 0.0), (1, 3e-3)])
def test_no_honest_feature_is_accused(seed, edge):
    bars = random_bars(9, seed=seed, edge=edge)
    assert check_future(HONEST, bars, seed) == []
    assert check_warm_up(HONEST, bars, seed)[0] == []


def test_a_leak_too_small_to_matter_is_a_leak_all_the_same(bars):
    found = check_future([KNOWS_THE_FUTURE["one_billionth"]], bars)[0]
    assert found.amount == pytest.approx(1e-9, rel=1e-3)


@pytest.mark.parametrize("name", NEEDS_MORE_THAN_IT_SAYS)
def test_a_feature_that_needs_more_bars_than_it_says_is_named(bars, name):
    findings, table = check_warm_up([*HONEST, NEEDS_MORE_THAN_IT_SAYS[name]], bars)
    assert [found.guilty for found in findings] == [name]
    assert findings[0].check == "warm-up"
    row = next(one for one in table if one.feature == name)
    assert row.found > row.declared


def test_the_bars_that_are_needed_are_counted_to_the_bar(bars):
    """ema_weights(5) has 51 weights, of which the oldest counts only just; the window is exactly so long."""
    short = NEEDS_MORE_THAN_IT_SAYS["short_declaration"]
    _, (row,) = check_warm_up([short], bars)
    arrays = BarArrays.from_frame(bars)
    whole = short.function(arrays)[-1]
    assert short.function(arrays.tail(row.found))[-1] == whole
    assert short.function(arrays.tail(row.found - 1))[-1] != whole


def test_too_few_bars_are_said_to_be(bars):
    longest = max(feature.warmup_bars for feature in HONEST)
    with pytest.raises(DataError, match=f"found {longest} bars, expected more than the {longest}"):
        check_warm_up(HONEST, bars.iloc[:longest])


@pytest.mark.slow
@pytest.mark.real_data
def test_no_honest_feature_is_accused_on_real_bars(shared_data):
    from feeds.bars import aggregate
    from feeds.calendar import TradingCalendar
    from feeds.sources.files import load_bars

    calendar = TradingCalendar()
    loaded = load_bars(str(shared_data / "data/NIFTY_FUT_1min_2013_2016.parquet"), calendar=calendar)
    bars = aggregate(loaded.frame.iloc[:40_000], 3, calendar)
    assert check_future(HONEST, bars) == []
    assert check_warm_up(HONEST, bars)[0] == []
