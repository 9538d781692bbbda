"""The whole program in a browser: a demo day on its page, the controls on a real position, the Kite login.

Screenshots are kept in the folder that ``MUHURAT_SCREENSHOTS`` names.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from feeds.clock import WallClock
from feeds.live_log import make_log
from feeds.secrets import Secrets
from strategies.live_process import LiveProcess
from strategies.live_request import LiveRequest
from strategies.settings import load_settings
from tests.brokers.kite.tokens import load_token
from tests.live_market import HOLD, Market, at, day_config, wait_until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-token-for-the-page-of-the-tests"
WAIT_MILLISECONDS = 60_000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright, see the extra `test`")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser):
    """Open an address at a width; what the page complains of fails the test."""
    complaints = []
    with contextlib.ExitStack() as stack:

        def opened(url, width=1400, scheme="light"):
            height = 900 if width > 500 else 844
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(WAIT_MILLISECONDS)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(url)
            return page

        yield opened
    assert complaints == []


def keep(page, name):
    folder = os.environ.get("MUHURAT_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def told(log, event):
    """Return the newest record of an event in a log; None while there is none."""
    lines = log.read_text().splitlines() if log.exists() else []
    found = [json.loads(line) for line in lines if f'"{event}"' in line]
    return next((record for record in reversed(found) if record["event"] == event), None)


@contextlib.contextmanager
def demo_day(folder, *, speed):
    """Run a demo day that holds a position from its first bar, and give the address of its page."""
    with subprocess.Popen(
        [
            sys.executable, "run_live.py", "--mode", "demo", "--now", "--speed", str(speed),
            "--out", str(folder), "--quiet", *HOLD, "--set", "status.enabled=true", "--set", "status.port=0",
        ],
        cwd=ROOT, env=os.environ | {"STATUS_TOKEN": TOKEN},
    ) as program:  # fmt: skip
        try:
            log = folder / "live.log"
            wait_until(lambda: told(log, "status_page") or program.poll() is not None, "the page is served")
            yield told(log, "status_page")["url"], log
        finally:
            program.terminate()
            program.wait(60)
    assert program.returncode == 0


def unlock(page):
    page.wait_for_selector("#token[open]")
    page.fill("#token-field", TOKEN)
    page.click("#token-send")


def test_a_demo_day_on_its_page(open_page, tmp_path):
    folder = tmp_path / "day"
    with demo_day(folder, speed=60) as (url, log):
        desk, phone = open_page(url, scheme="dark"), open_page(url, width=390)
        for page, name in ((desk, "demo-day-desktop"), (phone, "demo-day-phone")):
            page.wait_for_selector("#position:has-text('130 units')")
            page.wait_for_selector("#candles[data-ready=true]")
            assert "DEMO" in page.inner_text("body")
            widths = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
            assert widths[0] <= widths[1], name
            keep(page, name)
        before = desk.title()
        desk.wait_for_function("title => document.title !== title", arg=before)  # live, without a reload
        desk.click("#flatten")
        unlock(desk)
        desk.wait_for_selector("#confirm[open]")
        keep(desk, "demo-day-confirm")
        desk.click("#confirm-do")
        wait_until(lambda: told(log, "control"), "the command arrived")
        assert told(log, "control")["outcome"] == "done"
        for page in (desk, phone):  # whoever looks sees it, not only who has ordered it
            page.wait_for_selector("#position:has-text('Flat')")
            page.wait_for_selector("body:has-text('PAUSED')")
        keep(desk, "demo-day-flattened")
        assert (folder / "PAUSED").exists()
    exits = [json.loads(line) for line in log.read_text().splitlines() if '"exit_wanted"' in line]
    assert [record["reason"] for record in exits] == ["manual"]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_a_kite_login_from_the_page(open_page, tmp_path):
    port = free_port()
    with Market(day_config(redirect=f"http://127.0.0.1:{port}/kite/callback")) as market:
        token_file = tmp_path / "kite_token.json"
        settings = load_settings(None, [
            f"broker.kite.api_root={market.api_root}", f"broker.kite.ticker_root={market.ticker_root}",
            f"broker.kite.login_page={market.api_root}/connect/login",
            f"broker.kite.token_file={token_file}", f"status.port={port}",
        ])  # fmt: skip
        secrets = Secrets(
            {"KITE_API_KEY": market.api_key, "KITE_API_SECRET": market.api_secret, "STATUS_TOKEN": TOKEN}
        )
        request = LiveRequest(settings=settings, mode="paper", clock="wall", secrets=secrets)
        log_file = tmp_path / "watch.log"
        with (
            make_log(log_file, WallClock(), secrets) as log,
            LiveProcess(request, tmp_path, WallClock(), log) as process,
        ):
            process.show("waiting", "preflight at 08:45")
            wait_until(lambda: told(log_file, "status_page"), "the page is served")
            page = open_page(told(log_file, "status_page")["url"])
            page.click("#access")
            unlock(page)
            page.wait_for_selector("#login:visible")
            page.click("#login")
            page.wait_for_selector("body:has-text('logged in as')")
            keep(page, "kite-login-done")
        stored = load_token(token_file, api_key=market.api_key, now=at("14:30"))
        assert stored.access_token == market.access_token
        everything = log_file.read_text() + page.content()
        for secret in (stored.access_token, market.api_secret, TOKEN):
            assert secret not in everything
