"""The tables of bars in PostgreSQL, as numbered steps that are taken once and in order.

``NNNN_name.sql`` is the same everywhere; ``NNNN_name.plain.sql`` and ``NNNN_name.timescale.sql`` are two ways
of the same step, without and with the extension TimescaleDB. A step that was released is never changed:
another one follows.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import Literal, NamedTuple

__all__ = ["Flavour", "Migration", "migrations"]

Flavour = Literal["plain", "timescale"]
"""Without or with TimescaleDB."""


class Migration(NamedTuple):
    """One step.

    Attributes
    ----------
    version : int
        Number of the step, from 1 on without a gap.
    name : str
        What it makes.
    sql : str
        Its statements.
    """

    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Fingerprint of the statements."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations(flavour: Flavour) -> list[Migration]:
    """Return the steps of a flavour, in order."""
    found = []
    files = (file for file in resources.files(__name__).iterdir() if file.name.endswith(".sql"))
    for file in sorted(files, key=lambda file: file.name):
        number, _, rest = file.name.removesuffix(".sql").partition("_")
        name, *kinds = rest.split(".")
        if kinds in ([], [flavour]):
            found.append(Migration(int(number), name, file.read_text(encoding="utf-8")))
    return found
