"""Processes beside a live day: ``python -m strategies challengers``, started by ``run_live.py``."""

from __future__ import annotations

import sys

from strategies.challenger_watch import watch_challengers

__all__ = ["main"]


def main() -> int:
    """Run the one command there is."""
    if sys.argv[1:] != ["challengers"]:
        sys.stderr.write("usage: python -m strategies challengers  (started by run_live.py)\n")
        return 2
    return watch_challengers()


if __name__ == "__main__":
    raise SystemExit(main())
