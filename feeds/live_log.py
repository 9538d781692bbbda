"""The log of a live day: one JSON object a line, without secrets, cut by size, and told to a console."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import math
import time
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import structlog

from feeds.clock import IST, Clock
from feeds.log_file import LogFile
from feeds.secrets import MASK, Secrets

__all__ = ["ConsoleView", "LiveLog", "make_log"]

ConsoleView = Callable[[Mapping[str, Any]], None]
"""Told every record written: ``time``, ``level``, ``event`` and the fields, ready for JSON and masked."""

_RESERVED = ("time", "level", "event", "uptime_seconds")
_SECRET_FIELDS = frozenset(
    {"access_token", "api_secret", "checksum", "enctoken", "password", "refresh_token", "request_token"}
)


class LiveLog:
    """A :class:`feeds.log.Log` that writes; made by :func:`make_log`, and to be closed by who made it.

    A field named like one of the log's own (``time``, ``level``, ``event``, ``uptime_seconds``) is written
    with an underscore after its name.
    """

    def __init__(self, logger: Any, file: LogFile) -> None:  # noqa: ANN401 # structlog's loggers have no common type
        self._logger = logger
        self._file = file

    def debug(self, event: str, /, **fields: object) -> None:
        """See :class:`feeds.log.Log`."""
        self._logger.debug(event, fields=fields)

    def info(self, event: str, /, **fields: object) -> None:
        """See :class:`feeds.log.Log`."""
        self._logger.info(event, fields=fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """See :class:`feeds.log.Log`."""
        self._logger.warning(event, fields=fields)

    def error(self, event: str, /, **fields: object) -> None:
        """See :class:`feeds.log.Log`; a field ``exc_info=True`` adds the traceback being handled."""
        self._logger.error(event, fields=fields)

    def on_event(self, event: str, fields: Mapping[str, Any]) -> None:
        """Take an event as the parts of a live day tell it; ``level`` among the fields is its level."""
        rest = dict(fields)
        level = rest.pop("level", "info")
        getattr(self, level if level in ("debug", "warning", "error") else "info")(event, **rest)

    def close(self) -> None:
        """Close the file; what is told after that is lost."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def make_log(
    path: Path,
    clock: Clock,
    secrets: Secrets,
    console: ConsoleView | None = None,
    *,
    megabytes: float = 20.0,
    files: int = 10,
    level: Literal["debug", "info"] = "info",
) -> LiveLog:
    """Open a log.

    Parameters
    ----------
    path : pathlib.Path
        File of JSON lines; what is in it stays.
    clock : Clock
        Stamps the lines, in IST. ``uptime_seconds`` beside it is real time since this call: a replayed
        clock stands still between ticks.
    secrets : Secrets
        Hidden in every text, also those it learns later.
    console : callable or None
        Shown every record, in the thread that told it; must not raise.
    megabytes : float
        Size at which the file is rotated, 10^6 bytes.
    files : int
        Files kept.
    level : {'debug', 'info'}
        What is written.

    Raises
    ------
    OSError
        If the file cannot be opened.
    """
    begun = time.monotonic()

    def stamp(_: object, name: str, record: MutableMapping[str, Any]) -> dict[str, Any]:
        return {
            "time": clock.now().astimezone(IST).isoformat(timespec="milliseconds"),
            "level": name,
            "event": str(record["event"]),
            "uptime_seconds": round(time.monotonic() - begun, 3),
            **{f"{key}_" if key in _RESERVED else key: value for key, value in record["fields"].items()},
        }

    def plain(_: object, __: str, record: MutableMapping[str, Any]) -> dict[str, Any]:
        if record.pop("exc_info", False):
            record["traceback"] = traceback.format_exc()
        made: dict[str, Any] = _plain(record, secrets.mask)
        return made

    def show(_: object, __: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if console is not None:
            console(record)
        return record

    def failed(error: OSError) -> None:
        if console is not None:
            record = {"event": "log_unwritable", "fields": {"error": f"{error.strerror} at {path}"}}
            console(plain(None, "error", stamp(None, "error", record)))

    def lost(count: int) -> str:
        return _json(stamp(None, "warning", {"event": "log_lines_lost", "fields": {"lines": count}}))

    file = LogFile(path, max_bytes=int(megabytes * 1e6), files=files, on_failure=failed, lost_line=lost)
    logger = structlog.wrap_logger(
        file,
        processors=[stamp, plain, show, _as_line],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        context_class=dict,
    )
    return LiveLog(logger, file)


def _as_line(_: object, __: str, record: MutableMapping[str, Any]) -> str:
    return _json(record)


def _json(record: Mapping[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, allow_nan=False)


def _plain(value: Any, mask: Callable[[str], str]) -> Any:  # noqa: ANN401, PLR0911 # anything may be logged; one line a kind
    """Return what JSON can hold of a value, texts masked; NaN and infinities are null."""
    if isinstance(value, enum.Enum):
        return _plain(value.value, mask)
    if isinstance(value, str):
        return mask(value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, BaseException):
        return mask(f"{type(value).__name__}: {value}")
    if isinstance(value, Mapping):
        return {
            mask(str(key)): MASK if str(key).lower() in _SECRET_FIELDS else _plain(inner, mask)
            for key, inner in value.items()
        }
    if hasattr(value, "_asdict"):
        return _plain(value._asdict(), mask)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return _plain({field.name: getattr(value, field.name) for field in fields}, mask)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(inner, mask) for inner in value]
    if isinstance(value, np.generic):
        return _plain(value.item(), mask)
    return mask(str(value))
