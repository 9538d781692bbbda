"""What the page of a search shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ml.overfitting import Overfitting

__all__ = ["SearchPage", "TrialRow"]


class TrialRow(NamedTuple):
    """One trial.

    Attributes
    ----------
    number : int
        In the study.
    values : mapping
        Dotted setting to what was tried.
    objective : float or None
        What the search maximises; None where the trial could not be judged.
    sharpe : float or None
        Annualised, net.
    trades : int
        Round trips.
    net_pnl : float
        Rupees.
    error : str
        Why it could not be judged.
    """

    number: int
    values: Mapping[str, bool | int | float | str]
    objective: float | None
    sharpe: float | None
    trades: int
    net_pnl: float
    error: str


class SearchPage(NamedTuple):
    """A finished search.

    Attributes
    ----------
    study, instrument, strategy, source : str
        Names.
    bar_minutes : int
        Length of a bar.
    synthetic : bool
        Whether the bars are made up.
    seen_first, seen_last : str
        Dates of the part that trials saw.
    judged_sessions : int
        Sessions of it that trials were judged on.
    minimum_trades : int
        Below which a good Sharpe ratio counts in proportion.
    trials : sequence of TrialRow
        In the order of their numbers.
    best : TrialRow or None
        Of the greatest objective.
    best_yaml : str
        Its settings as a settings file.
    counted : int
        Trials ever made on these bars, this search's included.
    luckiest_sharpe : float
        What the luckiest of so many worthless trials is expected to show, annualised.
    deflated_sharpe : float or None
        Probability that the best one's true Sharpe ratio is above 0 all the same, 0 to 1.
    overfitting : Overfitting or None
        None where there are too few trials or sessions.
    holdout : mapping
        As from :func:`strategies.search.holdout.look_at_holdout`.
    looks : int
        Trials, of this study or another, that were shown a holdout of these bars, this one included.
    """

    study: str
    instrument: str
    strategy: str
    source: str
    bar_minutes: int
    synthetic: bool
    seen_first: str
    seen_last: str
    judged_sessions: int
    minimum_trades: int
    trials: Sequence[TrialRow]
    best: TrialRow | None
    best_yaml: str
    counted: int
    luckiest_sharpe: float
    deflated_sharpe: float | None
    overfitting: Overfitting | None
    holdout: Mapping[str, Any]
    looks: int

    def words(self) -> str:
        """Return what the best is, and what chance alone would have given."""
        if self.best is None or not self.best.trades:
            return f"best of {len(self.trials)} trials: not to trade"
        few = " (too few)" if self.best.trades < self.minimum_trades else ""
        return (
            f"best of {len(self.trials)} trials: number {self.best.number}, Sharpe "
            f"{self.best.sharpe or 0.0:+.2f} of {self.best.trades} trades{few}; the luckiest of "
            f"{self.counted} worthless trials on these bars would show about {self.luckiest_sharpe:.2f}"
        )

    def overfitting_words(self) -> str:
        """Return what the combinations say of choosing the best."""
        if self.overfitting is None:
            return "too few trials or sessions to tell how likely the choice is luck"
        found = self.overfitting
        return (
            f"probability of backtest overfitting {found.probability:.0%}: how often the best trial of one "
            f"half of the sessions was no better than the middle of the other; it lost there in "
            f"{found.loss_probability:.0%}"
        )
