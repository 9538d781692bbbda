"""Put the page together."""

from __future__ import annotations

from pathlib import Path

from analyzers.result import RunResult

__all__ = ["write_report"]


def write_report(result: RunResult, path: Path, *, embedded_bars: int = 150_000) -> None:
    """Write the page (stub)."""
    path.write_text(f"{result.title} {embedded_bars}", encoding="utf-8")
