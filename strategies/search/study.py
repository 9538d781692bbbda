"""The trials of a study: proposed in batches, finished once, taken over from a process that was killed.

What is proposed hangs on the finished trials and on the trial's rank among those that did not fail, never on
the clock, the number of workers or the number of runs: a study that one process at a time works on comes out
the same however often it was killed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from feeds.clock import WallClock
from feeds.errors import SettingsError
from strategies.search.objective import Judged
from strategies.search.space import SearchSpace, Values

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

__all__ = ["FinishedTrial", "Proposal", "SearchStudy"]

_OWNER, _RESULT, _DEFINITION, _HOLDOUTS = "owner", "result", "definition", "holdouts"
_NAMELESS_SECONDS = 60
_ELSEWHERE_SECONDS = 86_400


class Proposal(NamedTuple):
    """A trial that this process is to judge.

    Attributes
    ----------
    number : int
        In the study.
    values : mapping
        One for each name of the space.
    """

    number: int
    values: Values


class FinishedTrial(NamedTuple):
    """A trial that was judged.

    Attributes
    ----------
    number : int
        In the study.
    values : mapping
        What was tried.
    objective : float or None
        None where it could not be judged; ``judged.error`` says why.
    judged : Judged
        What came of it.
    identity : str
        Of the trial in the list of all trials.
    """

    number: int
    values: Values
    objective: float | None
    judged: Judged
    identity: str


class SearchStudy:
    """A study of a search.

    Parameters
    ----------
    study : optuna.Study
        Open.
    space : SearchSpace
        What is drawn from.
    definition : str
        Hash of everything that makes trials comparable.
    seed : int
        Of what is drawn.

    Raises
    ------
    SettingsError
        The study was begun with another definition.
    """

    def __init__(self, study: Study, space: SearchSpace, definition: str, seed: int) -> None:
        self._study = study
        self._space = space
        self._seed = seed
        self._asked: dict[int, Trial] = {}
        found = study.user_attrs.get(_DEFINITION)
        if found is None:
            study.set_user_attr(_DEFINITION, definition)
        elif found != definition:
            raise SettingsError(
                f"study {study.study_name} was begun with other bars, settings or space (found {found[:12]}, "
                f"expected {definition[:12]}); choose another --study, or leave it out"
            )

    def take_over(self) -> int:
        """Have the trials of processes that are gone made again, and return how many there were."""
        from optuna.trial import TrialState

        taken = 0
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if not _is_abandoned(trial):
                continue
            try:
                self._study.tell(trial.number, state=TrialState.FAIL)
            except (ValueError, RuntimeError):  # another process took it over first
                continue
            taken += 1
            if trial.params:
                self._study.enqueue_trial(dict(trial.params))
        return taken

    def propose(self, total: int, batch: int) -> list[Proposal]:
        """Return the trials to judge next, at most ``batch``; none where ``total`` are under way or done."""
        proposals: list[Proposal] = []
        while (found := self._ask(total)) is not None:
            rank, proposal = found
            proposals.append(proposal)
            # Batches begin at the same ranks, whoever was killed in between
            if rank % batch == batch - 1:
                break
        return proposals

    def finish(self, proposal: Proposal, judged: Judged, objective: float, identity: str) -> None:
        """Write what came of a trial; one that could not be judged counts as tried and worst."""
        from optuna.trial import TrialState

        self._asked.pop(proposal.number).set_user_attr(_RESULT, {**judged._asdict(), "identity": identity})
        if judged.error:
            self._study.tell(proposal.number, state=TrialState.PRUNED)
        else:
            self._study.tell(proposal.number, objective)

    def finished(self) -> list[FinishedTrial]:
        """Return every judged trial in the order of their numbers."""
        from optuna.trial import TrialState

        states = (TrialState.COMPLETE, TrialState.PRUNED)
        return [_finished(trial) for trial in self._study.get_trials(deepcopy=False, states=states)]

    def under_way(self) -> int:
        """Return how many trials are being judged, in whatever process."""
        from optuna.trial import TrialState

        states = (TrialState.RUNNING, TrialState.WAITING)
        return len(self._study.get_trials(deepcopy=False, states=states))

    def holdout(self, identity: str, look: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any], int]:
        """Return what the holdout said of a trial, looking only once, and how many trials it was asked of."""
        looks = dict(self._study.user_attrs.get(_HOLDOUTS, {}))
        if identity not in looks:
            looks[identity] = look()
            self._study.set_user_attr(_HOLDOUTS, looks)
        return looks[identity], len(looks)

    def _ask(self, total: int) -> tuple[int, Proposal] | None:
        from optuna.samplers import TPESampler
        from optuna.trial import TrialState

        trials = self._study.get_trials(deepcopy=False)
        waiting = sum(trial.state == TrialState.WAITING for trial in trials)
        if not waiting and sum(trial.state != TrialState.FAIL for trial in trials) >= total:
            return None
        trial = self._study.ask()
        trial.set_user_attr(_OWNER, _owner())
        trials = self._study.get_trials(deepcopy=False)
        rank = sum(other.state != TrialState.FAIL and other.number < trial.number for other in trials)
        if rank >= total:  # two processes asked for the last one
            self._study.tell(trial, state=TrialState.FAIL)
            return None
        self._study.sampler = TPESampler(seed=self._seed + rank)
        self._asked[trial.number] = trial
        return rank, Proposal(trial.number, self._space.draw(trial))


def _owner() -> list[str | int]:
    return [os.uname().nodename, os.getpid()]


def _is_abandoned(trial: FrozenTrial) -> bool:
    """Whether nobody works on a running trial any more."""
    started = trial.datetime_start
    age = (WallClock().now() - started.astimezone()).total_seconds() if started else float("inf")
    owner = trial.user_attrs.get(_OWNER)
    if owner is None:
        return age > _NAMELESS_SECONDS
    machine, process = owner
    if machine != os.uname().nodename:
        return age > _ELSEWHERE_SECONDS
    return process == os.getpid() or not _lives(process)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _finished(trial: FrozenTrial) -> FinishedTrial:
    result = dict(trial.user_attrs[_RESULT])
    identity = result.pop("identity")
    return FinishedTrial(trial.number, dict(trial.params), trial.value, Judged(**result), identity)
