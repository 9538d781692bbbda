"""The coin of the null hypothesis: fair, repeatable, and another one for every seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.random_entry import uniform

MINUTES = 735_000 + np.arange(20_000) / 1440


@given(seed=st.integers(0, 2**63))
def test_every_seed_draws_without_a_warning(seed):
    draws = uniform(MINUTES[:50], seed)
    assert (draws >= 0).all()
    assert (draws < 1).all()


@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_draws_are_uniform(seed):
    shares = np.bincount((uniform(MINUTES, seed) * 10).astype(int), minlength=10) / len(MINUTES)
    assert np.abs(shares - 0.1).max() < 0.01


def test_another_seed_draws_other_numbers():
    first, second = uniform(MINUTES, 1), uniform(MINUTES, 2)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.03


def test_a_minute_draws_the_same_wherever_a_run_starts():
    np.testing.assert_array_equal(uniform(MINUTES, 3)[100:], uniform(MINUTES[100:], 3))
