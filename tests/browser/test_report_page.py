"""The report in a real browser: the page's own script runs, draws and complains of nothing."""

import re
import shutil
import subprocess

import pytest

from analyzers.report.build import write_report
from tests.analyzers.examples import make_result

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--virtual-time-budget=4000", "--enable-logging=stderr",
]  # fmt: skip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


def opened(page, tmp_path, *, width):
    """Return the page's elements after its script has run, and what the browser logged."""
    done = subprocess.run(
        [CHROMIUM, *QUIET, f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},1600",
         "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize("width", [1400, 390])
def test_the_page_draws_its_candles_and_logs_no_error(tmp_path, width):
    page = tmp_path / "report.html"
    write_report(make_result(), page)
    elements, logged = opened(page, tmp_path, width=width)
    assert logged == []
    assert re.search(r'<canvas[^>]*data-ready="true"', elements)
    assert re.search(r"<tbody>\s*<tr", elements.split('id="trades"')[1])


def test_a_broken_script_would_be_seen(tmp_path):
    page = tmp_path / "broken.html"
    page.write_text("<!doctype html><script>undefinedName()</script>")
    assert "undefinedName is not defined" in "".join(opened(page, tmp_path, width=800)[1])
