"""A whole search: bars, trials until there are enough, the holdout, the page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib

from feeds.errors import DataError
from feeds.settings import make_calendar
from ml.registry import ModelRegistry
from strategies.checks import check_before_loading
from strategies.loading import load_run_bars
from strategies.modelling import trial_id
from strategies.progress import ProgressReporter
from strategies.search.holdout import look_at_holdout, looks_at_holdout
from strategies.search.objective import BarParts, Judged, cut_bars, judge_values, objective_of
from strategies.search.outcome import SearchOutcome, best_of, make_outcome
from strategies.search.space import SearchSpace
from strategies.search.storage import open_study, storage_address, storage_faults_told
from strategies.search.study import Proposal, SearchStudy
from strategies.settings import Settings

__all__ = ["SEARCH_FOLDER", "SearchRequest", "run_search"]

SEARCH_FOLDER = Path("runs") / "search"
"""Studies on SQLite, and the folder of each study's results."""


@dataclass(frozen=True, kw_only=True)
class SearchRequest:
    """What to search.

    Attributes
    ----------
    settings : Settings
        What is not varied, and ``ml.search``.
    trials : int or None
        Of the study, all its runs together; None for ``ml.search.trials``.
    study : str or None
        Its name; None for one made of bars, space and settings.
    storage : str or None
        SQLAlchemy address; None for that of the secrets, of the settings, or SQLite.
    workers : int
        Trials judged at once, 0 for one per core; the result is the same.
    out_dir : pathlib.Path or None
        None for ``runs/search/STUDY``.
    """

    settings: Settings
    trials: int | None = None
    study: str | None = None
    storage: str | None = None
    workers: int = 0
    out_dir: Path | None = None


def run_search(request: SearchRequest, progress: ProgressReporter) -> SearchOutcome | None:
    """Search, look at the holdout with the best settings, and write the page.

    Returns
    -------
    SearchOutcome or None
        None where other processes still judge trials of the study: the last of them writes the page.

    Raises
    ------
    MuhuratError
        Anything the user can mend: settings, space, bars, storage, study.
    """
    settings = request.settings
    search = settings.ml.search
    check_before_loading(settings, "walkforward")
    space = SearchSpace(settings)
    progress.stage("load")
    parts = cut_bars(load_run_bars(settings, make_calendar(settings.market)), search.holdout_fraction)
    definition = _definition(settings, parts, space)
    name = request.study or f"search-{definition[:12]}"
    address = storage_address(request.storage, search.storage, SEARCH_FOLDER / f"{name}.sqlite")
    total = request.trials or search.trials
    opened = open_study(name, address)
    with storage_faults_told(address):
        study = SearchStudy(opened, space, definition, search.seed)
        if again := study.take_over():
            progress.stage(f"{again} trials of a process that ended are made again")
        _judge_all(request, study, space, parts, total, progress)
        _count_all(settings, study, parts)
        if study.under_way():
            return None
        trials = study.finished()
        best = best_of(trials)
        if best is None:
            raise DataError(
                f"none of {len(trials)} trials could be judged, the first because: {trials[0].judged.error}"
            )
        progress.stage("holdout")
        best_settings = space.settings_at(best.values)
        holdout, looks = study.holdout(
            best.identity, lambda: look_at_holdout(best_settings, parts, best.identity)
        )
    # Another study on the same bars has used the same newest sessions up
    looks = max(looks, looks_at_holdout(settings, parts))
    out_dir = request.out_dir or SEARCH_FOLDER / name
    return make_outcome(name, parts, settings, best_settings, trials, holdout, looks, out_dir)


def _judge_all(
    request: SearchRequest,
    study: SearchStudy,
    space: SearchSpace,
    parts: BarParts,
    total: int,
    progress: ProgressReporter,
) -> None:
    search = request.settings.ml.search
    # Bars go to the workers by value: shared memory would outlive a search that is killed
    parallel = joblib.Parallel(n_jobs=request.workers or -1, return_as="generator", max_nbytes=None)
    while proposals := study.propose(total, search.batch):
        found = parallel(
            joblib.delayed(judge_values)(space, proposal.values, parts.seen) for proposal in proposals
        )
        for proposal, (identity, judged) in zip(proposals, found, strict=True):
            # Counted before it is finished: what others see as finished is in the list
            _count(request.settings, parts, identity, judged)
            study.finish(proposal, judged, objective_of(judged, search.minimum_trades), identity)
            done = len(study.finished())
            progress.stage(_words(proposal, judged, done, total))
            progress.advance(done, total)


def _words(proposal: Proposal, judged: Judged, done: int, total: int) -> str:
    found = judged.error or f"Sharpe {judged.sharpe or 0.0:+.2f} of {judged.trades} trades"
    return f"{done} of {total}: trial {proposal.number}, {found}"


def _count(settings: Settings, parts: BarParts, identity: str, judged: Judged) -> None:
    if judged.error:  # nobody has seen a result of it
        return
    ModelRegistry(settings.ml.registry).record_trial(
        {
            "what": "search",
            "id": identity,
            "data": parts.whole.info["sha256"],
            "strategy": settings.strategy.name,
            "sharpe": judged.sharpe,
        }
    )


def _count_all(settings: Settings, study: SearchStudy, parts: BarParts) -> None:
    """Count what other machines have tried as well: the best is chosen among all."""
    known = {trial.get("id") for trial in ModelRegistry(settings.ml.registry).trials()}
    for trial in study.finished():
        if trial.identity not in known:
            _count(settings, parts, trial.identity, trial.judged)


def _definition(settings: Settings, parts: BarParts, space: SearchSpace) -> str:
    search = settings.ml.search
    made_of: Sequence[Any] = [
        trial_id(settings, parts.whole, "walkforward"),
        space.definition(),
        search.seed,
        search.batch,
        search.holdout_fraction,
        search.minimum_trades,
    ]
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
