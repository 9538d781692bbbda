"""Partial fills by the bar's volume."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.participation import VolumeParticipation
from feeds.errors import SettingsError


@pytest.mark.parametrize(
    ("percent", "wanted", "volume", "lot", "fills"),
    [
        (0.0, 750.0, 0.0, 75, 750.0),  # no limit
        (10.0, 150.0, 1_499.0, 75, 75.0),
        (10.0, 150.0, 1_500.0, 75, 150.0),
        (10.0, 150.0, 749.0, 75, 0.0),
        (10.0, 150.0, 750.0, 75, 75.0),
        (10.0, 150.0, 751.0, 75, 75.0),
        (10.0, 150.0, 0.0, 75, 0.0),
        (100.0, 650.0, 130.0, 65, 130.0),
        (5.0, 80.0, 2_000.0, 75, 80.0),  # an order that is no multiple fills whole where it fits
        (5.0, 80.0, 1_600.0, 75, 80.0),
        (5.0, 80.0, 1_599.0, 75, 75.0),
    ],
)
def test_whole_lots_up_to_the_share(percent, wanted, volume, lot, fills):
    assert VolumeParticipation(percent).fillable(wanted, volume, lot) == fills


def test_binary_dust_does_not_cost_a_lot():
    # 0.7 percent of 30,000 is 209.99999999999997 in binary
    assert 30_000 * (0.7 / 100) < 210
    assert VolumeParticipation(0.7).fillable(420.0, 30_000.0, 70) == 210.0


@given(
    percent=st.floats(0.001, 100.0),
    lots=st.integers(1, 500),
    volume=st.floats(0.0, 1e7),
    lot=st.sampled_from([25, 50, 65, 75]),
)
def test_never_more_than_wanted_nor_than_the_share_and_always_whole_lots(percent, lots, volume, lot):
    wanted = float(lots * lot)
    fills = VolumeParticipation(percent).fillable(wanted, volume, lot)
    assert 0.0 <= fills <= wanted
    assert fills % lot == 0.0
    assert fills <= volume * percent / 100 + lot * 1e-6
    if fills < wanted:
        assert fills + lot > volume * percent / 100


def test_limited_says_whether_there_is_a_limit():
    assert not VolumeParticipation(0.0).limited
    assert VolumeParticipation(0.5).limited


@pytest.mark.parametrize("percent", [-1.0, 100.1, math.nan])
def test_a_share_that_is_none_is_refused(percent):
    with pytest.raises(SettingsError, match="max_percent_of_volume"):
        VolumeParticipation(percent)
