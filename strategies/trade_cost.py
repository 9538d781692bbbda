"""What one lot costs from entry to exit on a date, at that date's charges and market."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
import pandas as pd

from brokers.charges import ChargePlan, sliced_charges
from brokers.settings import make_charges, make_slippage
from brokers.slippage import FillContext, LatencyModel, SlippageModel
from feeds.calendar import TradingCalendar
from feeds.errors import DataError
from feeds.settings import make_calendar
from feeds.terms import ContractTerms, DatedTerms
from strategies.settings import Settings

__all__ = ["TradeCost", "choosing_cost"]


class TradeCost:
    """Charges, slippage and latency of one lot, entered and left by market orders.

    The price is the session's median close, and the bar that an order meets has the session's median range
    and volume. One lot is the dearest size where brokerage is capped by the order. A target, which as a limit
    order slips nothing, counts as a market order too: rather too dear than too cheap.

    Parameters
    ----------
    settings : Settings
        Costs, instrument and bar length.
    calendar : TradingCalendar
        Sessions, for the lot of the day.
    frame : pandas.DataFrame
        A bar frame (see :mod:`feeds.bars`); its sessions can be asked for.
    """

    def __init__(self, settings: Settings, calendar: TradingCalendar, frame: pd.DataFrame) -> None:
        broker = settings.broker
        self._charges: ChargePlan = make_charges(broker)
        self._slippage: SlippageModel = make_slippage(broker)
        self._latency = LatencyModel(broker.latency_ms)
        self._terms: Callable[[dt.date], ContractTerms] = DatedTerms(settings.market, calendar)
        self._bar_seconds = settings.data.bar_minutes * 60.0
        days = pd.DatetimeIndex(frame.index).tz_localize(None).normalize()
        bars = pd.DataFrame(
            {
                "price": frame["close"].to_numpy(dtype=np.float64),
                "range": (frame["high"] - frame["low"]).to_numpy(dtype=np.float64),
                "volume": frame["volume"].to_numpy(dtype=np.float64),
            }
        )
        medians = bars.groupby(days.date).median()
        self._sessions: dict[dt.date, tuple[float, float, float]] = dict(
            zip(medians.index, medians.itertuples(index=False, name=None), strict=True)
        )

    def __call__(self, day: dt.date) -> float:
        """Return basis points of the lot's value, never negative.

        Raises
        ------
        DataError
            ``day`` is no session of the bars.
        """
        if day not in self._sessions:
            raise DataError(f"the cost of a trade on {day} was asked for, expected a session of the bars")
        price, bar_range, volume = self._sessions[day]
        terms = self._terms(day)
        low, high = price - bar_range / 2.0, price + bar_range / 2.0
        points = self._latency.adverse_points(high, low, self._bar_seconds)
        points += self._slippage.adverse_points(
            FillContext(
                price=price,
                size=terms.lot,
                bar_high=high,
                bar_low=low,
                bar_volume=volume,
                recent_range=bar_range,
                tick=terms.tick,
            )
        )
        charges = sum(
            sliced_charges(self._charges, day, side * terms.lot, price, terms.largest_order)
            for side in (1, -1)
        )
        return 1e4 * (charges / terms.lot + 2.0 * points) / price


def choosing_cost(settings: Settings, frame: pd.DataFrame) -> TradeCost | None:
    """Return what trades on these bars cost where a training is to choose thresholds by it, else None."""
    if settings.ml.thresholds.kind == "none":
        return None
    return TradeCost(settings, make_calendar(settings.market), frame)
