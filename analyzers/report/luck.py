"""The questions behind the verdict, each with its answer, for the report's page."""

from __future__ import annotations

from typing import NamedTuple

from analyzers.figures import percent, rupees
from analyzers.result import RunResult

__all__ = ["LuckCheck", "luck_checks"]


class LuckCheck(NamedTuple):
    """One question of the verdict: what was asked, what was found, and whether it speaks for an edge."""

    question: str
    answer: str
    passed: bool


def luck_checks(result: RunResult) -> list[LuckCheck]:
    """Return what the verdict asked, in its order; nothing where there were too few trades to ask."""
    verdict, metrics = result.verdict, result.metrics
    if verdict.net_low is None or verdict.net_high is None:
        return []
    level = verdict.confidence_percent / 100.0
    low, high = rupees(verdict.net_low), rupees(verdict.net_high)
    deflated, random_entry = metrics["deflated_sharpe"], metrics.get("random_entry_p")
    checks = [
        LuckCheck(
            "Is the net profit per trade above zero?",
            f"{verdict.confidence_percent:g} % interval {low} to {high}",
            verdict.net_low > 0.0,
        )
    ]
    if isinstance(deflated, float):
        trials = f"{metrics['trials']} trial{'' if metrics['trials'] == 1 else 's'}"
        checks.append(
            LuckCheck(
                f"Is the Sharpe ratio above that of the luckiest of {trials}?",
                f"{percent(deflated)} sure",
                deflated >= level,
            )
        )
    if isinstance(random_entry, float):
        checks.append(
            LuckCheck(
                "Do entries at random, at the same hours, do worse before costs?",
                f"{_share(random_entry)} of random portfolios did as well",
                random_entry <= 1.0 - level,
            )
        )
    return checks


def _share(probability: float) -> str:
    """Return a share that is never nothing as one: a test with so many draws cannot tell less."""
    return "under 0.1 %" if probability < 0.001 else percent(probability)
