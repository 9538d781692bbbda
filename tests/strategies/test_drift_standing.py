"""The level of the drift carried to the next session: of the same model, and never silently."""

from __future__ import annotations

import datetime as dt

import pytest

from feeds.errors import DataError
from strategies import drift_standing
from strategies.drift_standing import DRIFT_FILE, DriftStanding, read_standing, with_drift, write_standing
from strategies.live_request import LiveRequest
from strategies.settings import Settings
from tests.analyzers.alerts.support import MemoryLog

DAY = dt.date(2026, 9, 24)


def standing(level="alarm", day=DAY, model="v0001"):
    return DriftStanding(day=day, model=model, level=level, words="far")


def request_of(**on_drift):
    return LiveRequest(
        settings=Settings.model_validate({"risk": {"on_drift": on_drift}}), mode="paper", clock="wall"
    )


@pytest.fixture(autouse=True)
def champion(monkeypatch):
    monkeypatch.setattr(drift_standing, "_model_of", lambda _: "v0001")


def level_after(folder, **on_drift):
    log = MemoryLog()
    made = with_drift(request_of(**(on_drift or {"alarm": "stop"})), folder, log)
    told = [(record["level"], record["event"]) for record in log.records]
    return made.settings.risk.on_drift.level, told


@pytest.mark.parametrize("level", ["ok", "warning", "alarm", "unknown"])
def test_a_level_is_carried_over(tmp_path, level):
    write_standing(standing(level), tmp_path)
    found, told = level_after(tmp_path)
    assert found == level
    assert told == [("info" if level == "ok" else "warning", "drift_standing")]


def test_without_a_limit_it_is_carried_and_not_told(tmp_path):
    write_standing(standing(), tmp_path)
    assert level_after(tmp_path, alarm="none") == ("alarm", [])


def test_no_check_another_model_and_a_damaged_file_are_unknown_and_told(tmp_path):
    assert level_after(tmp_path) == ("unknown", [("warning", "drift_standing")])
    write_standing(standing(model="v0002"), tmp_path)
    assert level_after(tmp_path) == ("unknown", [("warning", "drift_standing")])
    (tmp_path / DRIFT_FILE).write_text('{"day": "2026')
    assert level_after(tmp_path) == ("unknown", [("warning", "drift_standing")])
    with pytest.raises(DataError, match="is damaged"):
        read_standing(tmp_path)
    write_standing(standing(), tmp_path)  # the next check mends it
    assert level_after(tmp_path)[0] == "alarm"


def test_a_day_done_again_later_does_not_replace_a_newer_check(tmp_path):
    write_standing(standing("alarm"), tmp_path)
    write_standing(standing("ok", day=DAY - dt.timedelta(days=1)), tmp_path)
    assert read_standing(tmp_path) == standing("alarm")
    write_standing(standing("ok"), tmp_path)
    assert read_standing(tmp_path) == standing("ok")


def test_a_level_that_is_older_than_the_last_session_is_told_as_such(tmp_path):
    """The check of the last session failed: what was good the day before is no news of it."""
    write_standing(standing("ok"), tmp_path)
    log = MemoryLog()
    later = DAY + dt.timedelta(days=1)
    made = with_drift(request_of(alarm="stop"), tmp_path, log, later)
    assert made.settings.risk.on_drift.level == "ok"
    (told,) = log.records
    assert (told["level"], told["day"]) == ("warning", DAY)
    assert told["reason"].startswith(f"as of {DAY}, the check of {later} failed: ")
    with_drift(request_of(alarm="stop"), tmp_path, log, DAY)
    assert log.records[-1]["level"] == "info"
