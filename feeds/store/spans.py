"""Spans of dates that were fetched whole: merged, cut, and kept in a file beside the bars."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from feeds.errors import DataError
from feeds.store.base import DateSpan

__all__ = ["merged", "read_spans", "spans_text", "within_years"]

_DAY = dt.timedelta(days=1)


def merged(spans: Iterable[DateSpan]) -> list[DateSpan]:
    """Return the same dates as spans in order that neither overlap nor touch."""
    whole: list[DateSpan] = []
    for span in sorted(spans):
        if whole and span.first <= whole[-1].last + _DAY:
            whole[-1] = DateSpan(whole[-1].first, max(whole[-1].last, span.last))
        else:
            whole.append(span)
    return whole


def within_years(spans: Iterable[DateSpan], years: Collection[int]) -> list[DateSpan]:
    """Return what of the spans lies in these years."""
    parts = [
        DateSpan(max(span.first, dt.date(year, 1, 1)), min(span.last, dt.date(year, 12, 31)))
        for span in spans
        for year in range(span.first.year, span.last.year + 1)
        if year in years
    ]
    return merged(parts)


def read_spans(file: Path) -> dict[str, list[DateSpan]]:
    """Return the spans of each source that a file holds; none if there is no file.

    Raises
    ------
    DataError
        If the file is none of :func:`spans_text`.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {
            str(source): merged(
                DateSpan(dt.date.fromisoformat(first), dt.date.fromisoformat(last)) for first, last in spans
            )
            for source, spans in found.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"{file} cannot be read ({error}), expected the spans that were fetched, by source; delete it, "
            "and they are fetched again"
        ) from error


def spans_text(spans: Mapping[str, Iterable[DateSpan]]) -> str:
    """Return the text of a file that :func:`read_spans` reads."""
    plain = {source: [[str(first), str(last)] for first, last in found] for source, found in spans.items()}
    return json.dumps(plain, indent=1, sort_keys=True) + "\n"
