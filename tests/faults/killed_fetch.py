"""Runs ``python -m feeds`` in a fork for each line of arguments, so that a life costs no imports.

Answers with the number of the process, and how it ended when it has.
"""

from __future__ import annotations

import importlib
import json
import os
import sys

__all__: list[str] = []

_IMPORTED = ("brokers.history_choice", "brokers.commands", "brokers.kite.history", "feeds.fetch.command")
"""What a life would import."""


def main() -> None:
    for name in _IMPORTED:
        importlib.import_module(name)
    from feeds.__main__ import main as run
    from feeds.sessions import published_sessions

    published_sessions()
    for line in sys.stdin:
        number = os.fork()
        if number == 0:
            os.dup2(2, 1)
            code = 1
            try:
                code = run(json.loads(line))
            finally:
                os._exit(code)
        _tell(number)
        _tell(os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]))


def _tell(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
