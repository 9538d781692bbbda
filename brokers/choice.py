"""The broker that the settings name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from brokers.access import BrokerAccess
from brokers.settings import BrokerSettings
from feeds.errors import SettingsError

__all__ = ["chosen_broker", "upstox_packages"]

_OF_UPSTOX = ("upstox_client", "google")


def chosen_broker(settings: BrokerSettings) -> BrokerAccess:
    """Return the way to the broker that ``broker.name`` names."""
    # Each broker's packages are needed by who trades there only.
    if settings.name == "upstox":
        with upstox_packages():
            from brokers.upstox.access import UpstoxAccess

        return UpstoxAccess(settings.upstox)
    from brokers.kite.access import KiteAccess

    return KiteAccess(settings.kite)


@contextmanager
def upstox_packages() -> Iterator[None]:
    """Say which extra is missing where a package of Upstox is. Raises SettingsError."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _OF_UPSTOX:
            raise
        raise SettingsError(
            f"module {error.name} is not installed, expected Upstox' client; run: pip install "
            "'muhurat[live,upstox]'"
        ) from error
