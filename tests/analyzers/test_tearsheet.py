from __future__ import annotations

import dataclasses
import logging
import re

import pytest

from analyzers.tearsheet import tearsheet_title, write_tearsheet
from brokers.journal import Journal
from tests.analyzers.examples import make_result

FETCHES = re.compile(
    r"""<(?:link|script|img|iframe)[^>]+(?:href|src)=["']https?:|url\(["']?https?:|@import"""
)


@pytest.mark.parametrize("sessions", [1, 30])
def test_the_page_holds_charts_and_fetches_nothing(tmp_path, sessions):
    fonts = logging.getLogger("matplotlib.font_manager")
    before = fonts.level
    write_tearsheet(make_result(sessions=sessions), tmp_path / "page.html")
    assert fonts.level == before
    page = (tmp_path / "page.html").read_text("utf-8")
    assert page.count("<svg") > 3
    assert not FETCHES.search(page)


def test_a_run_without_trades_has_a_page(tmp_path):
    write_tearsheet(make_result(journal=Journal()), tmp_path / "page.html")
    assert "NIFTY" in (tmp_path / "page.html").read_text("utf-8")


def test_an_account_without_a_day_has_a_page_that_says_so(tmp_path):
    result = make_result()
    equity = result.equity.assign(value=-1.0)
    metrics = {**result.metrics, "ruined_on": "2020-01-01"}
    write_tearsheet(dataclasses.replace(result, equity=equity, metrics=metrics), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "no daily return" in page
    assert "wiped out on 2020-01-01" in page


def test_synthetic_runs_are_titled_so():
    assert tearsheet_title(make_result()).startswith("SYNTHETIC DATA")
    assert "SYNTHETIC" not in tearsheet_title(make_result(synthetic=False))
