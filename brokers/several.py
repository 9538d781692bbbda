"""Several brokers behind one face: each instrument's orders go to the broker of that instrument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import backtrader as bt

from feeds.errors import BrokerError

__all__ = ["BrokerPerInstrument"]


class _OneFeed(NamedTuple):
    """What a part sees of Cerebro."""

    datas: list[Any]


class BrokerPerInstrument(bt.BrokerBase):
    """One account that is kept in parts, one for each instrument.

    Parameters
    ----------
    brokers : mapping
        A broker (:class:`brokers.live_broker.LiveBroker`, :class:`brokers.paper.PaperBroker`) by the name of
        its instrument's feed. Each counts from the same cash: that of the whole account.
    cash : float
        Rupees of the whole account before any of the profits that the parts know.
    """

    def __init__(self, brokers: Mapping[str, Any], cash: float) -> None:
        super().__init__()
        self._brokers = dict(brokers)
        self.startingcash = cash

    def start(self) -> None:
        """Begin a run: each part sees its own feed and no other."""
        feeds = {feed._name: feed for feed in self.cerebro.datas}
        for name, broker in self._brokers.items():
            broker.cerebro = _OneFeed([feeds[name]])
            broker.start()

    def stop(self) -> None:
        """End a run."""
        for broker in self._brokers.values():
            broker.stop()

    def next(self) -> None:
        """Let each part do what is due."""
        for broker in self._brokers.values():
            broker.next()

    def getcash(self) -> float:
        """Return the account's realised cash, rupees."""
        return self._together([broker.getcash() for broker in self._brokers.values()])

    get_cash = getcash

    def getvalue(self, datas: Any = None) -> float:  # noqa: ANN401 # backtrader's signature
        """Return the account's cash plus the open profit of all parts, rupees."""
        return self._together([broker.getvalue() for broker in self._brokers.values()])

    get_value = getvalue

    def getposition(self, data: Any) -> Any:  # noqa: ANN401 # backtrader's Position, untyped
        """Return backtrader's ``Position`` of a feed."""
        return self._of(data).getposition(data)

    def getcommissioninfo(self, data: Any) -> Any:  # noqa: ANN401 # backtrader's signature
        """Return the profit arithmetic of a feed's future."""
        return self._of(data).getcommissioninfo(data)

    def get_notification(self) -> Any:  # noqa: ANN401 # an order of the part's broker
        """Return the next order whose state changed, None when there is none."""
        for broker in self._brokers.values():
            order = broker.get_notification()
            if order is not None:
                return order
        return None

    def get_orders_open(self, safe: bool = False) -> list[Any]:
        """Return the orders that may still fill."""
        return [order for broker in self._brokers.values() for order in broker.get_orders_open(safe)]

    def buy(self, owner: Any, data: Any, size: float, **request: Any) -> Any:  # noqa: ANN401 # backtrader's
        """Hand a buy order to the instrument's broker."""
        return self._of(data).buy(owner, data, size, **request)

    def sell(self, owner: Any, data: Any, size: float, **request: Any) -> Any:  # noqa: ANN401 # backtrader's
        """Hand a sell order to the instrument's broker."""
        return self._of(data).sell(owner, data, size, **request)

    def cancel(self, order: Any) -> bool:  # noqa: ANN401 # an order of the part's broker
        """Have the instrument's broker take an order back."""
        return bool(self._of(order.data).cancel(order))

    def move_stop(self, order: Any, price: float) -> bool:  # noqa: ANN401 # an order of the part's broker
        """Have the instrument's broker move a stop (index points)."""
        return bool(self._of(order.data).move_stop(order, price))

    def _together(self, amounts: Sequence[float]) -> float:
        # Each part counts from the whole account's cash, and knows its own profit only
        return float(self.startingcash + sum(amount - self.startingcash for amount in amounts))

    def _of(self, data: Any) -> Any:  # noqa: ANN401 # a backtrader feed; its broker
        try:
            return self._brokers[data._name]
        except KeyError:
            raise BrokerError(
                f"an order of {data._name or 'a feed without a name'}, expected one of "
                f"{', '.join(self._brokers)}; name the feed after its instrument"
            ) from None
