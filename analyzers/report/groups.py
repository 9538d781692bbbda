"""The trades by hour, weekday, month and reason, and the gate's answers by rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from brokers.journal import OrderEvent

__all__ = [
    "Group",
    "RuleCount",
    "by_exit_reason",
    "by_hour",
    "by_month",
    "by_weekday",
    "pooled_windows",
    "rule_counts",
]

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Group(NamedTuple):
    """Trades that share something: net and gross rupees, how many, and the share that won (net)."""

    name: str
    net: float
    gross: float
    trades: int
    win_rate: float


class RuleCount(NamedTuple):
    """What one risk rule did: entries denied and reduced, and its words the last time."""

    name: str
    limit: str
    denied: int
    reduced: int
    last_reason: str


def by_hour(trades: pd.DataFrame) -> list[Group]:
    """Return the groups by the hour of entry, in order of the day."""
    return _groups(trades, trades["entry_time"].dt.strftime("%H:00"))


def by_weekday(trades: pd.DataFrame) -> list[Group]:
    """Return the groups by the weekday of entry, Monday first."""
    numbers = trades["entry_time"].dt.day_of_week
    return [group._replace(name=WEEKDAYS[int(group.name)]) for group in _groups(trades, numbers)]


def by_exit_reason(trades: pd.DataFrame) -> list[Group]:
    """Return the groups by exit reason, the largest first."""
    groups = _groups(trades, trades["exit_reason"])
    named = [group._replace(name=group.name.replace("_", " ")) for group in groups]
    return sorted(named, key=lambda group: (-group.trades, group.name))


def by_month(trades: pd.DataFrame) -> dict[int, dict[int, Group]]:
    """Return the groups by year and month (1 to 12) of entry."""
    years: dict[int, dict[int, Group]] = {}
    for group in _groups(trades, trades["entry_time"].dt.strftime("%Y-%m")):
        year, month = group.name.split("-")
        years.setdefault(int(year), {})[int(month)] = group
    return years


def _groups(trades: pd.DataFrame, keys: pd.Series) -> list[Group]:
    return [
        Group(
            str(name),
            float(part["net_pnl"].sum()),
            float(part["gross_pnl"].sum()),
            len(part),
            float((part["net_pnl"] > 0.0).mean()),
        )
        for name, part in trades.groupby(keys)
    ]


def rule_counts(rules: Sequence[tuple[str, str]], events: Sequence[OrderEvent]) -> list[RuleCount]:
    """Return what each rule did: those that were on, in their order, then any other that spoke."""
    limits = dict(rules)
    denied: dict[str, int] = dict.fromkeys(limits, 0)
    reduced: dict[str, set[int]] = {name: set() for name in limits}
    words: dict[str, str] = {}
    for event in events:
        if not event.rule or event.role != "entry":  # its stop and target shared its fate, and count with it
            continue
        words[event.rule] = event.reason
        denied.setdefault(event.rule, 0)
        if event.state == "denied":
            denied[event.rule] += 1
        else:
            reduced.setdefault(event.rule, set()).add(event.order_id)
    return [
        RuleCount(name, limits.get(name, ""), number, len(reduced.get(name, ())), words.get(name, ""))
        for name, number in denied.items()
    ]


def pooled_windows(windows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one window made of all: summed confusion, calibration by tenths, mean importance."""
    pooled: dict[str, Any] = {}
    confusions = [window["confusion"] for window in windows if window.get("confusion")]
    if confusions:
        pooled["confusion"] = np.sum(np.asarray(confusions), axis=0).tolist()
    bins: dict[int, list[float]] = {}
    for window in windows:
        for point in window.get("calibration") or ():
            tenth = int(10.0 * float(point["predicted"]) + 1e-9)  # a mean may lie a rounding below its tenth
            total = bins.setdefault(tenth, [0.0, 0.0, 0.0])
            total[0] += point["predicted"] * point["count"]
            total[1] += point["observed"] * point["count"]
            total[2] += point["count"]
    if bins:
        pooled["calibration"] = [
            {"predicted": predicted / number, "observed": observed / number, "count": number}
            for _, (predicted, observed, number) in sorted(bins.items())
            if number
        ]
    shares = [window["importance"] for window in windows if window.get("importance")]
    if shares:
        names = sorted({name for share in shares for name in share})
        pooled["importance"] = {
            name: float(np.mean([share.get(name, 0.0) for share in shares])) for name in names
        }
    return pooled
