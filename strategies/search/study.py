"""A search as a study that outlives its process: planned trials in a database, done by any number of workers."""

from __future__ import annotations

import hashlib
import json
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import joblib

from feeds.errors import DataError, SettingsError
from strategies.search.objective import PLANNED, SearchPart, objective
from strategies.settings import Settings

__all__ = ["STUDY_FILE", "StudyPlace", "masked", "run_study", "sqlite_url", "study_name"]

STUDY_FILE = "study.sqlite"
_SCHEMES = ("sqlite", "postgresql", "postgresql+psycopg")
_LOOK_SECONDS = 1.0
_NEXT_WORKER = 100_003

OnTrial = Callable[[int, int], None]
"""Told how many trials are done, and how many there are."""


class StudyPlace:
    """Where a study is kept.

    Parameters
    ----------
    url : str
        ``sqlite:///path`` or ``postgresql://user:password@host/database``.
    name : str
        Of the study.
    patience_seconds : float
        A trial whose process gives no sign of life for so long is begun anew.

    Raises
    ------
    SettingsError
        The address is of another kind.
    """

    def __init__(self, url: str, name: str, patience_seconds: float) -> None:
        scheme = url.partition(":")[0]
        if scheme not in _SCHEMES:
            raise SettingsError(
                f"--storage {masked(url)}: expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"
            )
        self.url = url.replace("postgresql://", "postgresql+psycopg://", 1)
        self.name = name
        self.patience_seconds = patience_seconds

    def open(self, seed: int) -> Any:  # noqa: ANN401 # optuna is imported late
        """Open the study, made where it is not there yet.

        Raises
        ------
        SettingsError
            The database cannot be reached.
        """
        import optuna
        from sqlalchemy.exc import SQLAlchemyError

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        beat = max(1, int(self.patience_seconds / 4))
        with _quiet():
            try:
                storage = optuna.storages.RDBStorage(
                    self.url,
                    engine_kwargs={"connect_args": {"timeout": 60}} if self._is_sqlite else {},
                    heartbeat_interval=beat,
                    grace_period=max(2, int(self.patience_seconds)),
                    failed_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(),
                )
                return optuna.create_study(
                    study_name=self.name,
                    storage=storage,
                    load_if_exists=True,
                    direction="maximize",
                    sampler=_sampler(seed),
                )
            except SQLAlchemyError as error:
                words = str(error.__cause__ or error).splitlines()[0]
                raise SettingsError(
                    f"cannot open the study in {masked(self.url)}: {masked(words)}; check --storage"
                ) from error

    @property
    def _is_sqlite(self) -> bool:
        return self.url.startswith("sqlite")


def masked(url: str) -> str:
    """Return an address without its password."""
    password = urlsplit(url).password if "://" in url else None
    return url.replace(f":{password}@", ":***@") if password else url


def study_name(settings: Settings, part: SearchPart) -> str:
    """Return a name that stands for the data and everything that is searched over."""
    identity = {
        "bars": [part.bars.info["sha256"], part.bars.info["first"], part.bars.info["last"]],
        "settings": settings.model_dump(
            mode="json", include={"market", "data", "ml", "strategy", "broker", "risk"}
        ),
    }
    for name in ("workers", "registry"):
        identity["settings"]["ml"].pop(name)
    return f"search-{hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]}"


def run_study(
    place: StudyPlace,
    settings: Settings,
    part: SearchPart,
    trials: int,
    workers: int,
    on_trial: OnTrial = lambda _done, _all: None,
) -> Any:  # noqa: ANN401 # optuna is imported late
    """Do the trials that are left of as many, and return the study when all of them are done.

    Several processes, on one machine or on many, may run the same study at the same time: they share its
    trials. What a killed one left is begun anew once it has been silent for ``patience_seconds``.

    Parameters
    ----------
    place : StudyPlace
        Where the study is kept.
    settings : Settings
        What is searched over.
    part : SearchPart
        The bars.
    trials : int
        Of the whole study.
    workers : int
        Processes, or tasks of the joblib back end that is configured.
    on_trial : callable
        Told the progress of the whole study.
    """
    study = place.open(settings.ml.search.seed)
    _plan(study, trials)
    pause = threading.Event()
    while True:
        waiting = len(_of_state(study, "WAITING"))
        count = min(workers, max(waiting, 1))
        if count == 1:
            _work(place, settings, part, 0, on_trial)
        else:
            jobs = [joblib.delayed(_work)(place, settings, part, worker, None) for worker in range(count)]
            for _ in joblib.Parallel(n_jobs=count, return_as="generator_unordered")(jobs):
                on_trial(*_progress(study))
        _revive_stale(study)
        on_trial(*_progress(study))
        if not _of_state(study, "WAITING", "RUNNING"):
            return study
        if not _of_state(study, "WAITING"):
            pause.wait(_LOOK_SECONDS)  # another process is at the last ones


def _sampler(seed: int) -> Any:  # noqa: ANN401 # optuna is imported late
    import optuna

    return optuna.samplers.TPESampler(seed=seed, constant_liar=True)


def _plan(study: Any, trials: int) -> None:  # noqa: ANN401 # optuna is imported late
    """Put as many trials on the list as are missing, so that no number of workers makes one more."""
    missing = trials - len(_planned(study))
    for _ in range(missing):
        study.enqueue_trial({}, user_attrs={PLANNED: True})


def _work(
    place: StudyPlace, settings: Settings, part: SearchPart, worker: int, on_trial: OnTrial | None
) -> None:
    """Do trials until none is waiting."""
    study = place.open(settings.ml.search.seed)
    # Each worker draws other numbers, and so does one that goes on where another was killed
    done, _ = _progress(study)
    study.sampler = _sampler(settings.ml.search.seed + _NEXT_WORKER * worker + done)
    with _quiet():
        while _of_state(study, "WAITING"):
            study.optimize(lambda trial: objective(trial, settings, part), n_trials=1)
            if on_trial is not None:
                on_trial(*_progress(study))


def _revive_stale(study: Any) -> None:  # noqa: ANN401 # optuna is imported late
    import optuna

    with _quiet():
        optuna.storages.fail_stale_trials(study)


def _planned(study: Any) -> list[Any]:  # noqa: ANN401 # optuna is imported late
    """Return the trials that count: not those made in vain, and a dead one's second life only."""
    return [
        trial
        for trial in study.get_trials(deepcopy=False)
        if trial.user_attrs.get(PLANNED) and trial.state.name not in ("FAIL", "PRUNED")
    ]


def _of_state(study: Any, *states: str) -> list[Any]:  # noqa: ANN401 # optuna is imported late
    return [trial for trial in _planned(study) if trial.state.name in states]


def _progress(study: Any) -> tuple[int, int]:  # noqa: ANN401 # optuna is imported late
    return len(_of_state(study, "COMPLETE")), len(_planned(study))


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out Optuna's warnings that what we use of it is new."""
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def sqlite_url(path: Path) -> str:
    """Return the address of a SQLite file, whose folder is made.

    Raises
    ------
    DataError
        The folder cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot create {path.parent}: {error.strerror}; give --out elsewhere") from error
    return f"sqlite:///{path.resolve()}"
