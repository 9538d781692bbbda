"""What a search may vary, and what settings a point of the space makes."""

import pytest

from feeds.errors import SettingsError
from strategies.search.space import SearchSpace
from strategies.settings import Settings, load_settings

ON = {f"features.{group}": True for group in ("trend", "momentum", "volume", "time")}


def space_of(**search):
    return SearchSpace(Settings.model_validate({"ml": {"search": search}}))


def test_a_point_sets_what_it_names_and_nothing_else():
    settings = space_of().settings_at(
        {**ON, "ml.model.depth": 2, "strategy.stop_atr": 1.5, "strategy.parameters.buy_probability": 0.6}
    )
    assert settings.ml.model.depth == 2
    assert settings.strategy.stop_atr == 1.5
    assert settings.strategy.parameters == {"buy_probability": 0.6}
    assert settings.model_copy(update={"ml": None, "strategy": None}) == Settings().model_copy(
        update={"ml": None, "strategy": None}
    )


def test_all_groups_on_leave_the_features_as_they_are():
    assert space_of().settings_at(ON).ml.features == Settings().ml.features


def test_a_group_that_is_off_takes_its_features_along_and_others_stay():
    features = space_of().settings_at(ON | {"features.trend": False, "features.time": False}).ml.features
    assert features == ("vwap_distance", "atr_14_percent", "rsi_14", "return_zscore", "volume_ratio_20")


def test_a_group_may_bring_features_that_are_not_in_use():
    space = space_of(feature_groups={"more": ["open_interest_change"]})
    assert space.settings_at({"features.more": True}).ml.features[-1] == "open_interest_change"
    assert space.settings_at({"features.more": False}).ml.features == Settings().ml.features


def test_a_strategy_without_a_model_leaves_models_out():
    settings = load_settings(
        None,
        ["strategy.name=ema_cross", "ml.search.space={strategy.stop_atr: [1, 2], ml.model.depth: [2, 3]}"],
    )
    assert SearchSpace(settings).names == ("strategy.stop_atr",)


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ({"space": {"broker.latency_ms": [0, 1]}}, "costs, limits, bars and splits"),
        ({"space": {"ml.split.train_months": [1, 2]}}, "costs, limits, bars and splits"),
        ({"space": {"strategy.name": ["ml", "ema_cross"]}}, "expected settings below"),
        ({"space": {"ml.model.dept": [1, 2]}}, r"unknown setting 'ml.model.dept'.*depth"),
        ({"space": {"ml.model.depth": {"low": 2, "high": 13}}}, "ml.model.depth is 13"),
        ({"space": {"strategy.parameters.buy": [0.5]}}, "strategy.parameters.buy"),
        ({"space": {"ml.model.depth": []}}, "empty list"),
        ({"space": {}, "feature_groups": {}}, "holds nothing"),
        ({"feature_groups": {"all": list(Settings().ml.features)}}, "one that always stays"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused_before_any_trial(search, words):
    with pytest.raises(SettingsError, match=words):
        space_of(**search)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{low: 3, high: 3}", "low below high"),
        ("{low: 0, high: 3, log: true}", "low above 0"),
        ("{low: 1, high: 3, log: true, step: 1}", "no step"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(entry, words):
    with pytest.raises(SettingsError, match=words):
        load_settings(None, [f"ml.search.space={{ml.model.depth: {entry}}}"])


def test_ends_that_go_together_only_with_each_other_are_allowed():
    settings = load_settings(
        None,
        [
            "strategy.name=ema_cross",
            "ml.search.space={strategy.parameters.fast_bars: {low: 20, high: 30}, "
            "strategy.parameters.slow_bars: {low: 40, high: 60}}",
        ],
    )
    assert len(SearchSpace(settings).names) == 2


def test_an_address_with_a_password_is_refused_and_not_quoted(tmp_path):
    """Settings are written to summaries, logs and other processes' files."""
    file = tmp_path / "settings.yaml"
    file.write_text("ml: {search: {storage: 'postgresql+psycopg://u:hunter2@h/db'}}\n")
    with pytest.raises(SettingsError, match="MUHURAT_STUDY_STORAGE") as refused:
        load_settings(file)
    assert "hunter2" not in str(refused.value)
    assert load_settings(None, ["ml.search.storage=postgresql+psycopg://u@h:5432/db"]).ml.search.storage
