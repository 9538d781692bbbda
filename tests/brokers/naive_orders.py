"""The rules of docs/orders.md once more, as one plain loop that shares nothing with the broker.

One instrument, orders that fill whole, no costs, no rules, no square-off.
"""

from __future__ import annotations

import math
from typing import Any

TICK = 0.05


def tick(price: float) -> float:
    return round(round(price / TICK) * TICK, 10)


def naive_fills(
    bars: list[tuple[float, float, float, float]],
    signals: list[int],
    atr: float,
    units: int,
    lot: int,
    style: dict[str, Any],
) -> list[tuple[str, int, float, float]]:
    """Return (role, bar, signed units, price) of every fill."""
    happened: list[tuple[str, int, float, float]] = []
    entry: dict[str, Any] | None = None
    side, held, stop, targets = 0, 0.0, 0.0, []
    for number, (open_, high, low, close) in enumerate(bars):
        filled_inside = False
        if entry is not None:
            price, filled_inside = entry_price(entry, open_, high, low, close)
            if price is not None:
                side, held = entry["side"], units
                stop, targets = entry["stop"], list(entry["targets"])
                happened.append(("entry", number, side * units, price))
                entry = None
        if held and not filled_inside:
            # what the open itself does
            if side * (open_ - stop) <= 0:
                happened.append(("stop", number, -side * held, open_))
                held = 0
            while held and targets and side * (open_ - targets[0][0]) >= 0:
                _, part = targets.pop(0)
                happened.append(("target", number, -side * part, open_))
                held -= part
        if held and (low <= stop if side > 0 else high >= stop):
            happened.append(("stop", number, -side * held, stop))
            held = 0
        while held and not filled_inside and targets and reaches(targets[0][0], side, high, low):
            price, part = targets.pop(0)
            happened.append(("target", number, -side * part, price))
            held -= part
        # the close, where the strategy acts
        if held:
            moved = tick(close - side * style["trail_atr"] * atr) if style["trail_atr"] else stop
            stop = moved if side * stop < side * moved < side * close else stop
        elif entry is not None:
            if number - entry["decided"] >= style["entry"].get("valid_bars", 3):
                entry = None
        elif signals[number]:
            entry = decided(signals[number], number, close, atr, units, lot, style)
    if held:
        happened.append(("end_of_data", len(bars) - 1, -side * held, bars[-1][3]))
    return happened


def reaches(target: float, side: int, high: float, low: float) -> bool:
    return high >= target if side > 0 else low <= target


def decided(
    side: int, number: int, close: float, atr: float, units: int, lot: int, style: dict[str, Any]
) -> dict[str, Any]:
    kind = style["entry"]["kind"]
    offset = style["entry"].get("offset_atr", 0.0) * atr
    price = {"market": close, "limit": close - side * offset, "stop_limit": close + side * offset}[kind]
    worst = price + side * style["entry"].get("limit_atr", 0.0) * atr
    parts = [(part["atr"], part["fraction"]) for part in style["targets"]] or [(3.0, 1.0)]
    sizes = [math.floor(units * fraction / lot + 1e-9) * lot for _, fraction in parts[:-1]]
    sizes.append(units - sum(sizes))
    return {
        "side": side, "kind": kind, "decided": number, "price": tick(price), "worst": tick(worst),
        "stop": tick(price - side * 2.0 * atr), "triggered": False,
        "targets": [
            (tick(price + side * far * atr), size)
            for (far, _), size in zip(parts, sizes, strict=True)
            if size
        ],
    }  # fmt: skip


def entry_price(
    entry: dict[str, Any], open_: float, high: float, low: float, close: float
) -> tuple[float | None, bool]:
    """Where an entry fills in a bar, and whether after its open."""
    side, price, worst = entry["side"], entry["price"], entry["worst"]
    if entry["kind"] == "market":
        return open_, False
    best, worst_of_bar = (low, high) if side > 0 else (high, low)
    if entry["kind"] == "stop_limit":
        was_triggered = entry["triggered"]
        if not was_triggered and side * (open_ - price) < 0:
            if side * (worst_of_bar - price) < 0:
                return None, False
            entry["triggered"] = True
            if side * (close - worst) > 0:
                return None, False
            return (min if side > 0 else max)(worst, worst_of_bar), True
        entry["triggered"] = True
        price = worst
    if side * (open_ - price) <= 0:
        return open_, False
    return (price, True) if side * (best - price) <= 0 else (None, False)
