"""Every kind of order, against a plain loop that knows nothing of the broker."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings

from tests.brokers.naive_orders import naive_fills
from tests.brokers.test_scaling import HALVES, THIRDS, styles
from tests.brokers.test_simulated_accounting import bar_steps, entry_signals, random_frame
from tests.support import run, settings_of


def both(frame, style):
    chosen = settings_of(strategy=style, broker={"starting_cash": 1e9})
    bars = [tuple(row) for row in frame[["open", "high", "low", "close"]].to_numpy().tolist()]
    signals = frame["signal"].astype(int).tolist()
    expected = naive_fills(bars, signals, 12.0, style["fixed_units"], 75, style)
    return [(fill.role, fill.bar, fill.size, fill.price) for fill in run(frame, chosen).fills], expected


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(bar_steps, entry_signals, styles)
def test_the_broker_fills_what_the_plain_loop_fills(steps, signals, style):
    happened, expected = both(random_frame(steps, signals), style)
    assert happened == expected


@pytest.mark.parametrize("kind", ["market", "limit", "stop_limit"])
def test_long_runs_with_every_kind_of_exit(kind):
    draws = np.random.default_rng(4)
    steps = [tuple(int(value) for value in draws.integers((-15, 0, 0), (16, 9, 9))) for _ in range(100)]
    signals = draws.choice([-1, 0, 1], 100).tolist()
    roles = Counter()
    for targets in (HALVES, THIRDS):
        style = {
            "entry": {"kind": kind, "offset_atr": 0.3, "limit_atr": 0.3, "valid_bars": 2},
            "trail_atr": 1.2, "targets": targets, "fixed_units": 225,
        }  # fmt: skip
        happened, expected = both(random_frame(steps, signals), style)
        assert happened == expected
        roles.update(role for role, *_ in happened)
    assert min(roles[role] for role in ("entry", "stop", "target")) >= 5
