"""The browser that is installed, and a page opened in it."""

import shutil

import pytest

from tests.analyzers.status_page.serving import TOKEN

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TIMEOUT_MILLISECONDS = 20_000
IN_A_BROWSER = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


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

    def log_in(self, token=TOKEN):
        self.waits_for("#token[open]")
        self.page.fill("#token-field", token)
        self.page.click("#token-send")
