from __future__ import annotations

import datetime as dt

import pytest
from pydantic import ValidationError

from feeds.errors import SettingsError
from feeds.settings import DataSettings, MarketSettings, SyntheticSettings, make_calendar


def test_defaults():
    market, data = MarketSettings(), DataSettings()
    assert (market.instrument, market.lot_size, market.tick_size, market.margin_percent) == (
        "NIFTY",
        "dated",
        "dated",
        "dated",
    )
    assert (data.source, data.bar_minutes, data.calendar_mismatch) == ("synthetic", 3, "error")
    assert data.synthetic.edge == "none"


@pytest.mark.parametrize("section", [MarketSettings, DataSettings, SyntheticSettings])
def test_every_field_is_described_and_no_other_is_known(section):
    assert all(field.description for field in section.model_fields.values())
    with pytest.raises(ValidationError, match="Extra inputs"):
        section.model_validate({"lotsize": 1})


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        (MarketSettings, "lot_size", 0),
        (MarketSettings, "lot_size", "today"),
        (MarketSettings, "tick_size", -0.05),
        (MarketSettings, "margin_percent", 0),
        (MarketSettings, "instrument", "nifty/../x"),
        (DataSettings, "bar_minutes", 0),
        (DataSettings, "bar_minutes", 376),
        (DataSettings, "timezone", "India"),
        (DataSettings, "calendar_mismatch", "ignore"),
        (SyntheticSettings, "edge", "mean_reversion"),
        (SyntheticSettings, "sessions", 0),
    ],
)
def test_wrong_values_are_refused(section, name, value):
    with pytest.raises(ValidationError, match=name):
        section.model_validate({name: value})


def test_no_rounding_and_fixed_lots_can_be_asked_for():
    market = MarketSettings(lot_size=75, tick_size=0, margin_percent=12.5)
    assert (market.lot_size, market.tick_size, market.margin_percent) == (75, 0, 12.5)


def test_extra_days_reach_the_calendar():
    market = MarketSettings.model_validate(
        {"extra_sessions": {"2026-11-08": "18:00-19:00"}, "extra_holidays": ["2026-11-09"]}
    )
    calendar = make_calendar(market)
    assert calendar.next_session(dt.date(2026, 11, 6)).open.hour == 18
    assert calendar.next_session(dt.date(2026, 11, 8)).date == dt.date(2026, 11, 11)


def test_hours_that_cannot_be_read_name_the_setting():
    market = MarketSettings.model_validate({"extra_sessions": {"2026-11-08": "evening"}})
    with pytest.raises(SettingsError, match=r"market\.extra_sessions"):
        make_calendar(market)
