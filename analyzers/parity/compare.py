"""A recorded day against its replay: bars, inputs, decisions, trades, and the rupees in between."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from analyzers.bar_record import BarRecord
from analyzers.parity.attribution import TradePair, attribute
from analyzers.parity.causes import CAUSES, UNEXPLAINED, Cause, Causes, Reason
from analyzers.parity.day import DayRun, RecordedDay
from analyzers.parity.differences import BarComparison, InputComparison, compare_bars, compare_inputs
from feeds.errors import MuhuratError

__all__ = ["DecisionComparison", "ParityResult", "compare_days"]

_SAME_RUPEES = 1e-6


class DecisionComparison(NamedTuple):
    """One bar: what either run saw and answered, None where it saw nothing; ``reason`` None where equal."""

    start: dt.datetime
    live: BarRecord | None
    backtest: BarRecord | None
    reason: Reason | None

    @property
    def is_notable(self) -> bool:
        """Whether anything was decided here, or the answers differ."""
        decided = any(record and (record.side or record.leaves) for record in (self.live, self.backtest))
        return decided or self.reason is not None


@dataclass(frozen=True, kw_only=True)
class ParityResult:
    """What the comparison of one day found.

    Attributes
    ----------
    day : RecordedDay
        The live side.
    backtest : DayRun
        The other.
    tick : float
        Price step, index points.
    bars : BarComparison
        From the first bar that counts.
    inputs : list of InputComparison
        By name.
    decisions : list of DecisionComparison
        By bar.
    trades : list of TradePair
        In the order of time.
    """

    day: RecordedDay
    backtest: DayRun
    tick: float
    bars: BarComparison
    inputs: list[InputComparison]
    decisions: list[DecisionComparison]
    trades: list[TradePair]

    @property
    def live_net(self) -> float:
        """Rupees of the live day, charges paid."""
        return self.day.run.net

    @property
    def backtest_net(self) -> float:
        """Rupees of the backtest, charges paid."""
        return self.backtest.net

    @property
    def difference(self) -> float:
        """Rupees, live minus backtest."""
        return self.live_net - self.backtest_net

    @property
    def by_cause(self) -> dict[Cause, float]:
        """Rupees, live minus backtest, by cause; every cause is named, and they add up to the difference."""
        parts = [part for pair in self.trades for part in pair.parts]
        return {cause: sum(part.rupees for part in parts if part.cause == cause) for cause in CAUSES}

    @property
    def unexplained_rupees(self) -> float:
        """Rupees, regardless of sign, that come from what must not differ at all."""
        return sum(
            abs(part.rupees) for pair in self.trades for part in pair.parts if part.cause in UNEXPLAINED
        )

    @property
    def unexplained(self) -> Mapping[str, int]:
        """How many bars, inputs, decisions and parts of trades differ that must not, by name."""
        return {
            "bars": len(self.bars.starts),
            "inputs": sum(found.beyond > 0 for found in self.inputs),
            "decisions": sum(
                found.reason is not None and found.reason.cause in UNEXPLAINED for found in self.decisions
            ),
            "parts of trades": sum(part.cause in UNEXPLAINED for pair in self.trades for part in pair.parts),
        }

    def failures(self, *, max_rupees: float | None = None, max_difference: float | None = None) -> list[str]:
        """Return why the day does not pass, one sentence each; empty when it does.

        Parameters
        ----------
        max_rupees : float or None
            Tolerate unexplained differences that cost at most this much in all; None tolerates none, whether
            they cost anything or not.
        max_difference : float or None
            Greatest difference of the two results, explained or not, rupees either way; None for no bound.
        """
        found: list[str] = []
        if max_rupees is None:
            counts = ", ".join(f"{name} ({count})" for name, count in self.unexplained.items() if count)
            if counts:
                found.append(f"these must not differ and do: {counts}")
        elif self.unexplained_rupees > max_rupees:
            found.append(
                f"{self.unexplained_rupees:,.2f} rupees come from bars, inputs or decisions that must not "
                f"differ, allowed are {max_rupees:,.2f}"
            )
        if max_difference is not None and abs(self.difference) > max_difference:
            found.append(
                f"the results differ by {self.difference:,.2f} rupees, allowed are {max_difference:,.2f}"
            )
        return found


def compare_days(day: RecordedDay, backtest: DayRun, tick: float) -> ParityResult:
    """Compare a recorded day with its replay.

    Parameters
    ----------
    day : RecordedDay
        The live side.
    backtest : DayRun
        Its replay.
    tick : float
        Price step, index points; 0.0 where prices are not rounded.

    Raises
    ------
    MuhuratError
        The parts do not add up to the difference.
    """
    bars = compare_bars(day.run, backtest, day.first)
    causes = Causes(day.run, backtest, bars.starts, day.bar_minutes)
    ours, theirs = day.run.records, backtest.records
    starts = sorted(start for start in {*ours, *theirs} if start >= day.first)
    result = ParityResult(
        day=day,
        backtest=backtest,
        tick=tick,
        bars=bars,
        inputs=compare_inputs(
            [(ours[start], theirs[start]) for start in starts if start in ours and start in theirs]
        ),
        decisions=[
            DecisionComparison(start, ours.get(start), theirs.get(start), causes.at(start))
            for start in starts
        ],
        trades=attribute(day.run.trips, backtest.trips, causes, tick),
    )
    left_over = result.difference - sum(result.by_cause.values())
    if not abs(left_over) < _SAME_RUPEES:
        raise MuhuratError(
            f"parity: the parts miss the difference by {left_over} rupees, expected 0; this is a bug, "
            "please report it"
        )
    return result
