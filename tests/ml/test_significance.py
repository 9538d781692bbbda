"""Skill and luck where we know which it is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.errors import DataError
from ml.significance import (
    EntryBars,
    SessionBootstrap,
    block_draws,
    few_blocks_factor,
    random_entry_test,
    sharpe_interval,
)

SESSIONS, BARS = 60, 40


def market(seed, drift=0.0):
    generator = np.random.default_rng(seed)
    moves = generator.standard_normal((SESSIONS, BARS)) * 5e-4 + drift
    close = 10_000 * np.exp(np.cumsum(moves.ravel()))
    return EntryBars(
        open=close / np.exp(moves.ravel()),
        close=close,
        session=np.repeat(np.arange(SESSIONS), BARS),
        minute=np.tile(555 + 3 * np.arange(BARS), SESSIONS),
    )


def trades_of(bars, seed, count=150, skill=0.0):
    """Enter at random; with skill, on the side of what follows in so many of the trades more than half."""
    generator = np.random.default_rng(seed + 1000)
    held = generator.integers(1, 8, count)
    place = generator.integers(0, SESSIONS, count) * BARS + generator.integers(0, BARS - 8, count)
    move = 1e4 * (bars.close[place + held] / bars.open[place] - 1)
    sides = generator.choice([-1.0, 1.0], count)
    knows = generator.random(count) < skill
    sides[knows] = np.sign(move[knows])
    return place, held, sides, sides * move


def odds(seed, skill=0.0, draws=199):
    bars = market(seed)
    return random_entry_test(bars, *trades_of(bars, seed, skill=skill), draws=draws, seed=seed).probability


def test_without_skill_every_probability_is_as_likely():
    found = np.array([odds(seed) for seed in range(200)])
    # Of 200 tests at 5 % ten are expected; 19 or more come once in 200
    assert np.count_nonzero(found <= 0.05) <= 18
    assert 0.4 < found.mean() < 0.6
    assert np.count_nonzero(found <= 0.5) == pytest.approx(100, abs=22)


def test_skill_is_found():
    assert all(odds(seed, skill=0.4) <= 0.05 for seed in range(20))


def test_a_rising_market_is_no_skill():
    """Always long in a market that rises: random entries on the same side earn as much."""
    bars = market(3, drift=1e-4)
    place, held, _, _ = trades_of(bars, 3)
    move = 1e4 * (bars.close[place + held] / bars.open[place] - 1)
    found = random_entry_test(bars, place, held, np.ones(len(place)), move, draws=499, seed=0)
    assert found.mean_bps > 2
    assert found.random_mean_bps == pytest.approx(found.mean_bps, abs=2.5)
    assert found.probability > 0.05


def test_stops_and_targets_do_not_make_luck_look_like_skill():
    """The spread of trades that leave at a barrier is not that of trades held as long."""
    low = 0
    for seed in range(100):
        bars = market(seed)
        generator = np.random.default_rng(seed)
        place = generator.integers(0, SESSIONS, 150) * BARS + generator.integers(0, 20, 150)
        ahead = 1e4 * (bars.close[place[:, np.newaxis] + np.arange(19)] / bars.open[place][:, np.newaxis] - 1)
        beyond = np.abs(ahead) >= 8.0
        held = np.where(beyond.any(axis=1), beyond.argmax(axis=1), 18)
        sides = generator.choice([-1.0, 1.0], 150)
        results = sides * ahead[np.arange(150), held]
        found = random_entry_test(bars, place, held, sides, results, draws=199, seed=seed)
        low += found.probability <= 0.05
    assert low <= 11


def test_the_best_of_all_is_never_certain():
    bars = market(1)
    place, held, sides, _ = trades_of(bars, 1)
    found = random_entry_test(bars, place, held, sides, np.full(len(place), 50.0), draws=99, seed=0)
    assert found.probability == 0.01
    assert found.draws == 99


def test_the_same_trades_get_the_same_answer():
    assert odds(5) == odds(5)


def test_one_trade_tells_nothing():
    bars = market(0)
    with pytest.raises(DataError, match="found 1 trades"):
        random_entry_test(bars, *(values[:1] for values in trades_of(bars, 0)), draws=9, seed=0)


def test_a_trade_that_fits_nowhere_else_stays_where_it_was():
    bars = market(2)
    place, held = np.array([5, 45]), np.array([BARS + 20, 3])  # the first was held over a night
    found = random_entry_test(bars, place, held, np.ones(2), np.array([3.0, 4.0]), draws=9, seed=0)
    assert np.isfinite(found.random_mean_bps)


def test_no_random_trade_is_held_over_a_night():
    """Prices move between sessions only; every other session is too short for the trade."""
    lengths = np.tile([BARS, 10], 20)
    price = np.repeat(10_000.0 * np.exp(0.1 * np.random.default_rng(0).standard_normal(40)), lengths)
    minute = np.concatenate([555 + 3 * np.arange(length) for length in lengths])
    bars = EntryBars(price, price, np.repeat(np.arange(40), lengths), minute)
    place, held = np.array([5, 9]), np.array([5, BARS - 10])  # 5 + 5 is one bar more than a short session has
    found = random_entry_test(bars, place, held, np.ones(2), np.array([1.0, 2.0]), draws=199, seed=0)
    assert (found.random_mean_bps, found.random_high_bps) == (0.0, 0.0)


@settings(max_examples=40, deadline=None)
@given(count=st.integers(1, 40), block=st.integers(1, 12), seed=st.integers(0, 99))
def test_blocks_are_neighbours(count, block, seed):
    drawn = block_draws(count, block, 5, np.random.default_rng(seed))
    assert drawn.shape == (5, count)
    assert ((drawn >= 0) & (drawn < count)).all()
    steps = np.diff(drawn, axis=1)
    inside = np.arange(1, count) % block != 0
    assert (steps[:, inside] % count == 1 % count).all()


def test_the_interval_of_a_sharpe_ratio_holds_the_truth_as_often_as_it_says():
    inside = 0
    for seed in range(200):
        returns = np.random.default_rng(seed).standard_normal(250) * 0.01 + 0.001
        low, high = sharpe_interval(returns, 90.0, samples=400, seed=0)
        inside += low <= 0.1 <= high
    assert inside == pytest.approx(180, abs=14)


@pytest.mark.parametrize("sessions", [20, 40])
def test_the_interval_of_a_sharpe_ratio_of_a_few_weeks_is_no_narrower_than_it_says(sessions):
    inside = 0
    for seed in range(200):
        low, high = sharpe_interval(
            np.random.default_rng(seed).standard_normal(sessions), 95.0, samples=400, seed=0
        )
        inside += low <= 0.0 <= high
    assert inside >= 183  # 190 expected; without the factor 160 and 177


def test_many_blocks_need_no_stretching():
    assert few_blocks_factor(20, 5, 0.05) == pytest.approx(2.353 / 1.645 / 0.75**0.5, rel=1e-3)
    assert few_blocks_factor(250, 5, 0.05) == pytest.approx(1.03, abs=0.005)
    assert few_blocks_factor(10**6, 5, 0.025) == pytest.approx(1.0, abs=1e-4)


def test_sharpe_ratios_that_cannot_be_told():
    assert sharpe_interval(np.zeros(50), 95.0, samples=50, seed=0) is None
    assert sharpe_interval(np.arange(9.0), 95.0, samples=50, seed=0) is None
    assert sharpe_interval(np.arange(10.0), 95.0, samples=50, seed=0) is not None


def test_sessions_are_drawn_whole():
    """Two values in one session are one observation: the interval is that of their sessions."""
    generator = np.random.default_rng(0)
    means = generator.standard_normal(80)
    one = SessionBootstrap(np.arange(80), 4000, 1).interval(means, 95.0)
    ten = SessionBootstrap(np.repeat(np.arange(80), 10), 4000, 1).interval(np.repeat(means, 10), 95.0)
    assert ten == pytest.approx(one)
    assert one[1] - one[0] == pytest.approx(2 * 1.96 * means.std() / 80**0.5, rel=0.1)
