"""Small made-up bar frames for the tests of this folder."""

from __future__ import annotations

import numpy as np
import pandas as pd

BARS_PER_DAY = 125


def random_bars(days: int, seed: int = 0, first: str = "2022-01-03", edge: float = 0.0) -> pd.DataFrame:
    """3-minute bars of consecutive weekdays; with an edge, a busy bar's direction goes on for three bars."""
    generator = np.random.default_rng(seed)
    dates = pd.bdate_range(first, periods=days, tz="Asia/Kolkata")
    offsets = pd.to_timedelta(np.arange(BARS_PER_DAY) * 3 + 9 * 60 + 15, unit="min")
    index = pd.DatetimeIndex(
        np.concatenate([(date + offsets).asi8 for date in dates]).astype(f"datetime64[{dates.unit}]"),
        name="datetime",
    )
    index = index.tz_localize("UTC").tz_convert("Asia/Kolkata").as_unit("us")
    count = len(index)
    volume = 75.0 * generator.integers(10, 400, count)
    returns = generator.standard_normal(count) * 6e-4
    if edge:
        busy = np.flatnonzero(generator.random(count) < 0.05)
        volume[busy] *= 8
        returns[busy] = np.sign(returns[busy]) * 1.5e-3
        for ahead in (1, 2, 3):
            inside = busy[busy + ahead < count]
            returns[inside + ahead] += np.sign(returns[inside]) * edge / 3
    close = 10_000.0 * np.exp(np.cumsum(returns))
    open_ = close * np.exp(-returns)
    spread = np.abs(generator.standard_normal((2, count))) * 3e-4
    return pd.DataFrame(
        {
            "open": open_,
            "high": np.maximum(open_, close) * (1 + spread[0]),
            "low": np.minimum(open_, close) * (1 - spread[1]),
            "close": close,
            "volume": volume,
            "open_interest": 75.0 * generator.integers(10_000, 20_000, count),
            "complete": True,
        },
        index=index,
    )
