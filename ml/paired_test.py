"""Does a challenger earn more than the champion? Both over the same sessions, by bootstrap."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict

from feeds.errors import DataError
from ml.arrays import FloatArray
from ml.significance import block_draws, few_blocks_factor

__all__ = ["LEAST_SESSIONS", "PairedTest", "paired_test"]

_BLOCK_SESSIONS = 5
"""Sessions drawn together: a week's weather stays in one piece."""
LEAST_SESSIONS = 4 * _BLOCK_SESSIONS


class PairedTest(BaseModel):
    """Challenger against champion on the same sessions, new to both.

    Attributes
    ----------
    sessions : int
        Compared.
    first, last : str
        Their first and last day, ISO 8601; empty where the numbers come without days.
    champion_net, challenger_net : float
        Rupees over all of them, charges and slippage paid.
    mean_difference : float
        Challenger less champion, rupees a session.
    low : float
        One-sided lower bound of it, rupees.
    confidence_percent : float
        Of that bound.
    p_value : float
        Share of the draws in which the challenger is no better; at least 1 / (1 + draws).
    passes : bool
        Whether the bound lies above 0.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    sessions: int
    first: str = ""
    last: str = ""
    champion_net: float
    challenger_net: float
    mean_difference: float
    low: float
    confidence_percent: float
    p_value: float
    passes: bool

    def words(self) -> str:
        """Return the result in a sentence."""
        period = f" from {self.first} to {self.last}" if self.first else ""
        return (
            f"over {self.sessions} sessions{period} the challenger earned {self.challenger_net:+,.0f} rupees "
            f"net and the champion {self.champion_net:+,.0f}: {self.mean_difference:+,.0f} a session, at "
            f"least {self.low:+,.0f} with {self.confidence_percent:g} % confidence (p = {self.p_value:.3f})"
        )


def paired_test(
    champion: FloatArray,
    challenger: FloatArray,
    *,
    confidence_percent: float = 95.0,
    samples: int = 5000,
    seed: int = 0,
) -> PairedTest:
    """Test whether the challenger earns more, by bootstrap over blocks of sessions.

    The draws are stretched by :func:`ml.significance.few_blocks_factor`: plain ones would pass one in ten
    worthless challengers after twenty sessions at 95 %.

    Parameters
    ----------
    champion, challenger : numpy.ndarray, shape (n,)
        Net profit of each session, rupees, oldest first; 0 where nothing was traded.
    confidence_percent : float
        One-sided.
    samples, seed : int
        Draws, and the seed of their generator.

    Raises
    ------
    DataError
        Fewer than 20 sessions, or not the same number for both.
    """
    if len(champion) != len(challenger) or len(champion) < LEAST_SESSIONS:
        raise DataError(
            f"found {len(champion)} sessions of the champion and {len(challenger)} of the challenger, "
            f"expected the same {LEAST_SESSIONS} or more; give newer bars, or wait until there are some"
        )
    difference = challenger - champion
    draws = block_draws(len(difference), _BLOCK_SESSIONS, samples, np.random.default_rng(seed))
    tail = 1.0 - confidence_percent / 100.0
    found = difference.mean()
    factor = few_blocks_factor(len(difference), _BLOCK_SESSIONS, tail)
    means = found + factor * (difference[draws].mean(axis=1) - found)
    low = float(np.quantile(means, tail))
    return PairedTest(
        sessions=len(difference),
        champion_net=float(champion.sum()),
        challenger_net=float(challenger.sum()),
        mean_difference=float(found),
        low=low,
        confidence_percent=confidence_percent,
        p_value=(1 + int(np.count_nonzero(means <= 0.0))) / (1 + samples),
        passes=low > 0.0,
    )
