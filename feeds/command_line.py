"""What the commands of all packages have in common: one line for what went wrong, and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from feeds.errors import MuhuratError

__all__ = ["fail", "run_command"]

_INTERRUPTED = 130


def run_command(work: Callable[[], int]) -> int:
    """Do the work of a command and return its exit code.

    Parameters
    ----------
    work : callable
        Returns the exit code of a command that came to its end.

    Returns
    -------
    int
        That of ``work``; that of a :class:`feeds.errors.MuhuratError`; 130 when interrupted; 1 when the
        system refuses a file. What went wrong is one line on the standard error. A reader that has seen
        enough (``| head``) is no error.
    """
    try:
        code = work()
        sys.stdout.flush()
    except MuhuratError as error:
        return fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return fail("interrupted before the end", _INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        place = f" at {error.filename}" if error.filename else ""
        return fail(f"{error.strerror or error}{place}; make room there, or mend its permissions", 1)
    return code


def fail(message: str, exit_code: int) -> int:
    """Tell in one line on the standard error what went wrong, and return the exit code."""
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    return exit_code
