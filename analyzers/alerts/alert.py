"""What is told to the owner: how urgent it is, one line, some more lines, and perhaps a picture."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

__all__ = ["SEVERITIES", "Alert", "Severity", "is_at_least"]

Severity = Literal["info", "warning", "critical"]
"""``info``: as it should be. ``warning``: look at it today. ``critical``: look at it now."""

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
"""From the least severe on."""

_LONGEST_TITLE = 200
_LONGEST_TEXT = 3500
"""Characters; a Telegram message takes 4096, title included."""

_TURNING = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
"""Signs that turn the direction of writing: with them a text reads as what it does not say."""


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One message. Control, direction and half characters are taken out, so that every channel can carry it.

    Attributes
    ----------
    severity : {'info', 'warning', 'critical'}
        How urgent it is.
    title : str
        One line that says it all; cut at 200 characters.
    text : str
        The rest, plain text; cut at 3500 characters.
    key : str
        Alerts of one key and severity are the same alert; empty for one that is never the same as another.
    attachments : tuple of pathlib.Path
        Pictures; one that cannot be read is left out by who sends.
    told_on : str
        Channel whose reader knows of it already, and that therefore leaves it out.
    """

    severity: Severity
    title: str
    text: str = ""
    key: str = ""
    attachments: tuple[Path, ...] = ()
    told_on: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", _cut(" ".join(_clean(self.title).split()), _LONGEST_TITLE))
        object.__setattr__(self, "text", _cut(_clean(self.text).strip(), _LONGEST_TEXT))

    @property
    def words(self) -> str:
        """Title and text as one plain text."""
        return f"{self.title}\n{self.text}" if self.text else self.title

    def with_words(self, title: str, text: str) -> Alert:
        """Return the alert in other words."""
        return replace(self, title=title, text=text)

    def with_note(self, note: str) -> Alert:
        """Return the alert with one more line."""
        return replace(self, text=f"{self.text[: _LONGEST_TEXT - len(note) - 1]}\n{note}")


def is_at_least(severity: Severity, least: Severity) -> bool:
    """Return whether ``severity`` is as urgent as ``least``, or more."""
    return SEVERITIES.index(severity) >= SEVERITIES.index(least)


def _clean(text: str) -> str:
    whole = text.encode("utf-8", errors="replace").decode("utf-8").replace("\r\n", "\n")
    return "".join(" " if _is_unseen(sign) else sign for sign in whole)


def _is_unseen(sign: str) -> bool:
    return sign in _TURNING or (unicodedata.category(sign) == "Cc" and sign != "\n")


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
