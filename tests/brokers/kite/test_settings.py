from __future__ import annotations

import pytest
from pydantic import ValidationError

from brokers.command_settings import read_settings
from brokers.kite.settings import KiteSettings
from feeds.errors import SettingsError


def test_the_defaults_are_zerodhas():
    settings = KiteSettings()
    assert settings.api_root == "https://api.kite.trade"
    assert (settings.product, settings.market_protection, settings.stop_order) == ("MIS", -1, "SL")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_root", "http://api.kite.trade"),
        ("api_root", "https://"),
        ("api_root", "https://host/?a=1"),
        ("api_root", "wss://host"),
        ("ticker_root", "ws://ws.kite.trade"),
        ("ticker_root", "https://host"),
        ("login_page", "ftp://host"),
        ("market_protection", 0),
        ("market_protection", -2),
        ("market_protection", 101),
        ("market_protection", True),
        ("product", "CNC"),
        ("stop_order", "MARKET"),
        ("stop_limit_percent", -1),
        ("timeout_seconds", 0),
        ("watchdog_seconds", 0),
        ("callback_port", 70_000),
        ("token_file", ""),
    ],
)
def test_wrong_values_are_refused(name, value):
    with pytest.raises(ValidationError, match=name):
        KiteSettings.model_validate({name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_root", "http://127.0.0.1:8000"),
        ("api_root", "http://localhost:8000/oms"),
        ("ticker_root", "ws://[::1]:8000"),
        ("market_protection", 2.5),
    ],
)
def test_right_values_are_taken(name, value):
    assert getattr(KiteSettings.model_validate({name: value}), name) == value


def test_a_slash_at_the_end_makes_no_difference():
    assert KiteSettings(api_root="https://host/oms/").api_root == "https://host/oms"


def test_the_commands_read_a_file_and_overrides(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text("broker:\n  kite: {callback_port: 1}\nml: {anything: 1}\n")
    settings = read_settings(file, ["broker.kite.timeout_seconds=3", "market.instrument=BANKNIFTY"])
    assert settings.broker.kite.callback_port == 1
    assert settings.broker.kite.timeout_seconds == 3
    assert settings.market.instrument == "BANKNIFTY"
    assert read_settings(None).broker.kite == KiteSettings()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("broker.kite.callback_prt=1", "did you mean 'callback_port'"),
        ("broker.kite.timeout_seconds=0", "above 0"),
        ("ml.kind=x", "sections market or broker"),
        ("nonsense", "sections market or broker"),
        ("broker.starting_cash.x=1", "starting_cash"),
    ],
)
def test_wrong_overrides(override, words):
    with pytest.raises(SettingsError, match=words):
        read_settings(None, [override])
