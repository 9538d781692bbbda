"""Alerts about orders, made of facts only: what was filled, refused or denied, never what was intended.

An entry comes in several executions; it is told once, when the order is whole or ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from analyzers.alerts.draft import Draft, deal, points, rupees, side

__all__ = ["OrderAlerts"]

_MOST_KEPT = 2000
"""Orders remembered: a day has hundreds at most."""

_ENDED = ("complete", "cancelled", "rejected")


@dataclass
class _Order:
    """An order of the journal: signed units asked for and filled, and their worth in points times units."""

    trip: int
    role: str
    size: float
    filled: float = 0.0
    worth: float = 0.0
    final_units: float | None = None

    @property
    def average(self) -> float:
        return self.worth / self.filled

    @property
    def is_whole(self) -> bool:
        """Whether all that it will ever fill has been heard of."""
        whole = abs(self.size) if self.final_units is None else self.final_units
        return abs(self.filled) >= whole


class OrderAlerts:
    """Follows the orders of the day through their records, live ones and simulated ones."""

    def __init__(self) -> None:
        self._orders: dict[str, _Order] = {}
        self._trips: dict[int, dict[str, Any]] = {}
        self._paper: dict[int, Mapping[str, Any]] = {}
        self._denied: tuple[str, str] | None = None
        self._makers: dict[str, Callable[[Mapping[str, Any]], Draft | None]] = {
            "entry_decided": self._on_decided,
            "intent": self._on_intent,
            "order_seen": self._on_seen,
            "filled": self._on_filled,
            "exit_wanted": self._on_exit_wanted,
            "trip_closed": self._on_closed,
            "entry_denied": self._on_denied,
            "refused": self._on_refused,
            "unresolved": self._on_unresolved,
            "not_found": self._on_not_found,
            "paper_order": self._on_paper,
        }

    def knows(self, event: str) -> bool:
        """Return whether records of this event are for this class."""
        return event in self._makers

    def draft_of(self, record: Mapping[str, Any]) -> Draft | None:
        """Return what is to be told of a record.

        Raises
        ------
        KeyError, TypeError, ValueError
            It is malformed.
        """
        return self._makers[record["event"]](record)

    # -- the journal of a live day ---------------------------------------------------------------

    def _trip(self, number: int) -> dict[str, Any]:
        return _kept(self._trips, number, {})

    def _on_decided(self, fact: Mapping[str, Any]) -> None:
        self._trip(fact["trip"])["decided"] = fact

    def _on_intent(self, fact: Mapping[str, Any]) -> None:
        _kept(self._orders, fact["tag"], _Order(fact["trip"], fact["role"], fact["size"]))

    def _on_seen(self, fact: Mapping[str, Any]) -> Draft | None:
        order = self._orders.get(fact["tag"])
        if order is None or fact["state"] not in _ENDED or order.final_units is not None:
            return None
        was_whole = order.is_whole
        order.final_units = abs(fact["filled"])
        return self._entered(fact["tag"], order) if order.is_whole and not was_whole else None

    def _on_filled(self, fact: Mapping[str, Any]) -> Draft | None:
        order = self._orders.get(fact["tag"])
        if order is None:  # its intent was logged before this program looked
            return Draft(
                "info", f"filled: {deal(fact['size'])} at {points(fact['price'])}",
                key=f"fill:{fact['tag']}:{fact['trade_id']}",
            )  # fmt: skip
        order.filled += fact["size"]
        order.worth += fact["size"] * fact["price"]
        if order.role == "entry":
            return self._entered(fact["tag"], order) if order.is_whole else None
        trip = self._trip(order.trip)
        trip["units"] = trip.get("units", 0.0) + fact["size"]
        trip["worth"] = trip.get("worth", 0.0) + fact["size"] * fact["price"]
        trip["role"] = order.role
        return None

    def _entered(self, tag: str, order: _Order) -> Draft | None:
        if order.role != "entry" or not order.filled:
            return None
        decided = self._trip(order.trip).get("decided", {})
        lines = [f"Trade {order.trip}."]
        if abs(order.filled) < abs(order.size):
            lines.append(f"Only {abs(order.filled):,.0f} of {abs(order.size):,.0f} were filled.")
        if decided:
            lines.append(_guard(decided.get("stop_price"), decided.get("target_price")))
        if decided.get("probability") is not None:
            lines.append(f"Probability {decided['probability']:.2f}.")
        if decided.get("reason"):
            lines.append(f"Reduced: {decided['reason']}.")
        return Draft(
            "info", f"{side(order.filled)} {{symbol}} at {points(order.average)}", lines, f"entry:{tag}"
        )

    def _on_exit_wanted(self, fact: Mapping[str, Any]) -> None:
        self._trip(fact["trip"])["wanted"] = fact

    def _on_closed(self, fact: Mapping[str, Any]) -> Draft:
        trip = self._trip(fact["trip"])
        wanted = trip.get("wanted", {})
        reason = str(trip.get("role") or wanted.get("reason") or "closed").replace("_", " ")
        lines = []
        if trip.get("units"):
            lines.append(f"{deal(trip['units']).capitalize()} at {points(trip['worth'] / trip['units'])}.")
        if wanted.get("detail"):
            lines.append(f"Because: {wanted['detail']}.")
        earned = fact["net_pnl"]
        if earned is None:
            lines.append("What it earned is not known: somebody else closed a part of it.")
        told = "result not known" if earned is None else f"net {rupees(earned)}"
        return Draft(
            "info" if earned is not None else "warning", f"flat again, {told} ({reason})",
            [f"Trade {fact['trip']}, charges paid.", *lines], f"exit:{fact['trip']}",
        )  # fmt: skip

    def _on_denied(self, fact: Mapping[str, Any]) -> Draft | None:
        rule = fact.get("rule") or "desk"
        told = (rule, str(fact.get("signal_time") or fact["time"]))
        if told == self._denied:
            return None
        self._denied = told
        return Draft(
            "info", f"entry denied ({rule.replace('_', ' ')}): {deal(fact['size'])}",
            [f"{fact['reason']}."], f"denied:{rule}",
        )  # fmt: skip

    def _on_refused(self, fact: Mapping[str, Any]) -> Draft | None:
        order = self._orders.get(fact["tag"])
        if order is not None and order.role != "entry":
            return None  # told of by exit_refused or protection_failed, which say what is done about it
        return Draft(
            "warning", "the broker refused an order", [f"{fact['reason']}."], f"refused:{fact['reason']}"
        )

    def _on_unresolved(self, fact: Mapping[str, Any]) -> Draft:
        order = self._orders.get(fact["tag"])
        what = f"{order.role} order, {deal(order.size)}" if order else f"order {fact['tag']}"
        return Draft(
            "warning", f"outcome unknown: {what}",
            [f"{fact['reason']}.", "The order book is being asked; no entry is sent until it is known."],
            f"unresolved:{fact['tag']}",
        )  # fmt: skip

    def _on_not_found(self, fact: Mapping[str, Any]) -> Draft:
        return Draft(
            "warning", f"order {fact['tag']} was never placed, as the order book has it",
            ["It is watched for until the end of the day."], f"not_found:{fact['tag']}",
        )  # fmt: skip

    # -- simulated orders ------------------------------------------------------------------------

    def _on_paper(self, event: Mapping[str, Any]) -> Draft | None:
        """Tell of a simulated order that came to its end; its charges are in the day's summary."""
        state, is_entry = event["state"], event["role"] == "entry"
        if is_entry and state in ("denied", "rejected", "margin"):
            return self._on_denied(
                {**event, "signal_time": event.get("time_"), "reason": event.get("reason") or state}
            )
        if not is_entry and event["kind"] != "market" and state in ("submitted", "accepted"):
            self._trip(event["trade_id"])[event["role"]] = event["price"]
        is_over = state in ("completed", "canceled", "expired", "margin", "rejected")
        if not is_over or not event["filled"]:
            return None
        if is_entry:
            return self._paper_entry(event)
        return self._paper_exit(event)

    def _paper_entry(self, event: Mapping[str, Any]) -> Draft:
        number = event["trade_id"]
        _kept(self._paper, number, event)
        trip = self._trip(number)
        lines = [f"Trade {number}, on paper.", _guard(trip.get("stop"), trip.get("target"))]
        return Draft(
            "info", f"{side(event['filled'])} {{symbol}} at {points(event['average_price'])}",
            [line for line in lines if line], f"entry:paper:{event['order_id']}",
        )  # fmt: skip

    def _paper_exit(self, event: Mapping[str, Any]) -> Draft:
        number = event["trade_id"]
        entry = self._paper.get(number)
        reason = str(event["role"]).replace("_", " ")
        told = f"{deal(event['filled'])} at {points(event['average_price'])}"
        key = f"exit:paper:{event['order_id']}"
        if entry is None:
            return Draft("info", f"exit: {told} ({reason})", [f"Trade {number}, on paper."], key)
        gross = (entry["average_price"] - event["average_price"]) * event["filled"]
        lines = [f"Trade {number}, on paper: {told}.", "Before charges; the summary of the day has them."]
        return Draft("info", f"exit, gross {rupees(gross)} ({reason})", lines, key)


def _guard(stop: float | None, target: float | None) -> str:
    words = [f"{name} {points(price)}" for name, price in (("stop", stop), ("target", target)) if price]
    return f"{', '.join(words).capitalize()}." if words else ""


def _kept(kept: dict[Any, Any], key: object, value: Any) -> Any:  # noqa: ANN401 # one helper for three tables
    """Return what is kept under a key, at first ``value``; of too many the oldest is forgotten."""
    if key not in kept and len(kept) >= _MOST_KEPT:
        del kept[next(iter(kept))]
    return kept.setdefault(key, value)
