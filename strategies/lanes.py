"""A feed and its strategy as the engine moves them: several side by side stay at the same moment."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from strategies.base import whole_line

__all__ = ["Lane", "advance", "ask", "every_moment"]


class Lane:
    """One feed with its strategy, over a history.

    Parameters
    ----------
    strategy : strategies.base.IntradayStrategy
        Made on that feed alone.
    data : feeds.history.HistoryFeed
        Its bars.

    Attributes
    ----------
    bar : int
        Number of the bar it stands at, −1 before the first.
    """

    def __init__(self, strategy: Any, data: Any) -> None:  # noqa: ANN401 # backtrader objects
        self.strategy = strategy
        self.data = data
        self.bar = -1
        self._times = whole_line(data.lines.datetime)

    def prepare(self) -> None:
        """Compute all indicators, and have the strategy say on which bars it can act."""
        strategy = self.strategy
        strategy._once()
        strategy.reset()
        strategy.lines.datetime.array = self.data.lines.datetime.array[:]
        strategy.declare_acting_bars()

    def next_active_time(self, broker: Any) -> float:  # noqa: ANN401 # a simulated broker
        """Return the CLOSE of the next bar on which broker or strategy can do anything, inf without one.

        In backtrader's day numbers.
        """
        ahead = min(broker.next_active_bar(self.data, self.bar), self.strategy.next_acting_bar(self.bar))
        return float(self._times[ahead]) if ahead < len(self._times) else math.inf

    def advance_to(self, now: float) -> bool:
        """Go to the last bar that has closed by ``now``; return whether it closed at that moment."""
        bar = int(np.searchsorted(self._times, now, side="right")) - 1
        if bar > self.bar:
            advance(self.strategy, self.data, bar - self.bar)
            self.bar = bar
            return bool(self._times[bar] == now)
        return False

    def visit(self, *, has_new_bar: bool) -> None:
        """Tell the strategy what became of its orders, and ask it where there is a bar to decide on."""
        if has_new_bar:
            ask(self.strategy)
        else:
            self.strategy._notify()
            self.strategy.clear()


def every_moment(lanes: Sequence[Lane]) -> Iterator[float]:
    """Yield every moment at which a bar of any lane closes, in order."""
    times = np.unique(np.concatenate([lane._times for lane in lanes]))
    yield from times.tolist()


def advance(strategy: Any, data: Any, bars: int) -> None:  # noqa: ANN401 # backtrader objects
    """Move a feed, its strategy and the strategy's indicators on by a number of bars."""
    data.lines.advance(bars)
    for indicator in strategy.getindicators():
        indicator.advance(bars)
    strategy.advance(bars)


def ask(strategy: Any) -> None:  # noqa: ANN401 # a backtrader strategy
    """Do with a strategy what Cerebro does on a bar, once the broker has been asked for its notifications."""
    strategy._notify()
    status = strategy._getminperstatus()
    if status < 0:
        strategy.next()
    elif status == 0:
        strategy.nextstart()
    else:
        strategy.prenext()
    strategy.clear()
