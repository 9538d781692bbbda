"""What is to be told before mode and time are put to it, and the words for sizes, prices and money."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from analyzers.alerts.alert import Severity

__all__ = ["Draft", "deal", "points", "rupees", "side"]


class Draft(NamedTuple):
    """An alert in the making; ``{symbol}`` in the title stands for the contract."""

    severity: Severity
    title: str
    lines: Sequence[str] = ()
    key: str = ""
    attachments: tuple[Path, ...] = ()
    told_on: str = ""


def deal(size: float) -> str:
    """Return signed units as an order, ``buy 130``."""
    return f"{'buy' if size > 0 else 'sell'} {abs(size):,.0f}"


def side(size: float) -> str:
    """Return signed units as a position, ``long 130``."""
    return f"{'long' if size > 0 else 'short'} {abs(size):,.0f}"


def points(price: float) -> str:
    """Return index points."""
    return f"{price:,.2f}"


def rupees(amount: float) -> str:
    """Return money with its sign."""
    return f"{amount:+,.0f} rupees"
