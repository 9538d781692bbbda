"""The desk's hands: workers that make the calls to the broker and report back as messages.

Every call is made once. An error of the broker is part of the report; any other error is a fault of the
program and reported as :class:`brokers.desk.messages.Crashed`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from brokers.desk.messages import BookRead, CancelAnswered, ChangeAnswered, Crashed, Message, PlaceAnswered
from brokers.reconcile import Book
from brokers.wire import OrderRequest, OrderWire
from feeds.errors import BrokerError

__all__ = ["Dispatcher"]

_WRITERS = 4


class Dispatcher:
    """Calls the broker without making the desk wait.

    Parameters
    ----------
    wire : OrderWire
        The broker; called from several threads.
    report : callable
        Takes the messages, from any thread.
    """

    def __init__(self, wire: OrderWire, report: Callable[[Message], None]) -> None:
        self._wire = wire
        self._report = report
        self._writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix="order-writer")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="book-reader")

    def place(self, request: OrderRequest, cause: float) -> None:
        """Send an order; ``cause`` is the moment of what caused it (``time.perf_counter`` seconds)."""
        self._submit(self._writers, self._place, request, cause)

    def cancel(self, tag: str, order_id: str) -> None:
        """Send a cancel."""
        self._submit(self._writers, self._cancel, tag, order_id)

    def modify(self, tag: str, order_id: str, *, size: int, price: float, resized: bool) -> None:
        """Send a change of a stop; see :meth:`brokers.wire.OrderWire.modify`."""
        self._submit(self._writers, self._modify, tag, order_id, size, price, resized)

    def read(self, requested: float, *, positions: bool) -> None:
        """Read the book; ``requested`` is handed back with it."""
        self._submit(self._reader, self._read, requested, positions)

    def read_now(self) -> Book:
        """Read the whole book in the caller's thread. Raises BrokerError where it could not ask."""
        return self._book(positions=True)

    def close(self, *, wait: bool) -> None:
        """Take no more calls; with ``wait``, let those under way end first."""
        self._writers.shutdown(wait=wait, cancel_futures=True)
        self._reader.shutdown(wait=wait, cancel_futures=True)

    def _place(self, request: OrderRequest, cause: float) -> None:
        started = time.perf_counter()
        try:
            answer: str | BrokerError = self._wire.place(request)
        except BrokerError as error:
            answer = error
        arrived = time.perf_counter()
        wire_ms, answer_ms = 1e3 * (started - cause), 1e3 * (arrived - started)
        self._report(PlaceAnswered(arrived, request.tag, answer, wire_ms, answer_ms))

    def _cancel(self, tag: str, order_id: str) -> None:
        refusal: BrokerError | None = None
        try:
            self._wire.cancel(order_id)
        except BrokerError as error:
            refusal = error
        self._report(CancelAnswered(time.perf_counter(), tag, refusal))

    def _modify(self, tag: str, order_id: str, size: int, price: float, resized: bool) -> None:
        refusal: BrokerError | None = None
        try:
            self._wire.modify(order_id, size=size, price=price, resized=resized)
        except BrokerError as error:
            refusal = error
        self._report(ChangeAnswered(time.perf_counter(), tag, refusal))

    def _read(self, requested: float, positions: bool) -> None:
        try:
            answer: Book | BrokerError = self._book(positions=positions)
        except BrokerError as error:
            answer = error
        self._report(BookRead(time.perf_counter(), requested, answer))

    def _book(self, *, positions: bool) -> Book:
        orders = self._wire.orders()
        trades = self._wire.trades()
        return Book(orders, trades, self._wire.positions() if positions else None)

    def _submit(self, pool: ThreadPoolExecutor, work: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401
        pool.submit(work, *arguments).add_done_callback(self._report_crash)

    def _report_crash(self, future: Future[None]) -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None:
            self._report(Crashed(time.perf_counter(), error))
