"""The commands ``login``, ``account`` and ``instruments`` of ``python -m brokers``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feeds.clock import WallClock
from feeds.errors import MuhuratError, SettingsError
from feeds.log import NullLog
from feeds.secrets import Secrets, load_secrets
from feeds.show import print_line, print_table

if TYPE_CHECKING:
    from brokers.command_settings import CommandSettings
    from brokers.settings import BrokerSettings

__all__ = ["add_parsers", "guarded", "settings_parser"]


def add_parsers(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands; each sets ``run``, which takes the options and returns the exit code."""
    common = settings_parser()
    common.add_argument(
        "--broker", choices=["kite", "upstox"], help="the broker; broker.name of the settings if not given"
    )
    login = subparsers.add_parser(
        "login",
        parents=[common],
        help="log in at the broker with your browser, and keep the access token of the day",
    )
    login.add_argument(
        "--paste",
        action="store_true",
        help="the browser is on another machine: paste the address it ends at, instead of waiting for it",
    )
    login.add_argument(
        "--timeout-seconds", type=float, default=300.0, metavar="N", help="how long to wait for the browser"
    )
    login.set_defaults(run=guarded(_login))
    account = subparsers.add_parser(
        "account", parents=[common], help="who is logged in, funds, positions and orders of today"
    )
    account.set_defaults(run=guarded(_account))
    instruments = subparsers.add_parser(
        "instruments", parents=[common], help="the futures of the underlying, nearest expiry first"
    )
    instruments.add_argument(
        "--underlying", metavar="NAME", help="index, such as NIFTY; market.instrument if not given"
    )
    instruments.set_defaults(run=guarded(_instruments))


def settings_parser() -> argparse.ArgumentParser:
    """Return a parent parser with ``--settings`` and ``--set``."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--settings", type=Path, metavar="FILE", help="settings file; the project's own if not given"
    )
    common.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", dest="overrides",
        help="one setting, on top of the file; may be given again",
    )  # fmt: skip
    return common


def guarded(
    command: Callable[[argparse.Namespace, CommandSettings, Secrets], None],
) -> Callable[[argparse.Namespace], int]:
    """Give a command its settings and secrets, and keep secrets out of what it complains of."""

    def run(options: argparse.Namespace) -> int:
        from brokers.command_settings import read_settings

        settings, secrets = read_settings(options.settings, options.overrides), load_secrets()
        try:
            command(options, settings, secrets)
        except MuhuratError as error:
            masked = secrets.mask(str(error))
            if masked == str(error):
                raise
            raise type(error)(masked) from None
        except ModuleNotFoundError as error:
            raise SettingsError(
                f"module {error.name} is not installed, expected the packages for live trading; run: "
                "pip install 'muhurat[live]'"
            ) from error
        return 0

    return run


def _login(options: argparse.Namespace, settings: CommandSettings, secrets: Secrets) -> None:
    from brokers.choice import chosen_broker
    from brokers.login_callback import LoginCallback

    broker = chosen_broker(_broker_settings(options, settings))
    api_key = secrets.require(broker.secret_names[0], broker.where_the_key_is)
    secrets.require(broker.secret_names[1], broker.where_the_key_is)
    with LoginCallback(broker.section, broker.callback_port, broker.answer_in) as callback:
        print_line(
            f"Open in your browser:\n\n  {broker.login_address(api_key, callback.state, callback.url)}\n"
        )
        if options.paste:
            print_line(f"Paste the address that begins with {callback.url} here:")
            sys.stdout.flush()
            answer = broker.answer_in(sys.stdin.readline(), callback.state)
        else:
            print_line(f"Waiting for it to come back to {callback.url} ...")
            sys.stdout.flush()
            answer = callback.wait(options.timeout_seconds)
    secrets.remember(answer)
    token = broker.exchange(secrets, answer, callback.url, WallClock())
    secrets.remember(token.access_token)
    broker.tokens.save(token)
    print_line(
        f"Logged in at {broker.title} as {token.user_id} until {token.ends:%Y-%m-%d %H:%M}; token kept in "
        f"{broker.tokens.path}."
    )


def _account(options: argparse.Namespace, settings: CommandSettings, secrets: Secrets) -> None:
    from brokers.choice import chosen_broker

    broker = chosen_broker(_broker_settings(options, settings))
    found = broker.read_account(broker.find_session(secrets, WallClock()))
    positions = [row for row in found.positions if row.get("quantity")]
    orders = found.orders
    print_line(found.who)
    print_line(f"rupees available {found.available:,.2f}, used {found.used:,.2f}")
    print_table(
        f"Positions: {len(positions) or 'none'}",
        ("contract", "product", ">units", ">average", ">profit"),
        [_cells(row, "tradingsymbol", "product", "quantity", "average_price", "pnl") for row in positions],
    )
    print_table(
        f"Orders of today: {len(orders) or 'none'}",
        ("time", "contract", "side", ">units", ">filled", ">average", "status", "tag", "message"),
        [
            _cells(
                row, "order_timestamp", "tradingsymbol", "transaction_type", "quantity", "filled_quantity",
                "average_price", "status", "tag", "status_message",
            )
            for row in orders
        ],
    )  # fmt: skip


def _instruments(options: argparse.Namespace, settings: CommandSettings, secrets: Secrets) -> None:
    from brokers.choice import chosen_broker

    underlying = options.underlying or settings.market.instrument
    broker = chosen_broker(_broker_settings(options, settings))
    store = broker.open_store(broker.find_session(secrets, WallClock()), NullLog())
    try:
        nearest, futures = store.find_contract(underlying, None), store.futures(underlying)
    finally:
        store.close()
    print_table(
        f"Futures of {underlying}; {nearest.symbol} is the nearest",
        ("contract", ">token", "expiry", ">lot", ">tick"),
        [
            (future.symbol, str(future.token), str(future.expiry), str(future.lot), f"{future.tick:g}")
            for future in futures
        ],
    )


def _broker_settings(options: argparse.Namespace, settings: CommandSettings) -> BrokerSettings:
    """Return the settings with the broker that ``--broker`` names."""
    if options.broker is None:
        return settings.broker
    return settings.broker.model_copy(update={"name": options.broker})


def _cells(row: Mapping[str, Any], *names: str) -> list[str]:
    cells = []
    for name in names:
        value = row.get(name)
        cells.append("" if value is None else f"{value:,.2f}" if isinstance(value, float) else str(value))
    return cells
