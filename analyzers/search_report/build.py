"""Put the page of a search together: one file that opens anywhere, without a network or a script."""

from __future__ import annotations

from pathlib import Path

import jinja2
from markupsafe import Markup

from analyzers.figures import count, percent, rupees
from analyzers.search_report.heat import HeatMap, heat_map, importances
from analyzers.search_report.page import SearchPage, TrialRow

__all__ = ["render_search_report", "write_search_report"]

_HERE = Path(__file__).parent
_REPORT_STYLE = _HERE.parent / "report" / "style.css"


def write_search_report(page: SearchPage, path: Path) -> None:
    """Write ``search.html``."""
    path.write_text(render_search_report(page), encoding="utf-8")


def render_search_report(page: SearchPage) -> str:
    """Return the page as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters.update(rupees=rupees, percent=percent, count=count, value=_value, sentence=_sentence)
    heat = heat_map(page.trials)
    return environment.get_template("template.html.jinja").render(
        page=page,
        # Files of these packages, to stand in the page as they are
        style=Markup(_REPORT_STYLE.read_text(encoding="utf-8")),  # noqa: S704
        own_style=Markup((_HERE / "style.css").read_text(encoding="utf-8")),  # noqa: S704
        tone={"edge supported": "good", "edge not supported": "bad"}.get(page.holdout["label"], "open"),
        heat=heat,
        largest=_largest(heat),
        importances=list(importances(page.trials).items()),
        ranked=sorted(page.trials, key=_rank),
    )


def _largest(heat: HeatMap | None) -> float:
    """Return the greatest distance of a cell from 0, for the shades."""
    means = [abs(cell.mean) for row in heat.cells for cell in row if cell.mean is not None] if heat else []
    return max(means, default=0.0) or 1.0


def _rank(row: TrialRow) -> tuple[bool, float, int]:
    return row.objective is None, -(row.objective or 0.0), row.number


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _value(value: bool | int | float | str) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
