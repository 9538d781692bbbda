"""Our own mark on every order: the only thing that survives a lost answer.

Kite keeps a ``tag`` of up to 20 letters and digits on each order. Ours is the journal's mark (random, so that
two journals never share one) and a running number in base 36.
"""

from __future__ import annotations

import secrets

__all__ = ["make_mark", "make_tag"]

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PROGRAM = "mu"
_MARK_LETTERS = 8
_NUMBER_LETTERS = 4


def make_mark() -> str:
    """Return the mark of a new journal: ten letters and digits, the first two the program's."""
    return _PROGRAM + "".join(secrets.choice(_DIGITS) for _ in range(_MARK_LETTERS))


def make_tag(mark: str, number: int) -> str:
    """Return the tag of the ``number``-th order (from 1) of a journal."""
    letters = ""
    for _ in range(_NUMBER_LETTERS):
        number, digit = divmod(number, len(_DIGITS))
        letters = _DIGITS[digit] + letters
    return mark + letters
