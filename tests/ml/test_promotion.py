"""Promotions are tested, logged before they happen, and taken back in one step."""

from __future__ import annotations

import datetime as dt
import resource
import signal

import numpy as np
import pytest

from feeds.errors import DataError, ModelError, ModelNotFoundError, SettingsError
from ml.models import XGBoostModel
from ml.paired_test import paired_test
from ml.promotion import PROMOTIONS_FILE, promote, promotions, roll_back
from ml.registry import ModelRegistry
from tests.ml.test_registry import card

AT = dt.datetime(2026, 9, 24, 18, 0, tzinfo=dt.UTC)
SAID = {"why": "fewer losses", "by": "asha", "at": AT}


@pytest.fixture
def registry(tmp_path):
    generator = np.random.default_rng(1)
    features = generator.standard_normal((400, 2))
    model = XGBoostModel(rounds=5, leaf_rows=10).fit(features, np.sign(features[:, 0]).astype(int))
    made = ModelRegistry(tmp_path / "models")
    for _ in range(3):
        made.save(model, card())
    return made


def a_test(edge, sessions=60, seed=1):
    generator = np.random.default_rng(seed)
    weather = generator.normal(0.0, 20_000.0, sessions)  # the same day for both
    noise = generator.normal(0.0, 1000.0, (2, sessions))
    return paired_test(weather + noise[0], weather + noise[1] + edge)


def test_the_log_says_who_when_why_from_where_to_where_and_after_which_test(registry):
    first = promote(registry, "v0001", note="the first champion", **SAID)
    test = a_test(900.0)
    second = promote(registry, "v0003", test=test, **SAID)
    back = roll_back(registry, why="denied", by="ravi", at=AT)
    assert promotions(registry) == (first, second, back)
    assert (first.before, first.after, first.by, first.why, first.at) == (
        None, "v0001", "asha", "fewer losses", AT,
    )  # fmt: skip
    assert (second.before, second.after, second.test, second.forced) == ("v0001", "v0003", test, False)
    assert (back.kind, back.before, back.after, back.why) == ("rollback", "v0003", "v0001", "denied")
    assert registry.champion == "v0001"


def test_what_cannot_be_done_is_not_in_the_log(registry):
    with pytest.raises(ModelNotFoundError):
        promote(registry, "v0009", **SAID)
    (registry.root / "v0002" / "model.ubj").write_bytes(b"")
    with pytest.raises(ModelError, match="damaged model file"):
        promote(registry, "v0002", **SAID)
    with pytest.raises(SettingsError, match="no champion before"):
        roll_back(registry, why="", by="asha", at=AT)
    assert promotions(registry) == ()
    assert registry.champion is None


def test_a_promotion_is_in_the_log_even_if_the_power_goes_before_it_is_done(registry, monkeypatch):
    def power_cut(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(registry, "promote", power_cut)
    with pytest.raises(OSError, match="Input"):
        promote(registry, "v0001", **SAID)
    (line,) = promotions(registry)
    assert (line.after, registry.champion) == ("v0001", None)


def test_no_promotion_without_its_whole_line(registry):
    """A disk that is nearly full takes a part of a line and says nothing."""
    promote(registry, "v0001", **SAID)
    path = registry.root / PROMOTIONS_FILE
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 40, limits[1]))
    try:
        with pytest.raises(OSError, match="No space left"):
            promote(registry, "v0002", **SAID)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert (path.read_bytes(), registry.champion) == (before, "v0001")


def test_a_line_that_is_none_of_ours_is_named(registry):
    promote(registry, "v0001", **SAID)
    with (registry.root / PROMOTIONS_FILE).open("a") as file:
        file.write("v0002!\n")
    with pytest.raises(ModelError, match=r"'v0002!' in line 2"):
        promotions(registry)


# -- the test ----------------------------------------------------------------------------------------------


def test_a_better_challenger_passes_and_a_worse_one_does_not():
    better, worse = a_test(900.0), a_test(-900.0)
    assert better.passes
    assert better.p_value < 0.01
    assert not worse.passes
    assert worse.p_value > 0.99
    assert better.mean_difference == pytest.approx((better.challenger_net - better.champion_net) / 60)
    assert "+900" not in worse.words()


def test_the_weather_of_the_days_cancels_out():
    """Twenty times the difference in noise that both share: unpaired, nothing could be told."""
    assert all(a_test(1000.0, seed=seed).passes for seed in range(5))


@pytest.mark.parametrize("sessions", [20, 30, 60])
def test_equal_models_pass_no_more_often_than_the_confidence_leaves(sessions):
    passed = sum(a_test(0.0, sessions, seed).passes for seed in range(400))
    assert 2 <= passed <= 28  # 20 expected at most; plain draws pass 40, 29 and 35


def test_the_same_model_twice_does_not_pass():
    same = paired_test(np.zeros(30), np.zeros(30))
    assert (same.passes, same.low, same.p_value) == (False, 0.0, 1.0)


@pytest.mark.parametrize(("champion", "challenger"), [(19, 19), (30, 29), (0, 0)])
def test_too_few_sessions_are_refused(champion, challenger):
    with pytest.raises(DataError, match="the same 20 or more"):
        paired_test(np.zeros(champion), np.zeros(challenger))


def test_twenty_sessions_are_enough():
    assert a_test(900.0, sessions=20).sessions == 20
