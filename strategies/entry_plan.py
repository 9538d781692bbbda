"""The prices of an entry and of what goes with it, as the settings measure them. Pure.

Stop and targets are measured from the price of the entry itself: the close of the signal bar for a market
order, the limit for a limit order, the trigger for a stop-limit.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import backtrader as bt

from strategies.settings_section import StrategySettings

__all__ = ["EntryPlan", "plan_entry"]


class EntryPlan(NamedTuple):
    """Prices in index points, not yet on the tick.

    Attributes
    ----------
    price : float
        The entry's own.
    order : dict
        What backtrader's ``buy`` and ``sell`` need to know of the entry's kind.
    stop : float
        Trigger of the stop.
    risk_points : float
        From the worst price at which the entry can fill (slippage aside) to the stop.
    targets : tuple of float
        Prices of the targets, the nearest first.
    fractions : tuple of float
        Part of the position that leaves at each of them.
    """

    price: float
    order: dict[str, Any]
    stop: float
    risk_points: float
    targets: tuple[float, ...]
    fractions: tuple[float, ...]


def plan_entry(settings: StrategySettings, side: int, close: float, atr: float) -> EntryPlan:
    """Work out an entry.

    Parameters
    ----------
    settings : StrategySettings
        Distances.
    side : int
        +1 long, -1 short.
    close : float
        Close of the signal bar, index points.
    atr : float
        What distances are measured in, index points.
    """
    entry = settings.entry
    stop_points = risk_points = settings.stop_atr * atr
    price, order = close, {"exectype": bt.Order.Market}
    if entry.kind == "limit":
        price = close - side * entry.offset_atr * atr
        order = {"exectype": bt.Order.Limit, "price": price}
    elif entry.kind == "stop_limit":
        price = close + side * entry.offset_atr * atr
        worst = price + side * entry.limit_atr * atr
        order = {"exectype": bt.Order.StopLimit, "price": price, "plimit": worst}
        risk_points += entry.limit_atr * atr
    parts = [(target.atr, target.fraction) for target in settings.targets] or [(settings.target_atr, 1.0)]
    return EntryPlan(
        price,
        order,
        price - side * stop_points,
        risk_points,
        tuple(price + side * distance * atr for distance, _ in parts),
        tuple(fraction for _, fraction in parts),
    )
