"""Command line of the package: what a trade costs, and the account at the broker."""

from __future__ import annotations

import argparse
import datetime as dt
import math
from collections.abc import Sequence

from brokers import commands as account_commands
from brokers.charges import ChargeBreakdown, DatedCharges, UpstoxCharges, ZerodhaCharges, latest_date
from brokers.desk import commands as desk_commands
from brokers.sandbox import commands as sandbox_commands
from feeds.command_line import run_command
from feeds.errors import SettingsError
from feeds.show import print_line, print_table

__all__ = ["main"]

_PLANS: dict[str, type[ZerodhaCharges | UpstoxCharges]] = {"zerodha": ZerodhaCharges, "upstox": UpstoxCharges}
_Row = tuple[str, str, str, str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, or 2, 3, 4 for wrong arguments, data, or the broker."""
    options = _parser().parse_args(arguments)
    return run_command(lambda: options.run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m brokers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    charges = commands.add_parser("charges", help="charges of one trade in an NSE index future, by component")
    charges.add_argument(
        "--date", type=_date, help="trading day, YYYY-MM-DD; without it the newest charges that are known"
    )
    charges.add_argument(
        "--units", required=True, type=_positive, help="units of each order, e.g. 65 for one lot"
    )
    charges.add_argument("--buy", type=_positive, help="price of the order that buys, index points")
    charges.add_argument("--sell", type=_positive, help="price of the order that sells, index points")
    charges.add_argument("--plan", default="zerodha", choices=sorted(_PLANS), help="whose brokerage")
    charges.set_defaults(run=_show_charges)
    for module in (account_commands, desk_commands, sandbox_commands):
        module.add_parsers(commands)
    return parser


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date, expected YYYY-MM-DD") from error


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0.0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a number above 0")
    return number


def _show_charges(options: argparse.Namespace) -> int:
    units: float = options.units
    if options.buy is None and options.sell is None:
        raise SettingsError("found neither --buy nor --sell, expected at least one price")
    plan = _PLANS[options.plan]()
    day: dt.date = options.date or latest_date()
    bought = _leg(plan, day, units, options.buy)
    sold = _leg(plan, day, -units, options.sell)
    rows: list[_Row] = [
        (name, f"{buy:,.2f}", f"{sell:,.2f}", f"{buy + sell:,.2f}")
        for name, buy, sell in zip(ChargeBreakdown._fields, bought, sold, strict=True)
    ]
    total = bought.total + sold.total
    rows.append(("total", f"{bought.total:,.2f}", f"{sold.total:,.2f}", f"{total:,.2f}"))
    print_table(
        f"{options.plan}, {day}, {units:g} units: charges in rupees", ("part", ">buy", ">sell", ">both"), rows
    )
    line = f"per unit {total / units:.2f} points"
    if options.buy is not None and options.sell is not None:
        value = units * options.buy
        gross = units * (options.sell - options.buy)
        line += f" = {total / value * 1e4:.2f} bps of what was bought"
        line += f"; gross {gross:,.2f}, net {gross - total:,.2f} rupees"
    print_line(line)
    return 0


def _leg(plan: DatedCharges, day: dt.date, size: float, price: float | None) -> ChargeBreakdown:
    """Return the charges of one order, all 0 where no price was given."""
    return plan.breakdown(day, size, price) if price is not None else ChargeBreakdown(*[0.0] * 7)


if __name__ == "__main__":
    raise SystemExit(main())
