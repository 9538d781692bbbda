"""Processes beside a live day: ``python -m strategies challengers``, started by ``run_live.py``."""

from __future__ import annotations

import os
import sys

__all__ = ["main"]

_NICE = 15


def main() -> int:
    """Run the one command there is."""
    if sys.argv[1:] != ["challengers"]:
        sys.stderr.write("usage: python -m strategies challengers  (started by run_live.py)\n")
        return 2
    os.nice(_NICE)  # before the imports, which take a second of a processor
    from strategies.challenger_watch import watch_challengers

    return watch_challengers()


if __name__ == "__main__":
    raise SystemExit(main())
