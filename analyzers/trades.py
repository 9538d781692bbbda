"""Round trips out of fills: what each one earned, what it cost, and how far it went either way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analyzers.excursions import excursions, scaled_excursion
from brokers.journal import Fill, TradeContext
from feeds.errors import DataError

__all__ = ["TRADE_COLUMNS", "open_trade_ids", "trades_frame"]

TIMEZONE = "Asia/Kolkata"
FLAT_UNITS = 1e-9  # below this many units a position counts as closed; sizes are whole units

TRADE_COLUMNS = {
    "trade_id": "int64",
    "instrument": "object",
    "side": "object",
    "size": "float64",
    "signal_time": f"datetime64[ns, {TIMEZONE}]",
    "entry_time": f"datetime64[ns, {TIMEZONE}]",
    "entry_price": "float64",
    "exit_time": f"datetime64[ns, {TIMEZONE}]",
    "exit_price": "float64",
    "exit_reason": "object",
    "gross_pnl": "float64",
    "slippage_cost": "float64",
    "charges": "float64",
    "net_pnl": "float64",
    "bars_held": "int64",
    "mae": "float64",
    "mfe": "float64",
    "probability": "float64",
    "arm": "object",
    "why": "object",
}
"""Columns of ``trades.csv`` in their order, with their types."""


def open_trade_ids(fills: Sequence[Fill]) -> list[int]:
    """Return the ids of the round trips that were entered and are not closed yet, ascending."""
    left: dict[int, float] = {}
    for fill in fills:
        left[fill.trade_id] = left.get(fill.trade_id, 0.0) + fill.size
    return sorted(trade_id for trade_id, size in left.items() if abs(size) > FLAT_UNITS)


def trades_frame(fills: Sequence[Fill], contexts: Sequence[TradeContext], bars: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each closed round trip, in the order of entry.

    Parameters
    ----------
    fills : sequence of Fill
        Executions in the order in which they happened. Round trips that are still open are left out;
        :func:`open_trade_ids` names them.
    contexts : sequence of TradeContext
        One for each round trip.
    bars : pandas.DataFrame
        The bar frame of the run (stamps = START of the bar, Asia/Kolkata); ``Fill.bar`` counts its rows.

    Returns
    -------
    pandas.DataFrame
        Columns of :data:`TRADE_COLUMNS`. Times are tz-aware Asia/Kolkata: ``signal_time`` is the CLOSE of the
        bar that decided, ``entry_time`` and ``exit_time`` the START of the bars of the first entry and the
        last exit fill. ``size`` is in units, positive long, negative short. Prices are averages over fills,
        index points, slippage included. Money is in rupees, and on every row
        ``net_pnl = gross_pnl - slippage_cost - charges`` where ``gross_pnl`` is what the reference prices
        (before slippage and latency) would have earned. ``bars_held`` is 0 when entry and exit share a bar.
        ``mae`` (never positive) and ``mfe`` (never negative) are the worst and best profit of the position
        between entry and exit, from highs and lows, what parts of it that have left had earned included; the
        bars at the ends, and those in which a part left, count whole, because a bar does not tell which came
        first. ``arm`` is empty where no arms share the account.
        ``why`` is empty: only who has the model can fill it.

    Raises
    ------
    DataError
        When a fill names a bar or a round trip that is not there, or a round trip starts with an exit.
    """
    closed = {fill.trade_id for fill in fills} - set(open_trade_ids(fills))
    kept = [fill for fill in fills if fill.trade_id in closed]
    if not kept:
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in TRADE_COLUMNS.items()})
    columns = dict(zip(Fill._fields, map(list, zip(*kept, strict=True)), strict=True))
    bar = np.asarray(columns["bar"], dtype=np.int64)
    _check_bars(kept, bar, bars)

    ids, first, group = np.unique(columns["trade_id"], return_index=True, return_inverse=True)
    last = len(kept) - 1 - np.unique(np.asarray(columns["trade_id"])[::-1], return_index=True)[1]
    is_entry = np.asarray(columns["role"], dtype=object) == "entry"
    if not is_entry[first].all():
        culprit = kept[int(first[~is_entry[first]][0])]
        raise DataError(
            f"trade {culprit.trade_id} starts with a fill of role {culprit.role!r} at {culprit.time}, "
            "expected 'entry': the journal is incomplete, run again from its beginning"
        )
    size = np.asarray(columns["size"], dtype=np.float64)
    price = np.asarray(columns["price"], dtype=np.float64)
    reference = np.asarray(columns["reference_price"], dtype=np.float64)
    charges = np.asarray(columns["charges"], dtype=np.float64)

    def total(weights: np.ndarray) -> np.ndarray:
        return np.bincount(group, weights=weights, minlength=len(ids))

    units = total(np.where(is_entry, size, 0.0))
    entry_price = total(np.where(is_entry, size * price, 0.0)) / units
    exit_price = total(np.where(is_entry, 0.0, size * price)) / total(np.where(is_entry, 0.0, size))
    gross, slippage, paid = -total(size * reference), total((price - reference) * size), total(charges)
    entry_bar, exit_bar = bar[first], bar[last]
    mae, mfe = excursions(bars, entry_bar, exit_bar, units, entry_price, exit_price)
    first_exit_bar = np.full(len(ids), len(bars))
    np.minimum.at(first_exit_bar, group, np.where(is_entry, len(bars), bar))
    exits: dict[int, list[Fill]] = {}
    for number in np.flatnonzero(~is_entry & (first_exit_bar < exit_bar)[group]):
        exits.setdefault(int(group[number]), []).append(kept[number])
    for trip, parts in exits.items():
        mae[trip], mfe[trip] = scaled_excursion(
            bars, int(entry_bar[trip]), units[trip], entry_price[trip], parts
        )
    signal_time, probability, arm = _decisions(ids, contexts)
    frame = pd.DataFrame(
        {
            "trade_id": ids,
            "instrument": np.asarray(columns["instrument"], dtype=object)[first],
            "side": np.where(units > 0, "long", "short").astype(object),
            "size": units,
            "signal_time": signal_time,
            "entry_time": bars.index[entry_bar],
            "entry_price": entry_price,
            "exit_time": bars.index[exit_bar],
            "exit_price": exit_price,
            "exit_reason": np.asarray(columns["role"], dtype=object)[last],
            "gross_pnl": gross,
            "slippage_cost": slippage,
            "charges": paid,
            "net_pnl": gross - slippage - paid,
            "bars_held": exit_bar - entry_bar,
            "mae": mae,
            "mfe": mfe,
            "probability": probability,
            "arm": arm,
            "why": "",
        }
    ).astype(TRADE_COLUMNS)
    return frame.iloc[np.argsort(first, kind="stable")].reset_index(drop=True)


