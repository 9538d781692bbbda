"""The commands ``login``, ``account`` and ``instruments`` of ``python -m brokers``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feeds.clock import WallClock
from feeds.errors import MuhuratError, SettingsError
from feeds.log import NullLog
from feeds.secrets import Secrets, load_secrets
from feeds.show import print_line, print_table

if TYPE_CHECKING:
    from brokers.kite.client import KiteClient
    from brokers.kite.command_settings import CommandSettings

__all__ = ["add_parsers", "guarded", "settings_parser"]

_EXCHANGE = "NFO"
_WHERE = "it is shown where you made the app, at https://developers.kite.trade"


def add_parsers(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands; each sets ``run``, which takes the options and returns the exit code."""
    common = settings_parser()
    login = subparsers.add_parser(
        "login",
        parents=[common],
        help="log in at Kite with your browser, and keep the access token of the day",
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
        from brokers.kite.command_settings import read_settings

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
    from brokers.kite.login import LoginCallback, exchange, login_address, request_token_in
    from brokers.kite.session import token_store

    kite = settings.broker.kite
    api_key = secrets.require("KITE_API_KEY", _WHERE)
    api_secret = secrets.require("KITE_API_SECRET", _WHERE)
    with LoginCallback(kite.callback_port) as callback:
        print_line(f"Open in your browser:\n\n  {login_address(kite, api_key, callback.state)}\n")
        if options.paste:
            print_line(f"Paste the address that begins with {callback.url} here:")
            sys.stdout.flush()
            request_token = request_token_in(sys.stdin.readline(), callback.state)
        else:
            print_line(f"Waiting for it to come back to {callback.url} ...")
            sys.stdout.flush()
            request_token = callback.wait(options.timeout_seconds)
    secrets.remember(request_token)
    token = exchange(
        kite, api_key=api_key, api_secret=api_secret, request_token=request_token, clock=WallClock()
    )
    secrets.remember(token.access_token)
    store = token_store(kite)
    store.save(token)
    print_line(f"Logged in as {token.user_id} until {token.ends:%Y-%m-%d %H:%M}; token kept in {store.path}.")


def _account(_: argparse.Namespace, settings: CommandSettings, secrets: Secrets) -> None:
    with _client(settings, secrets) as client:
        profile, funds = client.profile(), client.funds()
        positions = [row for row in client.positions() if row.get("quantity")]
        orders = client.orders()
    print_line(f"{profile.user_id} {profile.user_name}, exchanges {', '.join(profile.exchanges)}")
    print_line(f"rupees available {funds.available:,.2f}, used {funds.used:,.2f}")
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
    from brokers.kite.instruments import find_future, futures_of

    underlying = options.underlying or settings.market.instrument
    with _client(settings, secrets) as client:
        rows = client.instruments(_EXCHANGE)
    nearest = find_future(rows, underlying, None)
    print_table(
        f"Futures of {underlying}; {nearest.symbol} is the nearest",
        ("contract", ">token", "expiry", ">lot", ">tick"),
        [
            (future.symbol, str(future.token), str(future.expiry), str(future.lot), f"{future.tick:g}")
            for future in futures_of(rows, underlying)
        ],
    )


@contextmanager
def _client(settings: CommandSettings, secrets: Secrets) -> Iterator[KiteClient]:
    from brokers.kite.client import KiteClient
    from brokers.kite.session import find_session

    session = find_session(settings.broker.kite, secrets, WallClock())
    client = KiteClient(settings.broker.kite, session.api_key, session.access_token, NullLog())
    try:
        yield client
    finally:
        client.close()


def _cells(row: dict[str, Any], *names: str) -> list[str]:
    cells = []
    for name in names:
        value = row.get(name)
        cells.append("" if value is None else f"{value:,.2f}" if isinstance(value, float) else str(value))
    return cells
