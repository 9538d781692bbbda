"""A picture of what is stored: one cell per session, a block per year, coloured by how whole it is.

An SVG file by itself: no script, no font, nothing loaded from elsewhere.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from html import escape

import pandas as pd

from feeds.coverage import SessionCoverage

__all__ = ["draw_coverage"]

_CELL, _GAP = 13, 2
_STEP = _CELL + _GAP
_LEFT, _RIGHT, _TOP = 92, 24, 58
_WEEKS = 54
_TITLE, _YEAR_GAP = 34, 12
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SATURDAY = 5

_WHOLE, _ABSENT = "#2166ac", "#b2182b"
_SHORT = ((0.99, "#92c5de"), (0.9, "#fddbc7"), (0.5, "#f4a582"), (0.0, "#ef8a62"))
"""From this share of the bars on, below a whole session. Blue against red: told apart by everybody."""
_LEGEND = (
    (_WHOLE, "whole"), ("#92c5de", "99 % and more"), ("#fddbc7", "90 to 99 %"), ("#f4a582", "50 to 90 %"),
    ("#ef8a62", "under 50 %"), (_ABSENT, "absent"),
)  # fmt: skip
_LEGEND_STEP = 122


def draw_coverage(series: Mapping[str, SessionCoverage]) -> str:
    """Return an SVG document.

    Parameters
    ----------
    series : mapping of str to SessionCoverage
        By the name that is written above each.
    """
    body: list[str] = []
    y = _TOP
    for name, coverage in series.items():
        body.append(_text(_LEFT - 76, y + 16, _headline(name, coverage), weight="600", size=14))
        y += _TITLE
        for year in sorted({day.year for day in coverage.sessions.index}):
            rows = coverage.sessions[[day.year == year for day in coverage.sessions.index]]
            days = _rows_of(list(rows.index))
            body += _year(year, y, rows, days)
            y += len(days) * _STEP + _YEAR_GAP
        y += _YEAR_GAP
    width = max(_LEFT + _WEEKS * _STEP + _RIGHT, _LEFT + len(_LEGEND) * _LEGEND_STEP)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" viewBox="0 0 {width} {y}" '
        'font-family="system-ui, sans-serif" role="img" aria-label="Stored sessions by completeness">'
    )
    background = f'<rect width="{width}" height="{y}" fill="#ffffff"/>'
    return "\n".join([head, background, *_legend(), *body, "</svg>"]) + "\n"


def _headline(name: str, coverage: SessionCoverage) -> str:
    rows = coverage.sessions
    percent = 10_000 * int(rows["found"].sum()) // int(rows["expected"].sum()) / 100
    return (
        f"{name}: {rows.index[0]} to {rows.index[-1]}, {len(rows):,} sessions, {len(coverage.absent):,} "
        f"absent, {len(coverage.short):,} short, {percent:.2f} % of the bars"
    )


def _legend() -> list[str]:
    parts = [_text(_LEFT - 76, 26, "Bars stored of each session", size=13, colour="#555555")]
    for number, (colour, words) in enumerate(_LEGEND):
        x = _LEFT - 76 + number * _LEGEND_STEP
        parts.append(f'<rect x="{x}" y="36" width="{_CELL}" height="{_CELL}" rx="2" fill="{colour}"/>')
        parts.append(_text(x + _CELL + 6, 47, words, size=11, colour="#555555"))
    return parts


def _rows_of(days: list[dt.date]) -> range:
    # Weekend rows only where the exchange was open on one.
    last = max([_SATURDAY - 1, *(day.weekday() for day in days)])
    return range(last + 1)


def _year(year: int, top: int, rows: pd.DataFrame, days: range) -> list[str]:
    parts = [_text(_LEFT - 76, top + 11, str(year), size=12, weight="600")]
    parts += [
        _text(_LEFT - 34, top + weekday * _STEP + 11, _WEEKDAYS[weekday], size=10, colour="#777777")
        for weekday in days
    ]
    first = dt.date(year, 1, 1)
    columns = (rows[name] for name in ("found", "expected", "kind"))
    for day, found, expected, kind in zip(rows.index, *columns, strict=True):
        week = (day.timetuple().tm_yday - 1 + first.weekday()) // 7
        x, y = _LEFT + week * _STEP, top + day.weekday() * _STEP
        told = f"{day:%a %Y-%m-%d}: {found} of {expected} bars"
        if kind != "regular":
            told += f" ({kind})"
        parts.append(
            f'<rect x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" rx="2" '
            f'fill="{_colour(found, expected)}"><title>{escape(told)}</title></rect>'
        )
    return parts


def _colour(found: int, expected: int) -> str:
    if found == 0:
        return _ABSENT
    if found >= expected:
        return _WHOLE
    return next(colour for share, colour in _SHORT if found / expected >= share)


def _text(x: int, y: int, words: str, *, size: int, weight: str = "400", colour: str = "#222222") -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{colour}">'
        f"{escape(words)}</text>"
    )
