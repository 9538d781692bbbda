"""Trade a day: on a sandbox exchange (demo), on paper, or live on Kite.

``python run_live.py --mode demo --now`` needs no account and shows everything.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from feeds.errors import SettingsError
from feeds.secrets import Secrets, load_secrets, mask_patterns
from strategies.entry_point import Parser, day, read_settings, run_entry_point, thread_failures_told

if TYPE_CHECKING:
    from strategies.settings import Settings

__all__ = ["main"]

_EXTRA = ("aiohttp", "kiteconnect", "structlog", "websockets")
_DEMO_ONLY = {"ticks": "--ticks", "day": "--day", "speed": "--speed"}
_DEMO_SPEED = 200.0
_WORD = "LIVE"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str or None
        Command-line arguments; None for those of the process.

    Returns
    -------
    int
        0 the day is over, or was ended by Ctrl-C or SIGTERM; 2 bad arguments or settings; 3 bad data;
        4 the broker or the login; 130 interrupted before the day began; 1 anything else.
    """
    known = Secrets()

    def parse() -> argparse.Namespace:
        options = _parser().parse_args(arguments)
        _check(options)
        return options

    with thread_failures_told(known.mask):
        return run_entry_point(
            parse,
            lambda options: _run(options, known),
            interrupted="interrupted; if the day had begun, live.log in its folder says what is open",
            mask=known.mask,
        )


def _run(options: argparse.Namespace, known: Secrets) -> int:
    _check_extra()
    settings = read_settings(options)
    demo = options.mode == "demo"
    if not demo:
        known.adopt(load_secrets())
    if options.mode == "live" and not options.yes:
        _confirm(settings, ask=sys.stdin.readline)

    from strategies.live import run_live
    from strategies.live_request import LiveRequest

    return run_live(
        LiveRequest(
            settings=settings,
            mode=options.mode,
            clock=options.clock or ("feed" if demo else "wall"),
            model=options.model,
            out_dir=options.out,
            ticks=options.ticks,
            day=options.day,
            speed=options.speed or _DEMO_SPEED,
            data_given=options.data is not None,
            confirmed=options.mode == "live",
            accept_foreign=options.accept_foreign,
            quiet=options.quiet,
            debug=options.debug,
            secrets=known,
        )
    )


def _check(options: argparse.Namespace) -> None:
    """Refuse arguments that do not go together."""
    if options.mode is None:
        raise SettingsError("--mode is missing, expected demo, paper or live; start with --mode demo")
    if not options.now:
        raise SettingsError(
            "--now is missing: days are not started by a schedule yet; add --now to trade this one"
        )
    if options.mode != "demo":
        for name, argument in _DEMO_ONLY.items():
            if getattr(options, name) is not None:
                raise SettingsError(f"{argument} is for --mode demo, which replays a day; leave it out here")
    elif options.clock == "wall":
        raise SettingsError("--clock wall: a demo replays a day and goes by its ticks; leave --clock out")
    if options.ticks is not None and not options.ticks.is_file():
        raise SettingsError(
            f"--ticks: found no file {options.ticks}, expected recorded ticks; give their path"
        )
    for given, argument in ((options.yes, "--yes"), (options.accept_foreign, "--accept-foreign")):
        if given and options.mode != "live":
            raise SettingsError(f"{argument} is for --mode live, which sends real orders; leave it out here")


def _check_extra() -> None:
    missing = [name for name in _EXTRA if find_spec(name) is None]
    if missing:
        raise SettingsError(
            f"{', '.join(missing)} is not installed, expected the extra 'live'; run: make setup, "
            "or pip install 'muhurat[live]'"
        )


def _confirm(settings: Settings, ask: Callable[[], str]) -> None:
    """Have a person type a word before real orders are sent."""
    if not sys.stdin.isatty():
        raise SettingsError(
            f"--mode live sends real orders and asks for the word {_WORD}, but there is no terminal to ask "
            "on; add --yes to agree beforehand"
        )
    print(
        f"{settings.strategy.name} will trade futures on {settings.market.instrument} with real money.\n"
        f"Type {_WORD} to go on: ",
        end="",
        flush=True,
    )
    typed = ask().strip()
    if typed != _WORD:
        raise SettingsError(f"found {mask_patterns(typed)!r}, expected {_WORD}; nothing was sent")


def _parser() -> Parser:
    parser = Parser(
        prog="run_live.py",
        description="Trade a day: on a sandbox exchange (demo), on paper, or live on Kite.",
        epilog="Exit codes: 0 the day is over or was ended, 2 bad arguments or settings, 3 bad data, "
        "4 broker or login, 1 anything else.",
    )
    parser.add_argument(
        "--mode",
        choices=["demo", "paper", "live"],
        help="demo: everything real but the exchange, no account needed; paper: live ticks, simulated "
        "orders; live: real orders, after a typed confirmation",
    )
    parser.add_argument("--now", action="store_true", help="trade the day that is on, at once")
    parser.add_argument(
        "--clock",
        choices=["wall", "feed"],
        help="what time it is by: this machine (paper, live) or the ticks (demo)",
    )
    parser.add_settings()
    parser.add_strategy()
    parser.add_argument(
        "--model", metavar="VERSION|champion", help="stored model of the strategy (default: the champion)"
    )
    parser.add_argument(
        "--data",
        metavar="FILE|DIR|store|synthetic",
        help="bars of earlier days, for a demo to warm up and train on",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the day; one that holds it already is continued"
    )
    parser.add_argument("--ticks", type=Path, metavar="FILE", help="demo: recorded ticks to replay")
    parser.add_argument("--day", type=day, metavar="DAY", help="demo: session to replay, YYYY-MM-DD")
    parser.add_argument(
        "--speed", type=_speed, metavar="N", help=f"demo: times real speed (default: {_DEMO_SPEED:g})"
    )
    parser.add_argument("--yes", action="store_true", help="live: agree to real orders without being asked")
    parser.add_argument(
        "--accept-foreign",
        action="store_true",
        help="live: trade beside positions and orders of the account that are not this program's",
    )
    parser.add_manners()
    return parser


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not 0.0 < speed <= 100_000.0:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number above 0, such as 120")
    return speed


if __name__ == "__main__":
    sys.exit(main())
