"""What is traded, as a broker's list of the day says it."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

__all__ = ["Instrument"]


class Instrument(NamedTuple):
    """A future: units per ``lot``, price step ``tick`` in index points.

    ``token`` and ``exchange`` are the broker's own: its number in the streams, and the segment it trades in.
    """

    token: int
    symbol: str
    exchange: str
    expiry: dt.date
    lot: int
    tick: float
