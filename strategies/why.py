"""Why a trade was entered: the features that weighed most in the model's answer on the bar that decided."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from analyzers.bar_record import BarRecord
from feeds.clock import IST
from ml.arrays import BarArrays
from ml.explain import reason_words, toward_side
from ml.predict import Predictor
from strategies.arm_predictors import AnyPredictor, ArmPredictors

__all__ = ["Entry", "bar_reasons", "entry_reasons", "explained_trades"]


class Entry(NamedTuple):
    """An entry that was decided.

    Attributes
    ----------
    signal_time : datetime.datetime
        CLOSE of the bar that decided, aware.
    side : int
        +1 long, -1 short.
    arm : str
        Which of several arms decided it; empty where there are none.
    """

    signal_time: dt.datetime
    side: int
    arm: str = ""


def entry_reasons(predictor: AnyPredictor | None, bars: pd.DataFrame, entries: Sequence[Entry]) -> list[str]:
    """Return the reasons in words, one for each entry.

    Parameters
    ----------
    predictor : Predictor, ArmPredictors or None
        What the strategy asked.
    bars : pandas.DataFrame
        A bar frame (see :mod:`feeds.bars`) with the bars that decided and the features' warm-up before them.
    entries : sequence of Entry
        In any order.

    Returns
    -------
    list of str
        As from :func:`ml.explain.reason_words`. Empty where no model was asked, where it cannot explain
        itself, and where the bars lack the one that decided or its warm-up.
    """
    words = [""] * len(entries)
    if predictor is None or not entries:
        return words
    arrays = BarArrays.from_frame(bars)
    closes = np.array([int(entry.signal_time.timestamp()) for entry in entries], dtype=np.int64)
    # The bar that closed at that time is the last one that began before it.
    rows = np.searchsorted(arrays.start_seconds, closes) - 1
    arms = np.array([entry.arm for entry in entries], dtype=object)
    for arm, asked in _asked(predictor).items():
        own = np.flatnonzero((rows >= 0) & ((arms == arm) | (arm == "")))
        if len(own):
            sides = np.array([entries[place].side for place in own.tolist()], dtype=np.int64)
            toward = toward_side(asked.contributions(arrays, rows[own]), sides)
            for place, row in zip(own.tolist(), toward, strict=True):
                words[place] = reason_words(asked.features.names, row)
    return words


def explained_trades(
    trades: pd.DataFrame, predictor: AnyPredictor | None, bars: pd.DataFrame
) -> pd.DataFrame:
    """Return the trades with their reasons in the column ``why``.

    Parameters
    ----------
    trades : pandas.DataFrame
        As from :func:`analyzers.trades.trades_frame`.
    predictor, bars
        As of :func:`entry_reasons`.
    """
    entries = [
        Entry(time, 1 if side == "long" else -1, arm)
        for time, side, arm in zip(trades["signal_time"], trades["side"], trades["arm"], strict=True)
    ]
    return trades.assign(why=pd.Series(entry_reasons(predictor, bars, entries), trades.index, dtype="object"))


def bar_reasons(predictor: AnyPredictor | None, record: BarRecord) -> str:
    """Return the reasons of the entry that was decided on a bar, from the inputs that were recorded with it.

    Parameters
    ----------
    predictor : Predictor, ArmPredictors or None
        What the strategy asked.
    record : BarRecord
        Of the bar.

    Returns
    -------
    str
        As from :func:`entry_reasons`. Empty as well where no entry was decided, and where the strategy does
        not name every feature among its inputs.
    """
    if predictor is None or not record.side:
        return ""
    asked = _asked(predictor).get(record.arm)
    if asked is None:
        return ""
    prefix = f"{record.arm}." if record.arm else ""
    names = [prefix + name for name in asked.features.names]
    if not all(name in record.inputs for name in names):
        return ""
    row = np.array([record.inputs[name] for name in names])
    added = asked.contributions_to(row, record.start.replace(tzinfo=IST))
    return reason_words(asked.features.names, toward_side(added[np.newaxis], np.array([record.side]))[0])


def _asked(predictor: AnyPredictor) -> dict[str, Predictor]:
    """Return the models by arm; under the empty name the one that all entries asked."""
    return predictor.by_arm if isinstance(predictor, ArmPredictors) else {"": predictor}
