"""How much of our orders a bar can fill."""

from __future__ import annotations

import math

from feeds.errors import SettingsError

__all__ = ["VolumeParticipation"]


class VolumeParticipation:
    """A limit on the part of a bar's volume that our orders may take.

    Parameters
    ----------
    max_percent_of_volume : float
        Percent of the units traded in the bar, 0 to 100. 0 means no limit: every order fills whole.
    """

    def __init__(self, max_percent_of_volume: float) -> None:
        if not 0.0 <= max_percent_of_volume <= 100.0:
            msg = (
                f"broker.max_percent_of_volume is {max_percent_of_volume}, "
                "expected 0 (no limit) to 100 percent"
            )
            raise SettingsError(msg)
        self._fraction = max_percent_of_volume / 100.0

    @property
    def limited(self) -> bool:
        """False when every order fills whole."""
        return self._fraction > 0.0

    def fillable(self, wanted: float, bar_volume: float, lot: int) -> float:
        """Return how many units our orders together may fill in a bar.

        Parameters
        ----------
        wanted : float
            Units that would like to fill in this bar, those that have filled in it included; unsigned.
        bar_volume : float
            Units traded in the bar.
        lot : int
            Units in a lot on that day.

        Returns
        -------
        float
            ``wanted`` where the bar has room for it, else the whole lots that it has room for: 0.0 when the
            share is less than a lot, and the order has to wait for the next bar.
        """
        allowed = bar_volume * self._fraction
        if not self._fraction or wanted <= allowed:
            return wanted
        # The nudge undoes binary dust: a share of 74.99999999999999 units is a lot of 75
        return min(wanted, math.floor(allowed / lot + 1e-9) * float(lot))
