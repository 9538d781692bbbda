"""A search from the bars to its folder."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from analyzers.search_page import SearchPage, write_search_page
from analyzers.writer import check_output_folder
from feeds.errors import DataError
from feeds.settings import make_calendar
from strategies.loading import load_run_bars
from strategies.search.objective import split_holdout
from strategies.search.outcome import SearchOutcome, conclude
from strategies.search.space import dotted_values
from strategies.search.study import STUDY_FILE, OnTrial, StudyPlace, masked, run_study, sqlite_url, study_name
from strategies.settings import Settings

__all__ = ["SearchRequest", "run_search"]


class SearchRequest(NamedTuple):
    """What to search.

    Attributes
    ----------
    settings : Settings
        ``ml.search`` says what is tried.
    trials : int
        Of the whole study.
    workers : int
        Processes of this machine.
    out_dir : pathlib.Path or None
        Of the results; ``runs/search/<study>`` without it.
    study, storage : str or None
        Name and address of the study; made from data and settings, and a file in the folder, without them.
    """

    settings: Settings
    trials: int
    workers: int
    out_dir: Path | None = None
    study: str | None = None
    storage: str | None = None


def run_search(
    request: SearchRequest, backend: AbstractContextManager[Any] | None = None, on_trial: OnTrial | None = None
) -> tuple[SearchOutcome, Path]:
    """Do what is left of a search, judge its best settings, and write ``search.html`` and ``best.yaml``.

    Parameters
    ----------
    request : SearchRequest
        What to search.
    backend : context manager, optional
        Configures joblib while the trials run; local processes without it.
    on_trial : callable, optional
        Told (trials done, trials in all).

    Returns
    -------
    SearchOutcome
        What came of it.
    pathlib.Path
        The folder.

    Raises
    ------
    DataError
        The bars are too short for a window of training and testing beside the holdout.
    SettingsError
        The study cannot be opened, or a dimension names no setting.
    """
    settings = request.settings
    bars = load_run_bars(settings, make_calendar(settings.market))
    part = split_holdout(bars, settings.ml.search.holdout_fraction)
    if not 0 < part.end < len(bars.frame):
        raise DataError("too few sessions to set some aside from the search; give more bars")
    name = request.study or study_name(settings, part)
    out_dir = request.out_dir or Path("runs") / "search" / name
    if not out_dir.exists():
        check_output_folder(out_dir)
    storage = request.storage or sqlite_url(out_dir / STUDY_FILE)
    place = StudyPlace(storage, name, settings.ml.search.patience_seconds)
    with backend or nullcontext():
        study = run_study(
            place, settings, part, request.trials, request.workers, on_trial or (lambda _done, _all: None)
        )
    outcome = conclude(study, settings, part)
    out_dir.mkdir(parents=True, exist_ok=True)
    best = yaml.safe_dump(dotted_values(outcome.best_values), sort_keys=False, allow_unicode=True)
    (out_dir / "best.yaml").write_text(best, encoding="utf-8")
    page = SearchPage(
        name=name,
        storage=masked(storage),
        instrument=settings.market.instrument,
        strategy=settings.strategy.name,
        source=bars.info["source"],
        synthetic=bars.info["synthetic"],
        searched=(part.frame.index[0].to_pydatetime(), part.frame.index[-1].to_pydatetime()),
        held_out=(bars.frame.index[part.end].to_pydatetime(), bars.frame.index[-1].to_pydatetime()),
        trials=[trial._asdict() for trial in outcome.trials],
        best_yaml=best,
        holdout=None if outcome.holdout is None else outcome.holdout.metrics,
        holdout_words=outcome.holdout_words,
        overfitting=None if outcome.overfitting is None else outcome.overfitting.probability,
        importance=outcome.importance,
    )
    write_search_page(page, out_dir / "search.html")
    return outcome, out_dir
