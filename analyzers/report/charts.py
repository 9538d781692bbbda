"""Charts as inline SVG that stretches, with labels as HTML so that they stay readable on a phone.

Coordinates are percent of the plot: 0 left and top, 100 right and bottom. Lines are drawn in a stretched
``viewBox`` with strokes that do not scale; text stands outside of the SVG.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup, escape

from analyzers.figures import rupees, short_rupees

__all__ = [
    "Line",
    "calibration_chart",
    "histogram",
    "interval_chart",
    "line_chart",
    "nice_ticks",
    "waterfall",
]


class Line(NamedTuple):
    """One series: its name, CSS class, values, and whether the area down to zero is filled."""

    name: str
    css: str
    values: np.ndarray
    filled: bool = False


# Every text that comes from outside of this file is escaped where it enters a chart.
def _html(text: str) -> Markup:
    return Markup(text)  # noqa: S704


def nice_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Return round numbers (1, 2, 2.5 or 5 times a power of ten apart) that lie within a range."""
    if not high > low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * unit for unit in (1.0, 2.0, 2.5, 5.0, 10.0) if power * unit >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def line_chart(
    lines: Sequence[Line], labels: Sequence[str], *, height: str, name: str, ticks: Sequence[tuple[int, str]]
) -> Markup:
    """Return lines over equally spaced points, with a read-out under the pointer.

    Parameters
    ----------
    lines : sequence of Line
        Rupees, all of one length.
    labels : sequence of str
        What each point is called in the read-out.
    height : str
        CSS class that gives the height.
    name : str
        What the chart shows, for those who cannot see it.
    ticks : sequence of (int, str)
        Points with a label on the horizontal axis.
    """
    count = len(labels)
    if not count:
        return Markup("")
    low = min(0.0, *(float(line.values.min()) for line in lines))
    high = max(0.0, *(float(line.values.max()) for line in lines))
    if high == low:
        high = low + 100.0
    across = np.linspace(0.0, 100.0, count) if count > 1 else np.array([50.0])
    shapes = []
    for line in lines:
        down = 100.0 * (high - line.values) / (high - low)
        points = " ".join(f"{x:.2f},{y:.2f}" for x, y in zip(across, down, strict=True))
        if line.filled:
            zero = 100.0 * high / (high - low)
            area = f"{across[0]:.2f},{zero:.2f} {points} {across[-1]:.2f},{zero:.2f}"
            shapes.append(f'<polygon class="area {line.css}" points="{area}"/>')
        shapes.append(f'<polyline class="line {line.css}" points="{points}"/>')
    data = {
        "labels": list(labels),
        "low": low,
        "high": high,
        "lines": [
            {"name": line.name, "css": line.css, "values": np.round(line.values, 0).tolist()}
            for line in lines
        ],
    }
    marks = [(float(across[point]), text) for point, text in ticks]
    return _plot(shapes, low, high, marks, height=height, name=name, data=data)


def _plot(
    shapes: Sequence[str],
    low: float,
    high: float,
    marks: Sequence[tuple[float, str]],
    *,
    height: str,
    name: str,
    data: dict[str, object] | None = None,
) -> Markup:
    grid, labels = [], []
    for tick in nice_ticks(low, high):
        top = 100.0 * (high - tick) / (high - low)
        css = "zero" if abs(tick) < 1e-9 * (high - low) else "grid"
        grid.append(f'<line class="{css}" x1="0" x2="100" y1="{top:.2f}" y2="{top:.2f}"/>')
        labels.append(f'<span class="y" style="top:{top:.2f}%">{short_rupees(tick)}</span>')
    for number, (left, text) in enumerate(marks):
        odd = " odd" if number % 2 else ""
        labels.append(f'<span class="x{odd}" style="left:{left:.2f}%">{escape(text)}</span>')
    attribute = Markup(' data-plot="{}"').format(json.dumps(data, separators=(",", ":"))) if data else ""
    return _html(
        f'<div class="plot {height}" role="img" aria-label="{escape(name)}"{attribute}>'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">{"".join(grid)}'
        f"{''.join(shapes)}</svg>{''.join(labels)}</div>"
    )


