"""The broker that the settings name."""

from __future__ import annotations

from brokers.access import BrokerAccess
from brokers.settings import BrokerSettings

__all__ = ["chosen_broker"]


def chosen_broker(settings: BrokerSettings) -> BrokerAccess:
    """Return the way to the broker that ``broker.name`` names."""
    # Each broker's packages are needed by who trades there only.
    if settings.name == "upstox":
        from brokers.upstox.access import UpstoxAccess

        return UpstoxAccess(settings.upstox)
    from brokers.kite.access import KiteAccess

    return KiteAccess(settings.kite)
