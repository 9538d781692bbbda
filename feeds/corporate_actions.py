"""Splits, bonuses and dividends of shares, and prices from before them in terms of today's shares.

Which actions there were comes from a table of the user's own, each with its source: nothing is guessed from
prices. Volumes move the other way, so that turnover stays what it was; dividends leave them alone.
"""

from __future__ import annotations

import csv
import datetime as dt
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from feeds.bars import TIME_ZONE
from feeds.errors import DataError

__all__ = ["ACTION_COLUMNS", "CorporateAction", "adjusted_for_actions", "read_actions"]

ACTION_COLUMNS = ("symbol", "ex_date", "kind", "value", "source")
"""Of the table. ``value``: new shares for each old one (split of 1 into 5: 5), shares given for each one held
(bonus 1:1: 1), or rupees a share (dividend)."""

_PRICES = ["open", "high", "low", "close"]


class CorporateAction(NamedTuple):
    """One line of the table; the first session at the new price is ``ex_date``."""

    symbol: str
    ex_date: dt.date
    kind: Literal["split", "bonus", "dividend"]
    value: float
    source: str


def read_actions(path: Path, symbol: str) -> list[CorporateAction]:
    """Read the actions of one share, oldest first.

    Raises
    ------
    DataError
        If the table lacks a column, or a line of it cannot be meant: no source, another kind, a value that is
        not above zero, two lines alike.
    """
    actions = []
    for line, row in enumerate(_rows(path), start=2):
        if row["symbol"] == symbol:
            actions.append(_action(row, f"{path}, line {line}"))
    twice = [action for action in actions if actions.count(action) > 1]
    if twice:
        raise DataError(
            f"{path} has {twice[0].kind} of {symbol} on {twice[0].ex_date} twice; remove one line"
        )
    return sorted(actions, key=lambda action: action.ex_date)


def adjusted_for_actions(frame: pd.DataFrame, actions: Sequence[CorporateAction]) -> pd.DataFrame:
    """Return a copy of a share's bars in terms of its newest shares.

    Parameters
    ----------
    frame : pandas.DataFrame
        A bar frame with prices as traded; it is not changed.
    actions : sequence of CorporateAction
        Of that share. Those that became effective after the last bar, or before the first, change nothing.

    Raises
    ------
    DataError
        If a dividend is not below the last close before its day.
    """
    made = frame.copy()
    starts = pd.DatetimeIndex(frame.index)
    for action in actions:
        before = np.asarray(starts < pd.Timestamp(action.ex_date, tz=TIME_ZONE))
        if not before.any() or before.all():
            continue
        shares = {"split": action.value, "bonus": 1.0 + action.value, "dividend": 1.0}[action.kind]
        factor = 1.0 / shares
        if action.kind == "dividend":
            close = float(frame.loc[before, "close"].iloc[-1])
            if action.value >= close:
                raise DataError(
                    f"{action.symbol}: a dividend of {action.value:g} rupees on {action.ex_date} against a "
                    f"close of {close:g} before it, expected less; correct the table"
                )
            factor = 1.0 - action.value / close
        made.loc[before, _PRICES] = made.loc[before, _PRICES] * factor
        made.loc[before, "volume"] = made.loc[before, "volume"] * shares
    return made


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read as a table of corporate actions ({error}); correct it"
        ) from error
    names = tuple(reader.fieldnames or ())
    if names != ACTION_COLUMNS or any(None in row or None in row.values() for row in rows):
        raise DataError(
            f"{path} has columns {', '.join(names) or 'none'}, expected {', '.join(ACTION_COLUMNS)} with a "
            "value in each line; correct it"
        )
    return rows


def _action(row: dict[str, str], where: str) -> CorporateAction:
    try:
        day, value = dt.date.fromisoformat(row["ex_date"]), float(row["value"])
    except ValueError as error:
        raise DataError(
            f"{where}: {error}, expected a day such as 2024-10-28 and a number; correct it"
        ) from None
    kind = row["kind"]
    if kind not in ("split", "bonus", "dividend"):
        raise DataError(f"{where}: found kind {kind!r}, expected split, bonus or dividend; correct it")
    if not 0 < value < math.inf:
        raise DataError(f"{where}: found value {value:g}, expected above 0; correct it")
    if not row["source"].strip():
        raise DataError(f"{where}: no source is given, expected where it was published; add it")
    return CorporateAction(row["symbol"], day, kind, value, row["source"])  # type: ignore[arg-type] # checked above
