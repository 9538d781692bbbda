"""Do live bars still look like those the model learned from? By series: two measures, over two spans.

The population stability index compares the shares of values that fall between the deciles of the reference:
sum over bins of (live share − reference share) × ln(live share / reference share). Credit scoring calls less
than 0.1 stable and 0.25 or more shifted. The distance of Kolmogorov and Smirnov is the greatest difference
of the two distribution functions. Both conventions are for samples that are independent of each other. Bars
are not: a calm week lies in two deciles of the ATR, and no market has changed. So a series counts only where
it also passes the greatest value that as many sessions in a row ever had within the reference itself.

The last :data:`DRIFT_SESSIONS` sessions together show what moves slowly. The last one alone shows within a
day what breaks, and has to lie farther out for it, as one day differs more from the whole than a week does.
How often either is wrong was measured; ``docs/operation.md`` has the figures.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from ml.arrays import FloatArray
from ml.drift_reference import (
    DRIFT_SESSIONS,
    LEAST_REFERENCE_SESSIONS,
    SHORT_SPAN,
    DriftReference,
    SeriesReference,
    Usual,
    counts_in,
    distance,
    index_of,
)

__all__ = ["Drift", "DriftLevel", "SeriesDrift", "check_drift", "worse"]

DriftLevel = Literal["ok", "warning", "alarm", "unknown"]

WARNING_INDEX, ALARM_INDEX = 0.1, 0.25
WARNING_DISTANCE, ALARM_DISTANCE = 0.1, 0.2
MOVING_MARGIN, MOVED_MARGIN = 1.5, 1.75
"""Times the usual that a series must reach to count as moving, and as moved."""
MOVED_DEVIATIONS = 5.0
"""Standard deviations of centre or scatter from the usual that count as moved."""
ALARM_SHARE = 0.25
"""Share of the series that it takes for an alarm. Fewer are a warning: one may be a broken feature."""

_LEAST_ROWS_A_SESSION = 10  # a Muhurat session of 3-minute bars has 20
_NAMED_SERIES = 3
_ORDER: dict[DriftLevel, int] = {"ok": 0, "unknown": 1, "warning": 2, "alarm": 3}

Session = Mapping[str, Sequence[float] | FloatArray]
Move = Literal["", "moving", "moved"]


class SeriesDrift(NamedTuple):
    """One series.

    Attributes
    ----------
    psi, usual_psi : float
        Population stability index over the sessions compared, and what was usual; of one session where fewer
        than :data:`DRIFT_SESSIONS` are recorded.
    ks, usual_ks : float or None
        The same for the distance; None where the card is of an older version.
    session_psi, session_ks : float or None
        Of the last session alone; None where it cannot be judged.
    move : {'', 'moving', 'moved'}
        What it counts as.
    """

    psi: float
    usual_psi: float
    ks: float | None
    usual_ks: float | None
    session_psi: float | None
    session_ks: float | None
    move: Move


class Drift(NamedTuple):
    """What a check found.

    Attributes
    ----------
    level : {'ok', 'warning', 'alarm', 'unknown'}
        ``alarm``: a quarter of the series has moved far; ``warning``: one has, or a quarter begins to.
    words : str
        The same in a sentence.
    psi : dict of str to float
        Population stability index by series; empty where nothing could be compared.
    series : dict of str to SeriesDrift
        All that is known of each.
    """

    level: DriftLevel
    words: str
    psi: dict[str, float]
    series: dict[str, SeriesDrift] = {}  # noqa: RUF012 # never changed


class _Found(NamedTuple):
    """One series over one span."""

    psi: float
    ks: float | None
    move: Move


def worse(levels: Iterable[DriftLevel]) -> DriftLevel:
    """Return the worst of levels; not to know is worse than to know that all is well."""
    return max(levels, key=_ORDER.__getitem__)


def check_drift(reference: DriftReference | None, sessions: Sequence[Session]) -> Drift:
    """Compare recorded sessions with a reference.

    Parameters
    ----------
    reference : DriftReference or None
        From the model's card; None for a card that has none.
    sessions : sequence of mapping
        One for each recorded session, oldest first: values of its bars by series, NaN where not known. The
        last :data:`DRIFT_SESSIONS` count, and the last of them once more alone. A series that one of them
        lacks is not compared.
    """
    if reference is None:
        return _unknown("the model's card holds no statistics of its training bars; train it again")
    if not reference.series:
        return _unknown(f"the model was trained on fewer than {LEAST_REFERENCE_SESSIONS} sessions")
    recent = sessions[-DRIFT_SESSIONS:]
    if not recent:
        return _unknown(f"0 of {DRIFT_SESSIONS} sessions are recorded")
    shared = [name for name in reference.series if all(name in session for session in recent)]
    if not shared:
        return _unknown("the recorded sessions hold none of the model's features")
    short = min(len(session[name]) for session in recent for name in shared)
    if short < _LEAST_ROWS_A_SESSION:
        return _unknown(f"a recorded session holds {short} bars, expected at least {_LEAST_ROWS_A_SESSION}")
    known = {name: reference.series[name] for name in shared}
    alone = {
        name: _measure(one, values, one.session)
        for name, one in known.items()
        if one.session is not None
        and len(values := _values(recent[-1:], name)) >= SHORT_SPAN * one.session.bars
    }
    if len(recent) < DRIFT_SESSIONS:
        return _of_few(alone, known, len(recent))
    together = {name: _measure(one, _values(recent, name), one.together) for name, one in known.items()}
    return _of_both(together, alone, known)


def _of_both(
    together: Mapping[str, _Found], alone: Mapping[str, _Found], known: Mapping[str, SeriesReference]
) -> Drift:
    level, day_level = _level(together), _level(alone)
    words = _words(together, "beyond what is usual")
    if _ORDER[day_level] > _ORDER["unknown"]:
        words = f"{words}; in the last session alone {_words(alone, 'beyond')}"
    series = {name: _joined(found, alone.get(name), known[name]) for name, found in together.items()}
    return Drift(worse((level, day_level)), words, {name: one.psi for name, one in together.items()}, series)


def _of_few(alone: Mapping[str, _Found], known: Mapping[str, SeriesReference], sessions: int) -> Drift:
    """Judge the last session where there are too few; alone it never says that all is well."""
    recorded = f"{sessions} of {DRIFT_SESSIONS} sessions are recorded"
    level = _level(alone)
    if level == "ok":
        return _unknown(recorded)
    series = {name: _joined(None, found, known[name]) for name, found in alone.items()}
    words = f"in the last session alone {_words(alone, 'beyond what is usual')}; {recorded}"
    return Drift(level, words, {name: one.psi for name, one in alone.items()}, series)


def _measure(reference: SeriesReference, values: FloatArray, usual: Usual | None) -> _Found:
    """Measure one series over one span; a card of an older version knows of the index alone."""
    psi = index_of(counts_in(values, np.array(reference.edges)), np.array(reference.shares))
    if usual is None:
        return _Found(psi, None, _move(psi, reference.usual_index, 0.0, 0.0))
    ks = distance(counts_in(values, np.array(reference.grid)), np.array(reference.below))
    stands_still = usual.values > 1 and len(np.unique(values)) == 1
    if stands_still or usual.outlying(values) >= MOVED_DEVIATIONS:
        return _Found(psi, ks, "moved")
    return _Found(psi, ks, _move(psi, usual.index, ks, usual.distance))


def _move(psi: float, usual_psi: float, ks: float, usual_ks: float) -> Move:
    if psi >= max(ALARM_INDEX, MOVED_MARGIN * usual_psi) or ks >= max(
        ALARM_DISTANCE, MOVED_MARGIN * usual_ks
    ):
        return "moved"
    if psi >= max(WARNING_INDEX, MOVING_MARGIN * usual_psi):
        return "moving"
    return "moving" if ks >= max(WARNING_DISTANCE, MOVING_MARGIN * usual_ks) else ""


def _level(found: Mapping[str, _Found]) -> DriftLevel:
    if not found:
        return "ok"
    moved = sum(one.move == "moved" for one in found.values())
    moving = sum(bool(one.move) for one in found.values())
    enough = math.ceil(ALARM_SHARE * len(found))
    if moved >= enough:
        return "alarm"
    return "warning" if moved or moving >= enough else "ok"


def _words(found: Mapping[str, _Found], beyond: str) -> str:
    moving = sorted((name for name in found if found[name].move), key=lambda name: -found[name].psi)
    named = ", ".join(f"{name} {found[name].psi:.2f}" for name in moving[:_NAMED_SERIES])
    more = f" and {len(moving) - _NAMED_SERIES} more" if len(moving) > _NAMED_SERIES else ""
    words = f"{len(moving)} of {len(found)} series {beyond}"
    return f"{words}: {named}{more}" if named else words


def _joined(together: _Found | None, alone: _Found | None, reference: SeriesReference) -> SeriesDrift:
    """Put both spans of a series side by side; the first columns are the longer one's, where there is one."""
    found = [one for one in (together, alone) if one is not None]
    moves = {one.move for one in found}
    usual = reference.session if together is None else reference.together
    return SeriesDrift(
        psi=found[0].psi,
        usual_psi=reference.usual_index if usual is None else usual.index,
        ks=found[0].ks,
        usual_ks=None if usual is None else usual.distance,
        session_psi=None if alone is None else alone.psi,
        session_ks=None if alone is None else alone.ks,
        move="moved" if "moved" in moves else "moving" if "moving" in moves else "",
    )


def _values(sessions: Sequence[Session], name: str) -> FloatArray:
    return np.concatenate([np.asarray(session[name], dtype=np.float64) for session in sessions])


def _unknown(words: str) -> Drift:
    return Drift("unknown", f"not known: {words}", {})
