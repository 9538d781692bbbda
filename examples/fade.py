"""Fade a bar that ran too far: against it when it closed more than two ATR from the bar before."""

from strategies.base import Decision, IntradayStrategy, whole_line


class Fade(IntradayStrategy):
    """Stop, target, size, costs, risk rules and the square-off come from the base and the settings."""

    def decide(self):
        """Answer for the bar that has just closed."""
        moved = self.data.close[0] - self.data.close[-1]
        return Decision(-1 if moved > 0 else 1) if abs(moved) > 2 * self.atr[0] else None

    def entry_bars(self):
        """Say once, in arrays, on which bars decide() can answer: the engine jumps over the others."""
        close, atr = whole_line(self.data.lines.close), whole_line(self.atr)
        moved = close - [close[0], *close[:-1]]
        return abs(moved) > 2 * atr
