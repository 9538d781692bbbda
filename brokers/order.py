"""An order of the simulated broker: backtrader's order without its construction cost.

A stock order resolves fifteen parameters through a metaclass and computes an end of session that only
``Close`` orders use. This one stores plain attributes. It is cloned for every notification, as
backtrader does, so that a strategy sees the state as it was.
"""

from __future__ import annotations

import math
from typing import Any, Self

import backtrader as bt
from backtrader.order import OrderData

from feeds.errors import BrokerError

__all__ = ["EXECUTION_NAMES", "SimulatedOrder", "make_order", "on_tick"]

_NOT_SIMULATED = ("valid", "oco", "trailamount", "trailpercent")
EXECUTION_NAMES = {
    bt.Order.Market: "market",
    bt.Order.Stop: "stop",
    bt.Order.Limit: "limit",
    bt.Order.StopLimit: "stop_limit",
}


class _PlainConstruction(type(bt.Order)):  # type: ignore[misc] # the metaclass of an untyped class
    """Skip backtrader's parameter machinery when an instance is made."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 # mirrors type.__call__
        return type.__call__(cls, *args, **kwargs)


class OrderParameters:
    """What backtrader itself reads of an order's parameters."""

    simulated = False


class SimulatedOrder(bt.Order, metaclass=_PlainConstruction):
    """One order.

    Attributes beyond backtrader's own
    ----------------------------------
    role : str
        ``entry`` or the reason of an exit (see :class:`brokers.journal.Fill`).
    round_trip : int
        Identifies the entry and its exits.
    charged : float
        Rupees of charges booked for this order so far.
    plimit : float or None
        Limit of a stop-limit order, whose trigger is the price; None for all others.
    planned : float
        Units, unsigned, that it was sent for; a target's ``size`` shrinks and grows with the position, this
        does not.
    triggered : bool
        The market has been at its trigger.
    """

    p = OrderParameters
    histnotify = False
    simulated = False

    def __init__(
        self,
        *,
        ref: int,
        owner: Any,  # noqa: ANN401 # a backtrader strategy, untyped
        data: Any,  # noqa: ANN401 # a backtrader feed, untyped
        size: float,
        price: float | None,
        plimit: float | None = None,
        exectype: int | None,
        tradeid: int,
        parent: SimulatedOrder | None,
        transmit: bool,
        info: dict[str, Any],
    ) -> None:
        self.ref = ref
        self.owner = owner
        self.data = data
        self.ordtype = self.Buy if size > 0 else self.Sell
        self.size = size
        self.exectype = self.Market if exectype is None else exectype
        self.tradeid = tradeid
        self.parent = parent
        self.transmit = transmit
        self.info = info
        self.role: str = info.get("role", "")
        self.round_trip = 0
        self.charged = 0.0
        self.status = self.Created
        self.triggered = False
        self.broker = None
        self.comminfo = None
        self.valid = None
        last_price = data.lines.close[0]
        self.price = last_price if price is None or self.exectype == self.Market else price
        self.plimit = plimit
        self.planned = abs(size)
        self.created = OrderData(dt=data.lines.datetime[0], size=size, price=self.price, pclose=last_price)
        self.executed = OrderData(remsize=size)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 # undo backtrader's fallback to parameters
        raise AttributeError(name)

    @property
    def kind(self) -> str:
        """``market``, ``stop``, ``limit`` or ``stop_limit``."""
        return EXECUTION_NAMES[self.exectype]

    @property
    def waits_for_limit(self) -> bool:
        """Whether it fills when the price is at a level or better; False where it waits for its trigger."""
        return self.exectype == self.Limit or (self.exectype == self.StopLimit and self.triggered)

    @property
    def waits_at(self) -> float:
        """The trigger or limit, index points, that it waits for now."""
        if self.plimit is not None and self.triggered:
            return self.plimit
        return float(self.created.price)

    @property
    def leaves_at_market(self) -> bool:
        """Whether this is a market order that closes a position."""
        return self.exectype == self.Market and self.role != "entry"

    def clone(self) -> Self:
        """Return a copy whose state no longer changes, as notifications need."""
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        executed = self.executed
        executed.markpending()
        frozen = object.__new__(OrderData)
        frozen.__dict__.update(executed.__dict__)
        copy.executed = frozen
        return copy

    def round_to(self, tick: float) -> None:
        """Round a trigger or limit price to the tick (index points); 0.0 rounds nothing."""
        if tick and self.exectype != self.Market:
            self.price = self.created.price = on_tick(self.price, tick)
            if self.plimit is not None:
                self.plimit = on_tick(self.plimit, tick)

    def resize(self, size: float) -> None:
        """Ask for ``size`` units (signed) instead; what is already filled stays filled."""
        self.size = size
        self.created.size = size
        self.executed.remsize = size - self.executed.size


