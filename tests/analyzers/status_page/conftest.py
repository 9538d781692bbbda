"""A browser for the tests of the page, and a page opened on a state."""

import contextlib

import pytest

from tests.analyzers.status_page.browsing import CHROMIUM, TIMEOUT_MILLISECONDS, Visit
from tests.analyzers.status_page.serving import PageServer


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright, see the extra `test`")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser):
    """Open the page on a state, or on a server that has one."""
    with contextlib.ExitStack() as stack:

        def opened(status, *, width=1400, scheme="light", ready="#candles[data-ready=true]", prepare=None):
            server = status if hasattr(status, "url") else stack.enter_context(PageServer(status))
            if prepare is not None:
                prepare(server)
            context = browser.new_context(
                viewport={"width": width, "height": 900 if width > 500 else 844}, color_scheme=scheme
            )
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(TIMEOUT_MILLISECONDS)
            made = Visit(page, server)
            page.goto(server.url)
            made.waits_for(ready)
            return made

        yield opened
