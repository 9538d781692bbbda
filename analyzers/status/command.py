"""The arguments of ``python -m analyzers status``."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["add_status_parser"]

_HIGHEST_PORT = 65_535


def add_status_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its arguments."""
    status = commands.add_parser(
        "status",
        help="serve the status page of a live, paper or demo folder, to look at only",
        description="Serve the status page of a folder on this machine, without controls: of a process that "
        "runs, or of a day that is over. Ctrl-C ends it.",
    )
    status.add_argument(
        "--run", type=Path, required=True, metavar="DIR",
        help="folder of the process or of the day, as run_live.py named it",
    )  # fmt: skip
    status.add_argument(
        "--port", type=_port, default=0, metavar="N", help="port on 127.0.0.1; default: any free one"
    )


def _port(text: str) -> int:
    if text.isdecimal() and int(text) <= _HIGHEST_PORT:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r}, expected a port, 0 to {_HIGHEST_PORT}")
