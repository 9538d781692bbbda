"""Which requests a fetch takes: as few as the broker's spans allow, and nothing that was fetched before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import NamedTuple

from feeds.fetch.parts import Part
from feeds.sources.history import HistoryKey

__all__ = ["Request", "plan_requests"]


class Request(NamedTuple):
    """One request to the history.

    Attributes
    ----------
    key : int or str
        The instrument.
    symbol : str
        Its name for a person.
    days : tuple of datetime.date
        Sessions asked for, in order; those between the first and the last, all of them.
    """

    key: HistoryKey
    symbol: str
    days: tuple[dt.date, ...]

    @property
    def first(self) -> dt.date:
        """First day asked for."""
        return self.days[0]

    @property
    def last(self) -> dt.date:
        """Last day asked for."""
        return self.days[-1]


def plan_requests(parts: Sequence[Part], fetched: Collection[dt.date], span_days: int) -> list[Request]:
    """Cut what is missing into requests, oldest first.

    Parameters
    ----------
    parts : sequence of Part
        Who answers for which sessions.
    fetched : collection of datetime.date
        Sessions that need not be asked for.
    span_days : int
        Calendar days one request may cover, first and last included.

    Returns
    -------
    list of Request
        Each missing session in exactly one of them, no other session in any; there is no plan with fewer.
    """
    requests: list[Request] = []
    for part in parts:
        taken: list[dt.date] = []
        for day in part.days:
            is_known = day in fetched
            if taken and (is_known or (day - taken[0]).days >= span_days):
                requests.append(Request(part.key, part.symbol, tuple(taken)))
                taken = []
            if not is_known:
                taken.append(day)
        if taken:
            requests.append(Request(part.key, part.symbol, tuple(taken)))
    return requests