def on_tick(price: float, tick: float) -> float:
    """Return the multiple of the tick (index points) that is nearest to a price; 0.0 rounds nothing."""
    # Ten decimals remove the binary dust of the multiplication, ticks have two.
    return round(round(price / tick) * tick, 10) if tick else price


def make_order(ref: int, owner: Any, data: Any, size: float, request: dict[str, Any]) -> SimulatedOrder:  # noqa: ANN401 # backtrader objects
    """Make an order out of what a strategy asked for.

    Parameters
    ----------
    ref : int
        Number of the order.
    owner, data
        The strategy and its feed.
    size : float
        Units, positive to buy.
    request : dict
        What backtrader's ``buy`` and ``sell`` hand over; unknown names become the order's ``info``.

    Raises
    ------
    BrokerError
        The order is of a kind that is not simulated, or its price is no number.
    """
    for name in _NOT_SIMULATED:
        if request.pop(name, None) is not None:
            raise BrokerError(
                f"order with {name!r} on {data._name}: not simulated; "
                "use market, stop, limit and stop-limit orders without it"
            )
    exectype = request.pop("exectype", None)
    if exectype is not None and exectype not in EXECUTION_NAMES:
        raise BrokerError(
            f"order type {bt.Order.ExecTypes[exectype]} on {data._name}: not simulated; "
            "use Market, Stop, Limit or StopLimit"
        )
    price, plimit = request.pop("price", None), request.pop("plimit", None)
    if price is not None and not math.isfinite(price):
        raise BrokerError(f"order on {data._name}: the price is {price}, expected a finite number")
    _check_limit(data, size, exectype, price, plimit)
    return SimulatedOrder(
        ref=ref,
        owner=owner,
        data=data,
        size=size,
        exectype=exectype,
        price=price,
        plimit=plimit,
        tradeid=request.pop("tradeid", 0),
        parent=request.pop("parent", None),
        transmit=request.pop("transmit", True),
        info=request,
    )


def _check_limit(
    data: Any,  # noqa: ANN401 # a backtrader feed
    size: float,
    exectype: int | None,
    price: float | None,
    plimit: float | None,
) -> None:
    """Refuse a second price where none belongs, and one that its own trigger has already passed."""
    if exectype != bt.Order.StopLimit:
        if plimit is not None:
            raise BrokerError(f"order on {data._name}: plimit is {plimit}, expected it with StopLimit only")
        return
    if price is None or plimit is None or not math.isfinite(plimit):
        raise BrokerError(
            f"stop-limit order on {data._name}: the trigger is {price} and the limit {plimit}, expected "
            "two finite numbers; give price and plimit"
        )
    if (plimit - price) * size < 0:
        where = "at or above" if size > 0 else "at or below"
        raise BrokerError(
            f"stop-limit order on {data._name}: the limit is {plimit:g} with the trigger at {price:g}, "
            f"expected {where} it, or it could not fill when triggered"
        )
