"""The probability of overfitting where we know the answer."""

from itertools import combinations

import numpy as np
import pytest

from feeds.errors import DataError, SettingsError
from ml.overfitting import probability_of_overfitting


def noise(seed, sessions=240, trials=20):
    return np.random.default_rng(seed).standard_normal((sessions, trials)) * 0.01


def test_the_best_of_noise_is_noise():
    found = [probability_of_overfitting(noise(seed), 8).probability for seed in range(60)]
    # Without skill the best of one half lies anywhere in the other
    assert 0.4 < np.mean(found) < 0.65


def test_a_trial_with_skill_is_no_overfitting():
    returns = noise(1)
    returns[:, 3] += 0.006
    found = probability_of_overfitting(returns, 8)
    assert found.probability < 0.02
    assert found.loss_probability < 0.02


def test_trials_that_only_fit_one_half_are_caught():
    generator = np.random.default_rng(5)
    returns = noise(5, trials=10)
    # Each trial does well in some blocks at the expense of the others: what is good inside is bad outside
    for trial in range(10):
        blocks = generator.permutation(8)
        for block in range(8):
            returns[block * 30 : (block + 1) * 30, trial] += 0.02 if block in blocks[:4] else -0.02
    assert probability_of_overfitting(returns, 8).probability > 0.8


def test_it_is_the_formula_of_the_paper():
    returns = noise(2, sessions=40, trials=5)
    blocks = np.split(returns, 4)
    logits = []
    for chosen in combinations(range(4), 2):
        inside = np.concatenate([blocks[block] for block in chosen])
        outside = np.concatenate([blocks[block] for block in range(4) if block not in chosen])
        best = np.argmax(inside.mean(axis=0) / inside.std(axis=0))
        sharpes = outside.mean(axis=0) / outside.std(axis=0)
        rank = (sharpes <= sharpes[best]).sum() / 6
        logits.append(np.log(rank / (1 - rank)))
    found = probability_of_overfitting(returns, 4)
    np.testing.assert_allclose(found.logits, logits)
    assert found.probability == np.mean(np.array(logits) <= 0)


def test_equal_trials_lie_in_the_middle():
    returns = np.tile(noise(3, trials=1), (1, 4))
    found = probability_of_overfitting(returns, 4)
    np.testing.assert_allclose(found.logits, 0.0, atol=1e-12)
    assert found.probability == 1.0


def test_trials_that_never_trade_are_worth_nothing():
    returns = noise(4)
    returns[:, 1:] = 0.0
    returns[:, 0] = np.abs(returns[:, 0])
    assert probability_of_overfitting(returns, 8).probability == 0.0


@pytest.mark.parametrize("blocks", [1, 3, 0, 22, -2])
def test_odd_numbers_of_blocks_are_refused(blocks):
    with pytest.raises(SettingsError, match=f"blocks is {blocks}"):
        probability_of_overfitting(noise(0), blocks)


@pytest.mark.parametrize("shape", [(31, 5), (100, 1), (100,)])
def test_too_little_is_refused(shape):
    with pytest.raises(DataError, match="expected 32 sessions or more of two trials"):
        probability_of_overfitting(np.ones(shape), 16)


def test_a_hole_is_refused():
    returns = noise(0)
    returns[3, 3] = np.nan
    with pytest.raises(DataError, match="NaN or infinity"):
        probability_of_overfitting(returns)
