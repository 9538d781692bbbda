"""Text that is fit to be shown: nothing in it turns the reading direction, and all of it can be encoded."""

from __future__ import annotations

import re

__all__ = ["shown_text"]

_UNFIT = re.compile(r"[\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def shown_text(text: str) -> str:
    """Return the text with bidirectional controls and lone surrogates replaced by U+FFFD."""
    return _UNFIT.sub("\ufffd", text)
