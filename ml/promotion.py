"""Who put which model into use, when, why, and after which test: ``promotions.jsonl`` beside the models.

A line is written before the pointer moves, so that no model ever comes into use without one; a line whose
model is not the champion says that the move itself failed.
"""

from __future__ import annotations

import datetime as dt
import errno
import os
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from feeds.errors import ModelError
from ml.paired_test import PairedTest
from ml.registry import ModelRegistry

__all__ = ["PROMOTIONS_FILE", "Promotion", "promote", "promotions", "roll_back"]

PROMOTIONS_FILE = "promotions.jsonl"


class Promotion(BaseModel):
    """One line of the log.

    Attributes
    ----------
    at : datetime
        When, aware.
    kind : {'promote', 'rollback'}
        What was done.
    by, why : str
        Who did it, and for which reason.
    before : str or None
        The champion until then.
    after : str
        The champion from then on.
    test : PairedTest or None
        The test it rests on.
    forced : bool
        Whether it was done although no test was passed.
    note : str
        Why there is no test, where there is none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: AwareDatetime
    kind: Literal["promote", "rollback"]
    by: str
    why: str
    before: str | None
    after: str
    test: PairedTest | None = None
    forced: bool = False
    note: str = ""


def promote(
    registry: ModelRegistry,
    version: str,
    *,
    why: str,
    by: str,
    at: dt.datetime,
    test: PairedTest | None = None,
    forced: bool = False,
    note: str = "",
) -> Promotion:
    """Put a version into use, and write down who did it, when, why and after which test.

    Raises
    ------
    ModelNotFoundError, ModelError
        It does not exist or is damaged; then nothing is written.
    """
    registry.check(version)
    line = Promotion(
        at=at, kind="promote", by=by, why=why, before=registry.champion, after=version, test=test,
        forced=forced, note=note,
    )  # fmt: skip
    _append(registry, line)
    registry.promote(version)
    return line


def roll_back(registry: ModelRegistry, *, why: str, by: str, at: dt.datetime) -> Promotion:
    """Put the champion before the present one back into use, and write it down.

    Raises
    ------
    SettingsError
        There was none before.
    ModelError
        It is damaged or gone; then nothing is written.
    """
    before = registry.champion
    after = registry.previous()
    registry.check(after)
    line = Promotion(at=at, kind="rollback", by=by, why=why, before=before, after=after)
    _append(registry, line)
    registry.rollback()
    return line


def promotions(registry: ModelRegistry) -> tuple[Promotion, ...]:
    """Return the log, oldest first.

    Raises
    ------
    ModelError
        A line is none of ours.
    """
    path = registry.root / PROMOTIONS_FILE
    if not path.exists():
        return ()
    found: list[Promotion] = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            found.append(Promotion.model_validate_json(text))
        except ValidationError as error:
            raise ModelError(
                f"found {text[:40]!r} in line {number} of {path}, expected a promotion; remove the line"
            ) from error
    return tuple(found)


def _append(registry: ModelRegistry, line: Promotion) -> None:
    text = line.model_dump_json() + "\n"
    # One write in append mode, so that lines of two processes do not mix
    with (registry.root / PROMOTIONS_FILE).open("ab", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        if file.write(text.encode()) < len(text.encode()):  # a disk that is nearly full takes a part
            file.truncate(before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), file.name)
        os.fsync(file.fileno())
