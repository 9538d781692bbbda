"""Live bars as a backtrader feed, with the lines of :class:`feeds.history.HistoryFeed`."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

import backtrader as bt
import numpy as np
import numpy.typing as npt

from feeds.live_bars import LiveBars

__all__ = ["LiveFeed"]

_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 # the wall clock of the exchange is kept naive inside backtrader
_MICROSECOND = dt.timedelta(microseconds=1)


class LiveFeed(bt.feed.DataBase):
    """Bars of :class:`feeds.live_bars.LiveBars`, one at a time, in Cerebro's thread.

    The ``datetime`` line is the CLOSE of the bar on the exchange's wall clock. ``complete`` is 1.0 only for
    a complete bar that was built from ticks as they came: no entry is decided on a bar of history.

    Parameters
    ----------
    bars : LiveBars
        Started with the feed, unless it has been before.
    on_bar : callable or None
        Called with each :class:`~feeds.bar_sequence.LiveBar` before the strategy sees it; must be quick.
    qcheck : float
        Longest wait for a bar in seconds; in between Cerebro asks the broker. A tick that closes a bar
        and :meth:`LiveBars.wake` end the wait at once.
    """

    lines: ClassVar[Any] = ("complete",)
    params: ClassVar[Any] = (("bars", None), ("on_bar", None), ("qcheck", 0.05))

    def islive(self) -> bool:
        """Make Cerebro ask bar by bar."""
        return True

    def haslivedata(self) -> bool:
        """Whether a bar is ready."""
        bars: LiveBars = self.p.bars
        return bars.has_ready

    def start(self) -> None:
        """Begin before the first bar; read the warm-up if that has not been done."""
        super().start()
        self._opened_us: list[int] = []
        self._closed_at = _EPOCH
        self.p.bars.start()

    def opened_at(self) -> dt.datetime:
        """Return the START of the current bar, naive exchange wall clock."""
        return _EPOCH + dt.timedelta(microseconds=self._opened_us[-1])

    def opened(self, start: int, end: int) -> npt.NDArray[np.int64]:
        """Return the STARTs of bars ``start`` to ``end - 1``, microseconds of naive exchange wall clock."""
        return np.array(self._opened_us[start:end], dtype=np.int64)

    def closed_at(self) -> dt.datetime:
        """Return the CLOSE of the current bar, naive exchange wall clock."""
        return self._closed_at

    def _load(self) -> bool | None:
        bars: LiveBars = self.p.bars
        live_bar = bars.next(self._qcheck)
        self._tell_status()
        if live_bar is None:
            return False if bars.state == "OVER" else None
        bar, lines = live_bar.bar, self.lines
        self._closed_at = bar.end.replace(tzinfo=None)
        self._opened_us.append((bar.start.replace(tzinfo=None) - _EPOCH) // _MICROSECOND)
        lines.datetime[0] = bt.date2num(self._closed_at)
        lines.open[0], lines.high[0], lines.low[0], lines.close[0] = bar.open, bar.high, bar.low, bar.close
        lines.volume[0], lines.openinterest[0] = bar.volume, bar.open_interest
        lines.complete[0] = float(bar.complete and live_bar.origin == "ticks")
        if self.p.on_bar is not None:
            self.p.on_bar(live_bar)
        return True

    def _tell_status(self) -> None:
        """Let Cerebro notify the strategy of a change, as backtrader's own live feeds do."""
        statuses = {"LIVE": self.LIVE, "GAP": self.CONNBROKEN, "OVER": self.DISCONNECTED}
        self.put_notification(statuses.get(self.p.bars.state, self.DELAYED))
