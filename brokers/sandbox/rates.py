"""How many order requests the exchange takes, by calendar second, minute and day."""

from __future__ import annotations

import datetime as dt

from brokers.sandbox.exchange_error import too_many_requests

__all__ = ["PER_DAY", "PER_MINUTE", "PER_SECOND", "OrderRates"]

PER_SECOND = 10
PER_MINUTE = 400
PER_DAY = 5000


class OrderRates:
    """Counts the order requests of one account; whoever has a clock passes its time in.

    Parameters
    ----------
    per_second, per_minute : int
        Placements, modifications and cancels together; a refused request counts, too.
    per_day : int
        Placements.
    """

    def __init__(
        self, per_second: int = PER_SECOND, per_minute: int = PER_MINUTE, per_day: int = PER_DAY
    ) -> None:
        self._per_second, self._per_minute, self._per_day = per_second, per_minute, per_day
        self._second: tuple[dt.datetime | None, int] = (None, 0)
        self._minute: tuple[dt.datetime | None, int] = (None, 0)
        self._placed = 0

    def take(self, time: dt.datetime, *, is_placement: bool) -> None:
        """Count one request.

        Parameters
        ----------
        time : datetime.datetime
            When it came.
        is_placement : bool
            Placements count towards the day.

        Raises
        ------
        ExchangeError
            429, if it is one too many. For the day that holds until the next one, for exits as well.
        """
        self._second = _counted(self._second, time.replace(microsecond=0))
        self._minute = _counted(self._minute, time.replace(second=0, microsecond=0))
        self._placed += is_placement
        if self._second[1] > self._per_second or self._minute[1] > self._per_minute:
            raise too_many_requests()
        if is_placement and self._placed > self._per_day:
            raise too_many_requests("Maximum allowed order requests exceeded.")


def _counted(window: tuple[dt.datetime | None, int], start: dt.datetime) -> tuple[dt.datetime, int]:
    return start, (window[1] + 1 if window[0] == start else 1)
