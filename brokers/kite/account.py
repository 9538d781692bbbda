"""What Kite says of the account, typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from brokers.funds import Funds
from feeds.errors import BrokerError

__all__ = ["Profile", "funds_from", "profile_from"]


class Profile(NamedTuple):
    """Who is logged in, and what the account may trade."""

    user_id: str
    user_name: str
    exchanges: tuple[str, ...]
    products: tuple[str, ...]


def profile_from(data: Mapping[str, Any]) -> Profile:
    """Read the answer of ``profile``. Raises BrokerError for another form."""
    try:
        return Profile(
            str(data["user_id"]),
            str(data.get("user_name") or ""),
            tuple(data.get("exchanges") or ()),
            tuple(data.get("products") or ()),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise _unexpected("profile", error) from error


def funds_from(data: Mapping[str, Any]) -> Funds:
    """Read the answer of ``margins``. Raises BrokerError for another form, or a segment that is off."""
    try:
        equity = data["equity"]
        if not equity.get("enabled", True):
            raise BrokerError(
                "the equity and derivatives segment of the account is not enabled, expected an active one; "
                "activate it at the broker"
            )
        return Funds(float(equity["net"]), float(equity["utilised"]["debits"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unexpected("margins", error) from error


def _unexpected(what: str, error: Exception) -> BrokerError:
    return BrokerError(
        f"Kite's answer to {what} has another form than expected ({type(error).__name__}: {error}); "
        "check broker.kite.api_root, or update the project"
    )
