"""Hit rate of the last recorded trades: those that one model decided, against the backtest on its card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from feeds.errors import DataError
from ml.card import read_card
from ml.hit_rate import HitRate, check_hit_rate
from strategies.recorded_model import OF_ARMS, recorded_model

__all__ = ["recorded_hit_rate"]


def recorded_hit_rate(folder: Path, earlier: Sequence[Path], trades: int) -> HitRate:
    """Check the hit rate as of a day.

    Parameters
    ----------
    folder : pathlib.Path
        Of the day; its model is the one that counts.
    earlier : sequence of pathlib.Path
        Folders of the days before, oldest first. Those of another model, and those that cannot be read, are
        passed over.
    trades : int
        The newest so many count.

    Raises
    ------
    DataError, ModelError
        The day has no report, or its trades or its model's card cannot be read.
    """
    model = recorded_model(folder)
    if model is None:
        return HitRate("unknown", "not known: the strategy asks no model")
    if model == OF_ARMS:
        return HitRate("unknown", "not known: each arm asks a model of its own")
    card = read_card(Path(model.registry) / model.version)
    won = _wins(folder)
    for other in reversed(earlier):
        if len(won) >= trades:
            break
        try:
            won = _wins(other) + won if recorded_model(other) == model else won
        except DataError:
            continue  # a day that was broken off, or was cleared away
    return check_hit_rate(card.hit_rate, won[-trades:])


def _wins(folder: Path) -> list[bool]:
    path = folder / "trades.csv"
    try:
        closed = pd.read_csv(path, usecols=["exit_time", "net_pnl"]).dropna(subset="exit_time")
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}), expected the trades of a day that came to its end"
        ) from error
    except ValueError as error:
        raise DataError(
            f"{path} cannot be read ({' '.join(str(error).split())}), expected the columns exit_time and "
            "net_pnl; it is damaged or of another version"
        ) from error
    return [bool(net > 0.0) for net in closed["net_pnl"]]
