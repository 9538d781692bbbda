"""A risk gate that notes what it is told, so that the next process can tell its own the same."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from brokers.paper_records import GateFact
from brokers.risk.gate import RiskGate

__all__ = ["NotingGate"]


class NotingGate(RiskGate):
    """The gate of a paper account; rules and counters are those of any gate.

    Attributes
    ----------
    facts : list of GateFact
        What it was told since somebody last emptied this.
    """

    def __init__(self, gate: RiskGate, cash: float) -> None:
        super().__init__(gate.rules, cash, gate.seat)
        self.facts: list[GateFact] = []

    def on_entry(self, time: dt.datetime) -> None:
        """Count an entry that was sent, whether or not it fills."""
        super().on_entry(time)
        self.facts.append(GateFact("on_entry", time, ()))

    def on_fill(self, time: dt.datetime, size: float, price: float, charges: float) -> None:
        """Book an execution: ``size`` in signed units, ``price`` in points, ``charges`` in rupees."""
        super().on_fill(time, size, price, charges)
        self.facts.append(GateFact("on_fill", time, (size, price, charges)))

    def on_trade_closed(self, time: dt.datetime, net_pnl: float) -> None:
        """Count the end of a round trip; a loss is a net profit below zero rupees."""
        super().on_trade_closed(time, net_pnl)
        self.facts.append(GateFact("on_trade_closed", time, (net_pnl,)))

    def mark(self, time: dt.datetime, price: float) -> None:
        """Take note of the last price, index points."""
        super().mark(time, price)
        self.facts.append(GateFact("mark", time, (price,)))

    def replay(self, facts: Iterable[GateFact]) -> None:
        """Bring the counters to where these facts left those of the gate that noted them."""
        for fact in facts:
            match fact.method, fact.values:
                case "on_entry", ():
                    super().on_entry(fact.time)
                case "on_fill", (size, price, charges):
                    super().on_fill(fact.time, size, price, charges)
                case "on_trade_closed", (net_pnl,):
                    super().on_trade_closed(fact.time, net_pnl)
                case "mark", (price,):
                    super().mark(fact.time, price)
                    self.must_flatten()  # it was asked after every mark, and may have ended the day
