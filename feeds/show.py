"""Lines and tables for people: drawn on a terminal, plain aligned columns everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

__all__ = ["print_line", "print_table"]


def print_line(text: str) -> None:
    """Print one line to the standard output."""
    sys.stdout.write(text + "\n")


def print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table to the standard output.

    Parameters
    ----------
    title : str
        One line above the table.
    header : sequence of str
        Names of the columns; one that starts with ``>`` is set flush right, without that mark.
    rows : iterable of sequence of str
        Cells, as many in each row as there are columns.
    """
    cells = [list(row) for row in rows]
    names, flush_right = [name.lstrip(">") for name in header], [name.startswith(">") for name in header]
    if sys.stdout.isatty():
        _draw(title, names, flush_right, cells)
        return
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, flush_right, strict=True)
        ).rstrip()
        for row in [names, *cells]
    ]
    sys.stdout.write("\n".join([title, *lines]) + "\n")


def _draw(title: str, names: list[str], flush_right: list[bool], cells: list[list[str]]) -> None:
    # A terminal only; whoever pipes the output does not wait for this import.
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title), title_justify="left")
    for name, right in zip(names, flush_right, strict=True):
        table.add_column(name, justify="right" if right else "left")
    for row in cells:
        table.add_row(*map(escape, row))
    Console().print(table)
