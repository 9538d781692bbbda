"""A strategy that is in the market every other bar, whatever the prices are.

What it does depends on the time of a bar alone, so that two runs of a day must decide the same even where
their orders were filled at other prices.
"""

from __future__ import annotations

from strategies.base import Decision, IntradayStrategy

__all__ = ["EveryOtherBar"]

_MINUTES_PER_DAY = 1440


class EveryOtherBar(IntradayStrategy):
    """Enter on every bar of an even number, long and short in turn, and leave on the next one."""

    def decide(self) -> Decision | None:
        """Answer by the number of the bar."""
        number = self._number()
        return None if number % 2 else Decision(1 if number % 4 else -1)

    def wants_exit(self) -> bool:
        """Leave on bars of an odd number."""
        return self._number() % 2 == 1

    def _number(self) -> int:
        bar_minutes = int(self.data._compression)
        return round(float(self.data.datetime[0]) * _MINUTES_PER_DAY) // bar_minutes
