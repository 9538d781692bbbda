"""What came of a search: its best settings on the bars that no trial saw, and how far to believe them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ml.overfitting import Overfitting, probability_of_overfitting
from strategies.search.objective import FIGURES, RETURNS, Judged, SearchPart, judge
from strategies.search.space import FEATURES, chosen_settings
from strategies.settings import Settings

__all__ = ["SearchOutcome", "Trial", "conclude"]

_BLOCKS = (16, 12, 8, 6, 4)
_SESSIONS_A_BLOCK = 5


class Trial(NamedTuple):
    """A finished trial.

    Attributes
    ----------
    number : int
        In the study.
    value : float
        What was maximised.
    values : dict
        Dotted setting to value; ``features.<group>`` to whether it was taken.
    figures : dict
        ``net_pnl``, ``gross_pnl``, ``trades``, ``sharpe``, ``max_drawdown``, ``win_rate``.
    returns : numpy.ndarray, shape (sessions,)
        Daily returns out of sample, oldest first.
    """

    number: int
    value: float
    values: dict[str, Any]
    figures: dict[str, Any]
    returns: np.ndarray


class SearchOutcome(NamedTuple):
    """A finished search.

    Attributes
    ----------
    trials : list of Trial
        Best first.
    best_values : dict
        Dotted setting to value of the best, ``ml.features`` as a list.
    holdout : Judged or None
        The best on the sessions set aside; None where it could not be judged there.
    holdout_words : str
        Why not; empty where it was.
    overfitting : Overfitting or None
        None where there are too few trials or sessions to say.
    importance : dict of str to float
        Share of each setting in the differences between trials; empty where it cannot be told.
    """

    trials: list[Trial]
    best_values: dict[str, Any]
    holdout: Judged | None
    holdout_words: str
    overfitting: Overfitting | None
    importance: dict[str, float]


def conclude(study: Any, settings: Settings, part: SearchPart) -> SearchOutcome:  # noqa: ANN401 # optuna
    """Judge the best trial on the holdout, and the choice of it."""
    from feeds.errors import DataError

    trials = _finished(study)
    if not trials:
        raise DataError("the study holds no finished trial; run it again with more --trials")
    best = trials[0]
    values = _as_settings(best.values, settings)
    holdout, words = None, ""
    try:
        chosen = chosen_settings(settings, values)
        holdout = judge(chosen, part.bars.frame, part.bars.minutes, begin=part.end)
    except DataError as error:
        words = str(error)
    return SearchOutcome(trials, values, holdout, words, _overfitting(trials), _importance(study))


def _finished(study: Any) -> list[Trial]:  # noqa: ANN401 # optuna
    trials = [
        Trial(
            trial.number,
            float(trial.value),
            dict(trial.params),
            dict(trial.user_attrs.get(FIGURES, {})),
            np.asarray(trial.user_attrs.get(RETURNS, ()), dtype=np.float64),
        )
        for trial in study.get_trials(deepcopy=False)
        if trial.state.name == "COMPLETE"
    ]
    return sorted(trials, key=lambda trial: (-trial.value, trial.number))


def _as_settings(params: dict[str, Any], settings: Settings) -> dict[str, Any]:
    groups = settings.ml.search.feature_groups
    values = {name: value for name, value in params.items() if not name.startswith("features.")}
    taken = [name for name in groups if params.get(f"features.{name}")]
    if groups:
        values[FEATURES] = [feature for name in taken or groups for feature in groups[name]]
    return values


def _overfitting(trials: list[Trial]) -> Overfitting | None:
    """Return the probability of overfitting over the sessions that all trials share."""
    length = max(len(trial.returns) for trial in trials)
    shared = [trial.returns for trial in trials if len(trial.returns) == length]
    blocks = next((count for count in _BLOCKS if length >= count * _SESSIONS_A_BLOCK), None)
    if len(shared) < 2 or blocks is None:
        return None
    return probability_of_overfitting(np.column_stack(shared), blocks)


def _importance(study: Any) -> dict[str, float]:  # noqa: ANN401 # optuna
    import optuna

    try:
        found = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
        )
    except (ValueError, RuntimeError):  # fewer than two trials, or all of the same value
        return {}
    return {name: float(share) for name, share in found.items()}
