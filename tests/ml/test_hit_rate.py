"""The live hit rate against the band of the backtest."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.hit_rate import LEAST_TRADES, HitRateReference, check_hit_rate, hit_band

HALF = HitRateReference(trades=400, wins=200)


def won(wins, trades=50):
    return [True] * wins + [False] * (trades - wins)


def test_the_level_at_the_ends_of_the_band():
    least, most = hit_band(HALF, 50)
    assert (least, most) == (18, 32)
    levels = {wins: check_hit_rate(HALF, won(wins)).level for wins in (17, 18, 32, 33)}
    assert levels == {17: "low", 18: "ok", 32: "ok", 33: "high"}


def test_words_and_rates_are_those_of_the_band():
    found = check_hit_rate(HALF, won(10))
    assert (found.trades, found.wins, found.low, found.high) == (50, 10, 0.36, 0.64)
    assert found.words == "10 of the last 50 trades won (20%), below the band of its backtest, 36% to 64%"


@pytest.mark.parametrize(
    ("reference", "trades", "words"),
    [
        (None, 50, "holds no backtest"),
        (HitRateReference(trades=29, wins=12), 50, "29 trades, 30 are needed"),
        (HALF, LEAST_TRADES - 1, "19 live trades"),
        (HALF, 0, "0 live trades"),
    ],
)
def test_too_few_on_either_side_is_unknown_and_never_fine(reference, trades, words):
    found = check_hit_rate(reference, won(trades // 2, trades))
    assert found.level == "unknown"
    assert words in found.words


@pytest.mark.parametrize("reference", [HALF, HitRateReference(trades=30, wins=12)])
def test_the_least_of_everything_is_judged(reference):
    assert check_hit_rate(reference, won(10, LEAST_TRADES)).level == "ok"


@settings(deadline=None, max_examples=30)
@given(st.integers(30, 2000), st.floats(0, 1), st.integers(20, 200))
def test_a_band_is_a_range_of_wins_around_the_rate(trades, rate, live):
    reference = HitRateReference(trades=trades, wins=round(rate * trades))
    least, most = hit_band(reference, live)
    assert 0 <= least <= most <= live
    assert least - 1 <= live * reference.wins / trades <= most + 1


def test_the_band_is_wrong_as_often_as_it_says():
    """Backtest and live trades of the same coin: the band leaves out one in twenty, at most."""
    generator = np.random.default_rng(4)
    outside = 0
    for _ in range(400):
        rate = generator.uniform(0.3, 0.6)
        reference = HitRateReference(trades=200, wins=int(generator.binomial(200, rate)))
        live = int(generator.binomial(50, rate))
        outside += check_hit_rate(reference, won(live)).level != "ok"
    assert 2 <= outside <= 28  # 20 expected at most; the steps of whole trades leave less
