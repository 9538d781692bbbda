"""A browser for the tests of the page, and a page opened on a state."""

import contextlib
import shutil

import pytest

from tests.analyzers.status_page.serving import TOKEN, PageServer

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TIMEOUT_MILLISECONDS = 20_000


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright, see the extra `test`")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


class Visit:
    """A page opened in the browser, its server, and what the browser complained of."""

    def __init__(self, page, server):
        self.page, self.server, self.complaints = page, server, []
        page.on("console", lambda told: self.complaints.append(told.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def __call__(self, selector):
        return self.page.locator(selector)

    def waits_for(self, selector, text=None):
        """Wait until there is such an element, with such a text."""
        self.page.locator(selector if text is None else f"{selector}:has-text({text!r})").first.wait_for(
            state="attached"
        )

    def log_in(self):
        self.waits_for("#token[open]")
        self.page.fill("#token-field", TOKEN)
        self.page.click("#token-send")


@pytest.fixture
def visit(browser):
    """Open the page on a state."""
    with contextlib.ExitStack() as stack:

        def opened(status, *, width=1400, scheme="light", ready="#candles[data-ready=true]", prepare=None):
            server = stack.enter_context(PageServer(status))
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
