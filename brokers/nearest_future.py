"""The future that a day trades, out of those that are listed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from brokers.instrument import Instrument
from feeds.errors import BrokerError

__all__ = ["nearest_future"]

_FEW = 5


def nearest_future(
    futures: Sequence[Instrument], underlying: str, day: dt.date | None, listed: str
) -> Instrument:
    """Return the future of the nearest expiry on or after ``day``.

    Parameters
    ----------
    futures : sequence of Instrument
        Of the underlying, nearest expiry first.
    underlying : str
        Index, such as ``NIFTY``.
    day : datetime.date or None
        The trading day; None for the list's own.
    listed : str
        What else the broker's list holds, for the message.

    Raises
    ------
    BrokerError
        If there is none, or it has no lot or price step.
    """
    alive = [future for future in futures if day is None or future.expiry >= day]
    if not alive:
        known = ", ".join(f"{future.symbol} ({future.expiry})" for future in futures[-_FEW:]) or "none"
        raise BrokerError(
            f"found no future of {underlying} that expires on {day or 'any day'} or later among {listed} "
            f"(its futures: {known}), expected one; check market.instrument, and that the broker's list is "
            "of today"
        )
    nearest = alive[0]
    if nearest.lot <= 0 or nearest.tick <= 0:
        raise BrokerError(
            f"found {nearest.symbol} with lot {nearest.lot} and price step {nearest.tick:g}, expected both "
            "above 0; the broker's list of today is damaged, try again later"
        )
    return nearest
