"""The dated table of charges: which rate holds on a day."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from pathlib import Path
from typing import NamedTuple

from feeds.errors import DataError, SettingsError
from feeds.tables import read_table

__all__ = ["CHARGES_CSV", "ChargeTable", "Rates"]

CHARGES_CSV = Path(__file__).parent / "facts" / "charges.csv"
"""The shipped table: NSE index futures since 2013, each row with its source."""

_COLUMNS = ("component", "effective_from", "side", "rate", "unit")


class Rates(NamedTuple):
    """What one day's rates are, as fractions of the turnover unless said otherwise.

    Attributes
    ----------
    brokerage, brokerage_cap : float
        Rate, and the most an executed order pays, rupees.
    stt_buy, stt_sell, stamp_buy, stamp_sell : float
        Securities transaction tax and stamp duty by side.
    exchange, ipft, sebi : float
        Exchange transaction charge, investor protection fund and SEBI turnover fee, both sides.
    gst : float
        Service tax or GST, fraction of its base.
    gst_on_ipft, gst_on_sebi : float
        1.0 where that component is in the base of the GST, else 0.0. Brokerage and exchange charge always
        are.
    """

    brokerage: float
    brokerage_cap: float
    stt_buy: float
    stt_sell: float
    stamp_buy: float
    stamp_sell: float
    exchange: float
    ipft: float
    sebi: float
    gst: float
    gst_on_ipft: float
    gst_on_sebi: float


class _Row(NamedTuple):
    effective_from: dt.date
    side: str
    rate: float
    unit: str


class ChargeTable:
    """Rates by component and date.

    Parameters
    ----------
    path : Path
        A CSV file with the columns ``component, effective_from, side, rate, unit, source, confidence``.
        ``side`` is ``buy``, ``sell`` or ``both``; ``unit`` is ``of_turnover``, ``rupees_per_order`` or, for
        the tax, ``of_`` and the components of its base joined by ``+``. A row holds until the next one of
        its component.

    Raises
    ------
    DataError
        If the table cannot be read or a row makes no sense.
    """

    def __init__(self, path: Path = CHARGES_CSV) -> None:
        self._path = path
        self._rows: dict[str, list[_Row]] = {}
        for line, row in enumerate(read_table(path, _COLUMNS), start=2):
            self._rows.setdefault(row["component"], []).append(self._parse(row, line))
        for component, rows in self._rows.items():
            days = [row.effective_from for row in rows]
            if days != sorted(set(days)):
                msg = f"{path.name}: the rows of {component} are not in ascending order of date; sort them"
                raise DataError(msg)

    @property
    def latest_date(self) -> dt.date:
        """The newest ``effective_from``: from this day on the table knows of no change."""
        return max(rows[-1].effective_from for rows in self._rows.values())

    def first_date(self, broker: str) -> dt.date:
        """Return the first day on which every component a broker's plan needs has a rate."""
        return max(self._of(name)[0].effective_from for name in _components(broker))

    def rates_on(self, day: dt.date, broker: str) -> Rates:
        """Return the rates of a day.

        Parameters
        ----------
        day : datetime.date
            Trading day.
        broker : str
            Prefix of the broker's rows, e.g. ``zerodha``.

        Raises
        ------
        DataError
            If the table does not reach back to ``day``: old charges are not guessed.
        SettingsError
            If the table has no rows for ``broker``.
        """
        brokerage, cap, stt, stamp, exchange, ipft, sebi, gst = (
            self._on(name, day) for name in _components(broker)
        )
        base = gst.unit.removeprefix("of_").split("+")
        return Rates(
            brokerage=brokerage.rate,
            brokerage_cap=cap.rate,
            stt_buy=stt.rate * (stt.side != "sell"),
            stt_sell=stt.rate * (stt.side != "buy"),
            stamp_buy=stamp.rate * (stamp.side != "sell"),
            stamp_sell=stamp.rate * (stamp.side != "buy"),
            exchange=exchange.rate,
            ipft=ipft.rate,
            sebi=sebi.rate,
            gst=gst.rate,
            gst_on_ipft=float("ipft" in base),
            gst_on_sebi=float("sebi" in base),
        )

    def _on(self, component: str, day: dt.date) -> _Row:
        rows = self._of(component)
        position = bisect_right(rows, day, key=lambda row: row.effective_from)
        if not position:
            msg = (
                f"no rate of {component} is known for {day}: {self._path.name} begins on "
                f"{rows[0].effective_from}; add a row with its source, or set broker.charges.plan to percent"
            )
            raise DataError(msg)
        return rows[position - 1]

    def _of(self, component: str) -> list[_Row]:
        rows = self._rows.get(component)
        if rows is None:
            msg = f"{self._path.name} has no rows for {component}; it has {', '.join(sorted(self._rows))}"
            raise SettingsError(msg)
        return rows

    def _parse(self, row: dict[str, str], line: int) -> _Row:
        try:
            parsed = _Row(
                dt.date.fromisoformat(row["effective_from"]), row["side"], float(row["rate"]), row["unit"]
            )
        except ValueError as error:
            msg = f"{self._path.name}, row {line}: {error}; expected an ISO date and a number"
            raise DataError(msg) from error
        base = set(parsed.unit.removeprefix("of_").split("+"))
        units_known = parsed.unit in {"of_turnover", "rupees_per_order"} or (
            {"brokerage", "exchange"} <= base <= {"brokerage", "exchange", "ipft", "sebi"}
        )
        if parsed.side not in {"buy", "sell", "both"} or not 0.0 <= parsed.rate < 1e6 or not units_known:
            msg = (
                f"{self._path.name}, row {line}: found side {parsed.side!r}, rate {parsed.rate}, unit "
                f"{parsed.unit!r}; expected buy, sell or both, a rate of 0 or more, and a unit as documented"
            )
            raise DataError(msg)
        return parsed


def _components(broker: str) -> tuple[str, ...]:
    own = f"{broker}_brokerage"
    return (own, f"{own}_cap", "stt", "stamp", "exchange", "ipft", "sebi", "gst")
