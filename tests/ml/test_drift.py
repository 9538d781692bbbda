"""Drift: what the index is, what counts as usual, and how often the check is wrong."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.bars import aggregate
from feeds.calendar import TradingCalendar
from feeds.settings import SyntheticSettings
from feeds.sources.synthetic import make_bars
from ml.card import ModelCard, training_card
from ml.drift import ALARM_INDEX, MOVED_MARGIN, MOVING_MARGIN, WARNING_INDEX, check_drift
from ml.drift_reference import (
    DRIFT_SESSIONS,
    DriftReference,
    SeriesReference,
    drift_reference,
    reference_of,
)
from ml.factory import train
from ml.features import FeatureSet
from ml.settings import MlSettings
from tests.ml.bars import random_bars
from tests.ml.test_registry import TIME
from tests.ml.test_train import SETTINGS

CALENDAR = TradingCalendar()
HALVES = {"edges": (0.5,), "shares": (0.5, 0.5, 0.0)}
ROWS = 40


def reference(usual=0.0, series=4):
    names = "abcdefgh"[:series]
    return DriftReference(series={name: SeriesReference(**HALVES, usual_index=usual) for name in names})


def sessions_of(**above):
    """Sessions in which so many of 200 values of a series lie above the edge."""
    columns = {name: np.repeat([1.0, 0.0], [high, 200 - high]) for name, high in above.items()}
    return [{name: values[day::DRIFT_SESSIONS] for name, values in columns.items()} for day in range(5)]


def index_of(high):
    share = high / 200
    return (share - 0.5) * math.log(share / 0.5) + (0.5 - share) * math.log((1 - share) / 0.5)


def least_above(bound):
    return next(high for high in range(100, 200) if index_of(high) >= bound)


def test_the_index_is_the_textbook_formula():
    found = check_drift(reference(usual=9.0, series=1), sessions_of(a=140))
    # (0.7 − 0.5) ln(0.7 / 0.5) + (0.3 − 0.5) ln(0.3 / 0.5), within what half a row of unknowns adds
    assert found.psi["a"] == pytest.approx(0.2 * math.log(1.4) - 0.2 * math.log(0.6), abs=1e-12)


def test_an_empty_bin_counts_as_half_a_row():
    found = check_drift(reference(usual=99.0, series=1), sessions_of(a=200))
    assert found.psi["a"] == pytest.approx(0.5 * math.log(2) + (0.0025 - 0.5) * math.log(0.0025 / 0.5))


W, A = least_above(WARNING_INDEX), least_above(ALARM_INDEX)


@pytest.mark.parametrize(
    ("above", "level"),
    [
        ({"a": 100, "b": 100, "c": 100, "d": 100}, "ok"),
        ({"a": W - 1, "b": W - 1, "c": W - 1, "d": W - 1}, "ok"),
        ({"a": W, "b": 100, "c": 100, "d": 100}, "warning"),  # a quarter begins to
        ({"a": A - 1, "b": 100, "c": 100, "d": 100}, "warning"),
        ({"a": A, "b": 100, "c": 100, "d": 100}, "alarm"),  # a quarter has moved
        ({"a": W, **dict.fromkeys("bcdefgh", 100)}, "ok"),  # one of eight begins to
        ({"a": A, **dict.fromkeys("bcdefgh", 100)}, "warning"),  # one of eight has moved
        ({"a": A, "b": A, **dict.fromkeys("cdefgh", 100)}, "alarm"),
        ({"a": A, "b": A - 1, **dict.fromkeys("cdefgh", 100)}, "warning"),
    ],
)
def test_levels_at_their_bounds(above, level):
    assert check_drift(reference(series=len(above)), sessions_of(**above)).level == level


@pytest.mark.parametrize(
    ("usual", "level"),
    [
        (index_of(190) / MOVING_MARGIN * 1.001, "ok"),
        (index_of(190) / MOVING_MARGIN, "warning"),
        (index_of(190) / MOVED_MARGIN * 1.001, "warning"),
        (index_of(190) / MOVED_MARGIN, "alarm"),
    ],
)
def test_what_was_usual_in_training_is_no_drift(usual, level):
    assert check_drift(reference(usual=usual - 1e-12, series=1), sessions_of(a=190)).level == level


def test_words_name_what_moved_most_first():
    found = check_drift(reference(series=5), sessions_of(a=150, b=190, c=160, d=170, e=100))
    assert found.words.startswith("4 of 5 series beyond what is usual: b ")
    assert [word for word in found.words.replace(",", "").split() if word in "abcde"] == ["b", "d", "c"]
    assert found.words.endswith(" and 1 more")


def unknown_cases():
    day = {"a": np.zeros(ROWS)}
    five = [day] * 5
    return {
        "no reference": (None, five, "holds no statistics"),
        "too short a training": (DriftReference(series={}), five, "fewer than 20 sessions"),
        "no session": (reference(series=1), [], "0 of 5 sessions"),
        "four sessions": (reference(series=1), five[:4], "4 of 5 sessions"),
        "other features": (reference(series=1), [{"z": np.zeros(ROWS)}] * 5, "none of the model's"),
        "a session without bars": (reference(series=1), [*five[:4], {"a": np.zeros(9)}], "holds 9 bars"),
    }


@pytest.mark.parametrize("case", unknown_cases())
def test_what_cannot_be_compared_is_unknown_and_never_fine(case):
    known, sessions, words = unknown_cases()[case]
    found = check_drift(known, sessions)
    assert (found.level, found.psi) == ("unknown", {})
    assert words in found.words


def test_the_least_of_everything_is_compared():
    assert check_drift(reference(series=1), [{"a": np.zeros(10)}] * 5).level == "alarm"


def test_only_the_last_sessions_and_the_series_that_all_have_count():
    whole = [{**day, "b": day["a"]} for day in sessions_of(a=100)]
    older = {"a": np.full(40, 1.0)}
    lacking = [{"a": day["a"]} for day in whole[:1]] + whole[1:]
    assert check_drift(reference(series=2), [older, *whole]).psi.keys() == {"a", "b"}
    assert check_drift(reference(series=2), [older, *whole]).level == "ok"
    assert check_drift(reference(series=2), lacking).psi.keys() == {"a"}


finite = st.floats(-1e6, 1e6)
values = st.lists(st.one_of(finite, st.just(math.nan)), min_size=10, max_size=30)


@settings(max_examples=30)
@given(st.lists(values, min_size=20, max_size=24), st.lists(values, min_size=5, max_size=5))
def test_a_reference_is_a_distribution_and_an_index_is_a_number(training, recent):
    numbers = np.repeat(np.arange(len(training)), [len(day) for day in training])
    found = reference_of(np.concatenate(training), numbers)
    if found is None:
        assert not np.isfinite(np.concatenate(training)).any()
        return
    assert sum(found.shares) == pytest.approx(1.0)
    assert len(found.shares) == len(found.edges) + 2
    assert list(found.edges) == sorted(set(found.edges))
    assert SeriesReference.model_validate_json(found.model_dump_json()) == found
    psi = check_drift(DriftReference(series={"a": found}), [{"a": day} for day in recent]).psi["a"]
    assert 0.0 <= psi < 50.0
    # Any five sessions in a row of the reference itself are usual
    for first in range(len(training) - 4):
        own = [{"a": day} for day in training[first : first + 5]]
        assert check_drift(DriftReference(series={"a": found}), own).psi["a"] <= found.usual_index + 1e-12


@pytest.mark.parametrize(("sessions", "is_known"), [(19, False), (20, True), (21, True)])
def test_a_reference_takes_so_many_sessions(sessions, is_known):
    numbers = np.repeat(np.arange(sessions), 5)
    assert (reference_of(np.arange(5.0 * sessions), numbers) is not None) is is_known


# -- the distance, and one session alone ---------------------------------------------------------------------


def steady(sessions=40, rows=100, seed=3):
    """Sessions that are alike: the same hundred values in another order, a little noise."""
    generator = np.random.default_rng(seed)
    days = [generator.permutation(np.arange(rows)) + generator.uniform(0, 1, rows) for _ in range(sessions)]
    return np.concatenate(days), np.repeat(np.arange(sessions), rows)


@pytest.fixture(scope="module")
def alike():
    return DriftReference(series={"a": reference_of(*steady())})


def days_of(days):
    return [{"a": np.asarray(day, dtype=float)} for day in days]


def test_the_distance_is_that_of_the_distribution_functions(alike):
    half = np.concatenate([np.arange(50.0), np.arange(50.0)])  # nothing above the median
    found = check_drift(alike, days_of([half] * 5))
    assert found.series["a"].ks == pytest.approx(0.5, abs=0.02)  # the grid has 50 steps
    assert found.series["a"].usual_ks < 0.05
    assert found.level == "alarm"


@pytest.mark.parametrize(
    ("day", "level"),
    [
        (np.arange(100.0), "unknown"),  # as ever: but one session is not enough to say so
        (np.arange(100.0) + 5, "warning"),
        (np.arange(100.0) * 3, "warning"),
        (np.full(100, 50.0), "warning"),
        (np.full(100, np.nan), "warning"),
    ],
)
def test_one_session_raises_the_level_and_never_says_that_all_is_well(day, level):
    series = {"a": reference_of(*steady())} | {
        name: reference_of(*steady(seed=seed)) for seed, name in enumerate("bcdefgh", 10)
    }
    others = dict.fromkeys("bcdefgh", np.arange(100.0))
    assert check_drift(DriftReference(series=series), [{"a": day, **others}]).level == level


@pytest.mark.parametrize(("rows", "level"), [(49, "unknown"), (50, "alarm"), (51, "alarm")])
def test_a_short_session_is_not_judged_alone(alike, rows, level):
    assert check_drift(alike, [{"a": np.full(rows, 7.0)}]).level == level


def test_words_of_a_break_say_that_it_was_the_last_session(alike):
    days = days_of([np.arange(100.0)] * 4 + [np.full(100, 50.0)])
    found = check_drift(alike, days)
    assert "in the last session alone 1 of 1 series beyond: a" in found.words
    assert found.series["a"].move == "moved"


def test_a_card_of_an_older_version_is_compared_by_index_alone(alike):
    old = alike.series["a"].model_dump(exclude={"grid", "below", "together", "session"})
    reference = DriftReference(series={"a": SeriesReference.model_validate(old)})
    found = check_drift(reference, days_of([np.arange(100.0)] * 5))
    assert found.level == "ok"
    assert (found.series["a"].ks, found.series["a"].session_psi) == (None, None)
    assert check_drift(reference, days_of([np.full(100, 50.0)] * 5)).level == "alarm"


# -- the card ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def frame():
    return random_bars(days=120, seed=21, edge=4e-3)


@pytest.fixture(scope="module")
def card(frame):
    return training_card(
        train(frame, SETTINGS, "chronological"), SETTINGS, frame, instrument="NIFTY", bar_minutes=3,
        source="made up", sha256="0" * 64, trials=1, created_at=TIME,
    )  # fmt: skip


def test_a_trained_model_knows_what_it_was_trained_on(frame, card):
    assert ModelCard.model_validate_json(card.model_dump_json()) == card
    assert set(card.drift.series) == {*SETTINGS.features, "p_sell", "p_buy"}
    column = FeatureSet(SETTINGS.features).compute(frame)[:, SETTINGS.features.index("rsi_14")]
    learned = column[(frame.index <= card.trained_until) & np.isfinite(column)]
    assert card.drift.series["rsi_14"].edges[4] == pytest.approx(np.median(learned), abs=0.1)
    assert card.drift.series["rsi_14"].shares[-1] == 0.0  # the warm-up is left out


def test_the_calendar_is_not_compared():
    names = ("rsi_14", "weekday_sin", "hour_cos")
    days = np.repeat(np.arange(30), 10)
    matrix = np.random.default_rng(1).standard_normal((300, 3))
    found = drift_reference(names, matrix, np.full((300, 3), np.nan), days, np.full(300, True))
    assert set(found.series) == {"rsi_14"}


def test_a_card_of_an_older_version_is_read_and_its_drift_unknown(card):
    old = ModelCard.model_validate_json(card.model_dump_json(exclude={"drift"}))
    assert old.drift is None
    assert check_drift(old.drift, [{"rsi_14": np.zeros(ROWS)}] * 5).level == "unknown"


# -- how often it is wrong ---------------------------------------------------------------------------------

FEATURES = FeatureSet(MlSettings().features)
TRAINED_SESSIONS, LATER_SESSIONS = 200, 50


def weeks_of(seed, change=lambda matrix: matrix):
    """Return the reference of synthetic sessions, and the weeks after them."""
    synthetic = SyntheticSettings(sessions=TRAINED_SESSIONS + LATER_SESSIONS, seed=seed)
    frame = aggregate(make_bars(synthetic, CALENDAR), 3, CALENDAR)
    matrix = FEATURES.compute(frame)
    dates = pd.DatetimeIndex(frame.index).tz_localize(None).normalize()
    _, session = np.unique(dates, return_inverse=True)
    unasked = np.full((len(frame), 3), np.nan)
    found = drift_reference(FEATURES.names, matrix, unasked, session, session < TRAINED_SESSIONS)
    later = change(matrix.copy())
    days = [
        dict(zip(FEATURES.names, later[session == number].T, strict=True))
        for number in range(TRAINED_SESSIONS, TRAINED_SESSIONS + LATER_SESSIONS)
    ]
    return found, [days[first : first + 5] for first in range(0, LATER_SESSIONS, 5)]


def levels(change=lambda matrix: matrix):
    told = Counter()
    for seed in range(900, 912):
        found, weeks = weeks_of(seed, change)
        told.update(check_drift(found, week).level for week in weeks)
    return told


def test_a_market_that_has_not_changed_seldom_drifts():
    """docs/operation.md has the rates of many more; a hundred and twenty weeks see that they hold roughly."""
    told = levels()
    assert told.total() == 120
    assert told["alarm"] <= 6
    assert told["alarm"] + told["warning"] <= 14


@pytest.mark.parametrize("broken", [0.0, math.nan])
def test_one_broken_feature_is_always_seen(broken):
    def broken_feature(matrix):
        matrix[:, FEATURES.names.index("rsi_14")] = broken
        return matrix

    told = levels(broken_feature)
    assert told["ok"] == told["unknown"] == 0


def test_sixty_sessions_of_the_same_market_raise_the_level_at_most_once_in_most_cases():
    """docs/operation.md has the rates of many more."""
    rises = []
    for seed in range(1000, 1006):
        found, weeks = weeks_of(seed)
        days = [day for week in weeks for day in week]
        before, count = "ok", 0
        for last in range(5, len(days) + 1):
            now = check_drift(found, days[:last]).level
            count += now in ("warning", "alarm") and before not in ("warning", "alarm")
            before = now
        rises.append(count)
    assert sum(count <= 1 for count in rises) >= 5
    assert max(rises) <= 3


def test_features_shifted_by_half_their_spread_are_seen_in_one_session():
    def shifted(matrix):
        low, high = np.nanquantile(matrix, (0.25, 0.75), axis=0)
        return matrix + (high - low) / 2

    for seed in (900, 901, 902):
        found, weeks = weeks_of(seed, shifted)
        days = [day for week in weeks for day in week if len(day["rsi_14"]) > 60]
        assert {check_drift(found, [day]).level for day in days} <= {"warning", "alarm"}
