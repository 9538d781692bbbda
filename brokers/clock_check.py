"""The machine's clock held against a broker's."""

from __future__ import annotations

import datetime as dt

from feeds.clock import Clock
from feeds.errors import BrokerError
from feeds.log import Log

__all__ = ["checked_skew"]


def checked_skew(
    broker: str, server: dt.datetime | None, clock: Clock, most_seconds: float, log: Log
) -> float | None:
    """Return how far ``clock`` is ahead of the server's, seconds; None where the server's time is not known.

    Parameters
    ----------
    broker : str
        Its name, for messages.
    server : datetime or None
        The time of its answer, aware, whole seconds; None where answers carry none: that is logged.
    clock : Clock
        Of this machine.
    most_seconds : float
        What is allowed.
    log : Log
        Told that nothing was compared.

    Raises
    ------
    BrokerError
        They differ by more than ``most_seconds`` (and the second to which the server rounds).
    """
    if server is None:
        log.warning("no_server_time", reason="its answers carry no Date; the clock is not checked")
        return None
    # The server's stamp has whole seconds: the truth lies up to one second after it.
    ahead = (clock.now() - server).total_seconds()
    skew = ahead if ahead < 0 else max(0.0, ahead - 1.0)
    if abs(skew) > most_seconds:
        raise BrokerError(
            f"this machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} {broker}'s, "
            f"expected at most {most_seconds:g} s; synchronise it (timedatectl set-ntp true)"
        )
    return skew