# A fill knows its bar twice, by number and by time; when they disagree, the bars are not those of the run.
def _check_bars(fills: Sequence[Fill], bar: np.ndarray, bars: pd.DataFrame) -> None:
    outside = (bar < 0) | (bar >= len(bars))
    if outside.any():
        culprit = fills[int(np.argmax(outside))]
        raise DataError(
            f"a fill of trade {culprit.trade_id} names bar {culprit.bar}, expected 0 to {len(bars) - 1}: "
            "pass the bars of the same run"
        )
    index = pd.DatetimeIndex(bars.index).tz_localize(None).as_unit("us")
    times = pd.DatetimeIndex([fill.time for fill in fills]).as_unit("us")
    different = np.asarray(index[bar] != times)
    if different.any():
        culprit = fills[int(np.argmax(different))]
        raise DataError(
            f"a fill of trade {culprit.trade_id} at {culprit.time} names bar {culprit.bar}, which starts "
            f"{index[culprit.bar]}: pass the bars of the same run"
        )


def _decisions(
    ids: np.ndarray, contexts: Sequence[TradeContext]
) -> tuple[pd.DatetimeIndex, np.ndarray, list[str]]:
    known = {context.trade_id: context for context in contexts}
    missing = [int(trade_id) for trade_id in ids if int(trade_id) not in known]
    if missing:
        raise DataError(
            f"{len(missing)} trades have no decision in the journal (first: trade {missing[0]}), "
            "expected one each: record a TradeContext when the entry is decided"
        )
    chosen = [known[int(trade_id)] for trade_id in ids]
    times = pd.DatetimeIndex([context.signal_time for context in chosen]).tz_localize(TIMEZONE)
    probability = np.asarray([context.probability for context in chosen], dtype=np.float64)
    return times, probability, [context.arm for context in chosen]
