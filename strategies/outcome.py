"""A finished backtest in a dozen lines for the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from analyzers.result import RunResult

__all__ = ["BacktestOutcome"]


class BacktestOutcome(NamedTuple):
    """A result and where it lies.

    Attributes
    ----------
    result : RunResult
        Everything.
    out_dir : pathlib.Path
        The folder that holds it.
    """

    result: RunResult
    out_dir: Path

    def lines(self) -> list[str]:
        """Return the summary, one line each."""
        result, metrics = self.result, self.result.metrics
        data = result.data
        synthetic = "  SYNTHETIC DATA: made up, not a market" if result.synthetic else ""
        return [
            f"{result.title}{synthetic}",
            f"data       {data['source']}: {data['bars']:,} bars, {data['sessions']:,} sessions, "
            f"{data['rejects']:,} rejected; traded from {data['traded_from'][:10]}",
            f"trades     {metrics['trades']:,}, {_percent(metrics['win_rate'])} winners "
            f"(break-even {_percent(metrics['breakeven_hit_rate'])})",
            f"gross      {_rupees(metrics['gross_pnl'])}",
            f"slippage   {_rupees(-_number(metrics['slippage_cost']))}",
            f"charges    {_rupees(-_number(metrics['charges']))}",
            f"net        {_rupees(metrics['net_pnl'])}   at today's charges "
            f"{_rupees(result.metrics_today['net_pnl'])}",
            f"drawdown   {_rupees(metrics['max_drawdown'])}   Sharpe {_figure(metrics['sharpe'])}   "
            f"deflated {_figure(metrics['deflated_sharpe'])}",
            f"verdict    {result.verdict.label}: {result.verdict.reason}",
            *([f"caution    {result.verdict.caution}"] if result.verdict.caution else []),
            *self._arms(),
            *self._parts(),
            *(f"note       {warning}" for warning in result.warnings),
            f"report     {self.out_dir / 'report.html'}   fingerprint {result.fingerprint[:16]}",
        ]

    def _arms(self) -> list[str]:
        arms = self.result.arms
        if arms is None:
            return []
        earned = [
            f"arm        {arm.name}: {arm.trades:,} trades, gross {arm.gross_pnl:,.0f}, "
            f"net {arm.net_pnl:,.0f}"
            for arm in arms.arms
        ]
        return [*earned, *(f"arms       {comparison.words}" for comparison in arms.comparisons)]

    def _parts(self) -> list[str]:
        return [
            f"{name:<11}{part.metrics['trades']:,} trades, gross {_number(part.metrics['gross_pnl']):,.0f}, "
            f"net {_number(part.metrics['net_pnl']):,.0f}   fingerprint {part.fingerprint[:16]}"
            for name, part in self.result.parts.items()
        ]


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _rupees(value: object) -> str:
    return f"{_number(value):>14,.2f}"


def _percent(value: object) -> str:
    return f"{100 * value:.1f} %" if isinstance(value, (int, float)) else "–"


def _figure(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, (int, float)) else "–"
