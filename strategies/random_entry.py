"""Enter at random: the null hypothesis that every strategy has to beat."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field

from strategies.base import Decision, IntradayStrategy, PluginSettings, whole_line

__all__ = ["Strategy", "uniform"]

_MINUTES_PER_DAY = 1440
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_GOLDEN = 0x9E3779B97F4A7C15
_WORD = 2**64


class Settings(PluginSettings):
    """Settings of the ``random_entry`` strategy."""

    seed: int = Field(1, ge=0, description="Seed; another seed, other entries.")
    entry_probability: float = Field(0.05, gt=0, le=1, description="Chance of an entry on a bar while flat.")


def uniform(times: npt.NDArray[np.float64], seed: int) -> npt.NDArray[np.float64]:
    """Return a number in [0, 1) for each time, the same for the same time and seed wherever a run starts.

    Parameters
    ----------
    times : numpy.ndarray, shape (n,)
        Closes of bars as backtrader's day numbers.
    seed : int
        Seed.

    Notes
    -----
    SplitMix64 (Steele, Lea, Flood 2014) applied to the minute and the seed.
    """
    begin = np.uint64((seed + 1) * _GOLDEN % _WORD)
    state = np.round(times * _MINUTES_PER_DAY).astype(np.uint64) + begin
    state = (state ^ (state >> np.uint64(30))) * _MIX[0]
    state = (state ^ (state >> np.uint64(27))) * _MIX[1]
    state ^= state >> np.uint64(31)
    return (state >> np.uint64(11)).astype(np.float64) / 2.0**53


class Strategy(IntradayStrategy):
    """Enter long or short by the toss of a coin, with the same stops, targets and costs as any other."""

    Settings = Settings

    def decide(self) -> Decision | None:
        """Toss the coin of this bar's minute."""
        draw = uniform(np.array([self.data.datetime[0]]), self.p.plugin.seed)[0]
        chance = self.p.plugin.entry_probability
        if draw >= chance:
            return None
        return Decision(1 if draw < chance / 2 else -1)

    def entry_bars(self) -> npt.NDArray[np.bool_]:
        """Return the bars on which the coin says enter."""
        return (
            uniform(whole_line(self.data.lines.datetime), self.p.plugin.seed)
            < self.p.plugin.entry_probability
        )
