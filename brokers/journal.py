"""What was asked of the market and what came back, in the order in which it happened.

The journal is the one source of facts for the risk counters, the trades, the equity curve and the
report. This one lives in memory; the records are the same wherever they are kept.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

__all__ = ["Fill", "Journal", "OrderEvent", "TradeContext"]


class Fill(NamedTuple):
    """One execution.

    Attributes
    ----------
    order_id, trade_id : int
        The order that was filled, and the round trip it belongs to (entry and exits share it).
    instrument : str
        The underlying's name, as in the settings (``NIFTY``).
    time : datetime.datetime
        Start of the bar in which the fill happened, naive exchange wall clock.
    bar : int
        Position of that bar in the run, from 0.
    role : str
        ``entry``, or the exit's reason: ``stop``, ``target``, ``square_off``, ``daily_loss``,
        ``signal``, ``end_of_data``.
    size : float
        Units, positive bought, negative sold.
    price : float
        What was paid or received, index points.
    reference_price : float
        The price before slippage and latency; ``(price - reference_price) * size`` is their cost in
        rupees, never negative.
    charges : float
        Brokerage, taxes and fees of this fill, rupees, never negative.
    """

    order_id: int
    trade_id: int
    instrument: str
    time: dt.datetime
    bar: int
    role: str
    size: float
    price: float
    reference_price: float
    charges: float


class OrderEvent(NamedTuple):
    """One change of one order's state.

    Attributes
    ----------
    time : datetime.datetime
        CLOSE of the bar on which it happened: when it was known; naive exchange wall clock.
    order_id, trade_id : int
        The order, and the round trip it belongs to.
    role : str
        As in :class:`Fill`.
    kind : str
        ``market``, ``stop``, ``limit`` or ``stop_limit``.
    state : str
        ``submitted``, ``accepted``, ``partial``, ``completed``, ``canceled``, ``margin``, ``expired``,
        ``rejected`` or ``denied`` (by the risk gate); ``moved``, a stop whose price is another from here on;
        ``triggered``, a stop-limit that is a limit from here on.
    size : float
        Units asked for, signed.
    price : float
        Trigger or limit price; for a market order the price that was last seen.
    filled : float
        Units filled so far, signed.
    average_price : float
        Average price of what was filled, 0.0 while nothing was.
    rule, reason : str
        The risk rule that reduced, denied or (an exit) demanded the order, and its words; else empty.
    """

    time: dt.datetime
    order_id: int
    trade_id: int
    role: str
    kind: str
    state: str
    size: float
    price: float
    filled: float = 0.0
    average_price: float = 0.0
    rule: str = ""
    reason: str = ""


class TradeContext(NamedTuple):
    """What was known when an entry was decided.

    Attributes
    ----------
    trade_id : int
        The round trip.
    signal_time : datetime.datetime
        Close of the bar on which the entry was decided, naive exchange wall clock.
    probability : float
        The model's probability of the side taken, NaN where no model was asked.
    arm : str
        Which of several arms on one account decided it, empty where there are none.
    """

    trade_id: int
    signal_time: dt.datetime
    probability: float
    arm: str = ""


class Journal:
    """Fills, order events and entry decisions of one run, kept in memory."""

    def __init__(self) -> None:
        self.fills: list[Fill] = []
        self.events: list[OrderEvent] = []
        self.contexts: list[TradeContext] = []