def histogram(values: np.ndarray, *, bins: int = 48) -> Markup:
    """Return how many trades earned how much; the outermost two bars hold everything beyond them."""
    if not len(values):
        return Markup("")
    reach = max(abs(float(edge)) for edge in np.quantile(values, [0.005, 0.995])) or 1.0
    step = 2.0 * reach / bins
    edges = np.arange(-bins // 2, bins // 2 + 1) * step
    counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
    tallest = int(counts.max())
    shapes = []
    for number, amount in enumerate(counts):
        css = "gain" if edges[number] >= -1e-9 * reach else "loss"
        tall = 94.0 * amount / tallest
        shapes.append(
            f'<rect class="{css}" x="{100.0 * number / bins + 0.2:.2f}" width="{100.0 / bins - 0.4:.2f}" '
            f'y="{100.0 - tall:.2f}" height="{tall:.2f}"><title>{rupees(edges[number])} to '
            f"{rupees(edges[number + 1])}: {amount} trades</title></rect>"
        )
    mean = float(np.clip(np.mean(values), edges[0], edges[-1]))
    at_mean = 50.0 + 50.0 * mean / reach
    shapes.append(f'<line class="mean" x1="{at_mean:.2f}" x2="{at_mean:.2f}" y1="0" y2="100"/>')
    ticks = nice_ticks(-reach * 0.97, reach * 0.97, 9)
    labels = "".join(
        f'<span class="x{" odd" if (number - ticks.index(0.0)) % 2 else ""}" '
        f'style="left:{50.0 + 50.0 * tick / reach:.2f}%">{short_rupees(tick)}</span>'
        for number, tick in enumerate(ticks)
    )
    side = "end" if at_mean < 50.0 else "start"
    return _html(
        '<div class="plot bottom-only medium" role="img" aria-label="Histogram of net profit per trade">'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">{"".join(shapes)}'
        f'<line class="zero" x1="50" x2="50" y1="0" y2="100"/></svg>{labels}'
        f'<span class="mean-label {side}" style="left:{at_mean:.2f}%">'
        f"mean {rupees(float(np.mean(values)))}</span></div>"
    )


def interval_chart(rows: Sequence[tuple[str, float, float, float]]) -> Markup:
    """Return confidence intervals on one axis with zero; each row is name, low, mean, high in rupees."""
    low = min(0.0, *(row[1] for row in rows))
    high = max(0.0, *(row[3] for row in rows))
    margin = 0.06 * (high - low or 1.0)
    low, high = low - margin, high + margin

    def place(value: float) -> float:
        return 100.0 * (value - low) / (high - low)

    lines = []
    for name, left, mean, right in rows:
        css = "gain" if left > 0.0 else "loss" if right < 0.0 else "open"
        lines.append(
            f'<div class="interval {css}"><span class="name">{escape(name)}</span><div class="track">'
            f'<i class="origin" style="left:{place(0.0):.2f}%"></i>'
            f'<i class="range" style="left:{place(left):.2f}%;width:{place(right) - place(left):.2f}%"></i>'
            f'<i class="dot" style="left:{place(mean):.2f}%"></i></div>'
            f'<span class="value">{rupees(mean)}<small>{rupees(left)} … {rupees(right)}</small></span></div>'
        )
    return _html(f'<div class="intervals">{"".join(lines)}</div>')


def waterfall(steps: Sequence[tuple[str, float, str]]) -> Markup:
    """Return bars from one total to the next; each step is name, rupees and ``total`` or ``change``."""
    tops, running = [], 0.0
    for _, amount, kind in steps:
        begin = 0.0 if kind == "total" else running
        running = amount if kind == "total" else running + amount
        tops.append((begin, running))
    low = min(0.0, *(min(pair) for pair in tops))
    high = max(0.0, *(max(pair) for pair in tops))
    span = high - low or 1.0
    columns = []
    for (name, amount, kind), (begin, end) in zip(steps, tops, strict=True):
        css = "gain" if amount >= 0.0 else "loss"
        top, tall = 100.0 * (high - max(begin, end)) / span, 100.0 * abs(end - begin) / span
        columns.append(
            f'<div class="step {css} {kind}"><div class="shaft">'
            f'<i style="top:{top:.2f}%;height:{max(tall, 0.6):.2f}%"></i>'
            f'<b style="top:{top if css == "gain" else top + tall:.2f}%">{short_rupees(amount)}</b>'
            f'<u style="top:{100.0 * high / span:.2f}%"></u></div><span>{escape(name)}</span></div>'
        )
    return _html(
        f'<div class="waterfall" role="img" aria-label="From gross to net profit">{"".join(columns)}</div>'
    )


def calibration_chart(points: Sequence[tuple[float, float, float]]) -> Markup:
    """Return predicted against observed probability; each point is predicted, observed, count."""
    if not points:
        return Markup("")
    most = max(point[2] for point in points) or 1.0
    line = " ".join(f"{100.0 * p:.1f},{100.0 - 100.0 * o:.1f}" for p, o, _ in points)
    dots = "".join(
        f'<i style="left:{100.0 * p:.1f}%;top:{100.0 - 100.0 * o:.1f}%;'
        f'--size:{5.0 + 11.0 * math.sqrt(n / most):.1f}px" '
        f'title="predicted {p:.0%}, observed {o:.0%}, {n:,.0f} rows"></i>'
        for p, o, n in points
    )
    labels = "".join(
        f'<span class="x" style="left:{tick}%">{tick} %</span>'
        f'<span class="y" style="top:{100 - tick}%">{tick} %</span>'
        for tick in (0, 50, 100)
    )
    return _html(
        '<div class="plot square" role="img" aria-label="Predicted against observed probability">'
        '<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">'
        '<line class="grid" x1="0" x2="100" y1="50" y2="50"/>'
        '<line class="grid" x1="50" x2="50" y1="0" y2="100"/>'
        '<line class="zero dashed" x1="0" x2="100" y1="100" y2="0"/>'
        f'<polyline class="line accent" points="{line}"/></svg>{dots}{labels}</div>'
    )
