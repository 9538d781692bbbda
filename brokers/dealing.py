"""What an account that trades several instruments keeps apart for each of them."""

from __future__ import annotations

from typing import NamedTuple

from brokers.execution import ExecutionModel
from brokers.finer_bars import FinerBars
from brokers.journal import Journal
from brokers.risk.gate import RiskGate

__all__ = ["Dealing"]


class Dealing(NamedTuple):
    """How one instrument is traded.

    Attributes
    ----------
    execution : ExecutionModel
        Volume, price and charges of a fill, by the terms of its contract.
    gate : RiskGate
        Asked before every entry in it, told every fill of it.
    journal : Journal
        Receives its order events and fills.
    finer_bars : FinerBars or None
        Settle stop against target inside one of its bars.
    """

    execution: ExecutionModel
    gate: RiskGate
    journal: Journal
    finer_bars: FinerBars | None = None
