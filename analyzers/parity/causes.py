"""Why two runs of one day part ways on a bar."""

from __future__ import annotations

import datetime as dt
from typing import Literal, NamedTuple

from analyzers.bar_record import BarRecord
from analyzers.parity.day import DayRun
from analyzers.parity.differences import input_difference, same_answer, same_inputs

__all__ = ["CAUSES", "UNEXPLAINED", "Cause", "Causes", "Reason"]

Cause = Literal[
    "entry_price", "exit_price", "charges", "size", "timing", "rejection",
    "missed_bar", "bar", "feature", "decision",
]  # fmt: skip

CAUSES: dict[Cause, str] = {
    "entry_price": "entered at another price",
    "exit_price": "left at another price, in the same bar and for the same reason",
    "charges": "other charges",
    "size": "other units",
    "timing": "acted on later, left in another bar, or not asked because of an earlier trade",
    "rejection": "refused by the risk gate, the broker or the exchange",
    "missed_bar": "the live strategy never saw the bar",
    "bar": "the bar, or one before it, was another",
    "feature": "same bars, other inputs",
    "decision": "same inputs, other answer",
}
"""What a difference can come from, in words."""

UNEXPLAINED: frozenset[Cause] = frozenset({"missed_bar", "bar", "feature", "decision"})
"""What must not differ between a live day and its backtest; the others are what a real market does."""

_REFUSED = ("denied", "rejected", "margin")
_EARLY = dt.timedelta(seconds=5)  # clocks of two machines, between a bar's close and an order's event


class Reason(NamedTuple):
    """A cause, and its circumstances in words."""

    cause: Cause
    detail: str


class Causes:
    """Answers why, bar by bar.

    Parameters
    ----------
    live, backtest : DayRun
        The two runs.
    different_bars : set of datetime
        STARTs of the bars that are not equal, from the first that counts.
    bar_minutes : int
        Length of a bar.
    """

    def __init__(
        self, live: DayRun, backtest: DayRun, different_bars: set[dt.datetime], bar_minutes: int
    ) -> None:
        self._live = live
        self._backtest = backtest
        self._different_bars = different_bars
        self._first_different = min(different_bars, default=dt.datetime.max)  # noqa: DTZ901 # naive wall clock
        self._length = dt.timedelta(minutes=bar_minutes)

    def at(self, start: dt.datetime) -> Reason | None:
        """Return why the answers on a bar differ, None where they do not."""
        live, backtest = self._live.records.get(start), self._backtest.records.get(start)
        if live is None:
            return None if backtest is None else Reason("missed_bar", self._missed(start))
        if backtest is None:
            return Reason("bar", f"the backtest has no bar {start:%H:%M}")
        if same_answer(live, backtest):
            return None
        busy = _busy(live, backtest)
        if busy:
            return Reason("timing", busy)
        if live.asked != backtest.asked and start in self._different_bars:
            return Reason("bar", f"the bar {start:%H:%M} differs, entries are decided on complete bars only")
        if same_inputs(live, backtest):
            return Reason(
                "decision", f"same inputs, {_answer(live)} live, {_answer(backtest)} in the backtest"
            )
        return self._other_inputs(live, backtest)

    def of_missing_trade(self, signal_time: dt.datetime, side: int, *, live_has_it: bool) -> Reason:
        """Return why only one run has a trade that was decided on the bar that closed at ``signal_time``."""
        start = self.signal_bar(signal_time)
        reason = self.at(start)
        if reason is not None:
            return reason
        lacking, name = (self._backtest, "backtest") if live_has_it else (self._live, "live")
        record = lacking.records.get(start)
        if record is None:
            return Reason("missed_bar", f"neither run saw the bar {start:%H:%M}")
        if record.side != side:
            return Reason(
                "decision", f"a trade against the answer: {_answer(record)} on the bar {start:%H:%M}"
            )
        return self._fate(lacking, name, signal_time, record)

    def of_other_exit(self, first: dt.datetime, last: dt.datetime) -> Reason | None:
        """Return why one run left and the other stayed, None where no answer on a bar explains it.

        Parameters
        ----------
        first, last : datetime
            STARTs of the first bar that both held through, and of the bar in which the first of them left.
        """
        for start in sorted({*self._live.records, *self._backtest.records}):
            if not first <= start < last:
                continue
            live, backtest = self._live.records.get(start), self._backtest.records.get(start)
            if (live and live.leaves) or (backtest and backtest.leaves):
                reason = self.at(start)
                if reason is not None:
                    return reason
        return None

    def signal_bar(self, signal_time: dt.datetime) -> dt.datetime:
        """Return the START of the bar that closed at ``signal_time``."""
        start = self._live.bar_closing_at(signal_time) or self._backtest.bar_closing_at(signal_time)
        return start or signal_time - self._length

    def _missed(self, start: dt.datetime) -> str:
        what = "recorded no decision on" if start in self._live.starts else "has no"
        return f"the live run {what} the bar {start:%H:%M}"

    def _other_inputs(self, live: BarRecord, backtest: BarRecord) -> Reason:
        apart = {
            name: input_difference(live.inputs.get(name), backtest.inputs.get(name))
            for name in (*live.inputs, *backtest.inputs)
        }
        name = max(apart, key=lambda key: apart[key])
        detail = f"{name} {live.inputs.get(name)} live, {backtest.inputs.get(name)} in the backtest"
        if self._first_different <= live.start:
            return Reason("bar", f"{detail}; bars differ from {self._first_different:%H:%M} on")
        return Reason("feature", detail)

    def _fate(self, lacking: DayRun, name: str, signal_time: dt.datetime, record: BarRecord) -> Reason:
        """Tell what became of an entry that was decided but is no trade."""
        if not record.units:
            return Reason("size", f"no units could be afforded ({name})")
        entries = [event for event in lacking.events if event.role == "entry"]
        begun = [
            event for event in entries if signal_time - _EARLY <= event.time < signal_time + self._length
        ]
        refusal = next((event for event in begun if event.state in _REFUSED), None)
        if refusal is not None:
            by = f" by {refusal.rule}" if refusal.rule else ""
            return Reason("rejection", f"{refusal.state}{by} ({name}): {refusal.reason}")
        ids = {event.order_id for event in begun}
        later = [event for event in entries if event.order_id in ids and event.time >= signal_time - _EARLY]
        refusal = next((event for event in later if event.state in _REFUSED), None)
        if refusal is not None:
            return Reason("rejection", f"{refusal.state} ({name}): {refusal.reason}")
        if later:
            return Reason("timing", f"the entry ended as {later[-1].state} without a fill ({name})")
        return Reason("timing", f"decided, but no order was sent ({name})")


def _busy(live: BarRecord, backtest: BarRecord) -> str:
    """Tell which run was in a trade while the other was not; empty where both were in the same state."""
    if live.working != backtest.working:
        return f"an order was still working {'live' if live.working else 'in the backtest'}"
    if _sign(live.position) != _sign(backtest.position):
        return f"{live.position:g} units were held live, {backtest.position:g} in the backtest"
    return ""


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)


def _answer(record: BarRecord) -> str:
    if record.leaves:
        return f"leave ({record.leaves})"
    if not record.asked:
        return "not asked"
    return {1: "buy", -1: "sell", 0: "no entry"}[record.side]
