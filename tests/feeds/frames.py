"""Small bar frames for the tests of sources and stores."""

from __future__ import annotations

import numpy as np
import pandas as pd


def day_frame(
    day: str, bars: int = 375, *, start: str = "09:15", bar_minutes: int = 1, price: float = 8000.0
):
    """Bars of one day whose values follow from the position, so that tests can compute them."""
    index = pd.date_range(
        f"{day} {start}",
        periods=bars,
        freq=f"{bar_minutes}min",
        tz="Asia/Kolkata",
        name="datetime",
        unit="us",
    )
    step = np.arange(bars, dtype=float)
    close = price + step * 0.05
    return pd.DataFrame(
        {
            "open": close,
            "high": close + 1.0,
            "low": close - 1.0,
            "close": close,
            "volume": 75.0 * (step + 1),
            "open_interest": 75_000.0 + 75 * step,
            "complete": True,
        },
        index=index,
    )


def frame_of(*days: str, bars: int = 5) -> pd.DataFrame:
    return pd.concat([day_frame(day, bars) for day in days])
