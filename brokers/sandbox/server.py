"""The sandbox as a server: HTTP and WebSocket on one port of 127.0.0.1, run in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from aiohttp import web

from brokers.sandbox.control import add_control
from brokers.sandbox.exchange import Exchange
from brokers.sandbox.faults import FaultBoard
from brokers.sandbox.http import add_api, as_kite_answers
from brokers.sandbox.market import MarketTrade
from brokers.sandbox.server_config import SandboxConfig
from brokers.sandbox.serving import VENUE
from brokers.sandbox.upstox.http import UpstoxApi
from brokers.sandbox.venue import Venue
from feeds.errors import BrokerError

__all__ = ["SandboxServer"]

_HOST = "127.0.0.1"
_WAIT_SECONDS = 30.0

_Result = TypeVar("_Result")


class SandboxServer:
    """A sandbox that runs as long as the block it is used in. Its methods may be called from any thread.

    ::

        with SandboxServer(SandboxConfig(exchange=ExchangeConfig(instruments=…, day=…))) as server:
            kite = KiteConnect(server.api_key, access_token=server.access_token, root=server.api_root)

    Parameters
    ----------
    config : SandboxConfig
        How it is set up.

    Attributes
    ----------
    config : SandboxConfig
        As given.
    faults : FaultBoard
        What goes wrong; add to it at any time.
    port : int
        Where it listens, once it does.

    Raises
    ------
    BrokerError
        On entry, if the port is taken; on exit, if something failed inside.
    """

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.faults = FaultBoard(config.seed)
        self.faults.add(*config.faults)
        self.port = 0
        self._failure: BaseException | None = None
        self._venue = Venue(config, self.faults)
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)

    # -- where and who ---------------------------------------------------------------------------

    @property
    def api_root(self) -> str:
        """Address for KiteConnect."""
        return f"http://{_HOST}:{self.port}"

    @property
    def ticker_root(self) -> str:
        """Address for KiteTicker."""
        return f"ws://{_HOST}:{self.port}"

    @property
    def instruments_url(self) -> str:
        """Address of Upstox' list of contracts."""
        return f"{self.api_root}/upstox/instruments/complete.json.gz"

    @property
    def login_url(self) -> str:
        """Address of the login page."""
        return f"{self.api_root}/connect/login?v=3&api_key={self.api_key}"

    @property
    def api_key(self) -> str:
        """Key of the app."""
        return self.config.api_key

    @property
    def api_secret(self) -> str:
        """Secret of the app."""
        return self.config.exchange.api_secret

    @property
    def access_token(self) -> str:
        """The newest access token, alive or not."""
        return self.ask(lambda _: self._venue.session.access_token)

    @property
    def is_token_alive(self) -> bool:
        """Whether the newest access token still lives."""
        return self.ask(lambda _: self._venue.session.is_alive)

    @property
    def failure(self) -> BaseException | None:
        """What went wrong inside that nobody has asked for; None as it should be."""
        return self._failure or self._venue.failure

    # -- what it is told -------------------------------------------------------------------------

    def ask(self, work: Callable[[Exchange], _Result]) -> _Result:
        """Let ``work`` look at the exchange in the thread that owns it, at the market's present time.

        Raises
        ------
        BrokerError
            If the server is not running.
        """

        def run() -> _Result:
            self._venue.pump()
            try:
                return work(self._venue.exchange)
            finally:
                self._venue.wake()
                self._venue.pump()

        return self._call(run)

    def state(self) -> dict[str, Any]:
        """Return what GET /sandbox/state answers."""
        return self.ask(lambda _: self._venue.state())

    def start(self) -> None:
        """Let market time run."""
        self._call(self._venue.start)

    def advance(self, seconds: float) -> None:
        """Move market time on by some seconds; everything due in between happens."""
        self.ask(lambda exchange: self._venue.clock.set(exchange.now + dt.timedelta(seconds=seconds)))

    def advance_to(self, time: dt.datetime) -> None:
        """Move market time on to an aware time; everything due in between happens."""
        self.ask(lambda _: self._venue.clock.set(time))

    def trade(
        self, price: float, quantity: int | None = None, *, token: int | None = None, seconds: float = 0.0
    ) -> None:
        """Play a print.

        Parameters
        ----------
        price : float
            Index points.
        quantity : int, optional
            Units; one lot if not given.
        token : int, optional
            The near month if not given.
        seconds : float
            Market time passes by this before it.
        """
        units = quantity or self.config.exchange.instruments[0].lot

        def play(exchange: Exchange) -> None:
            time = exchange.now + dt.timedelta(seconds=seconds)
            self._venue.trade(token, MarketTrade(time, price, units, 0.0))

        self.ask(play)

    def kill_token(self) -> None:
        """End the session, as a login elsewhere does."""
        self.ask(lambda _: self._venue.session.kill())

    # -- life ------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            listener = socket.create_server((_HOST, self.config.port))
        except OSError as error:
            self._loop.close()
            raise BrokerError(
                f"cannot listen on {_HOST}:{self.config.port} ({error.strerror}); choose another --port, or 0"
            ) from error
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._thread.start()
        if not self._is_up.wait(_WAIT_SECONDS) or not self._thread.is_alive():
            raise BrokerError("the sandbox did not start; see the traceback of its thread")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # its loop has ended in between
                self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(_WAIT_SECONDS)
        if error is None and self.failure is not None:
            raise BrokerError(f"the sandbox failed: {self.failure!r}") from self.failure

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        finally:
            self._is_up.set()  # nobody is to wait for what has failed

    async def _serve(self) -> None:
        app = web.Application(middlewares=[as_kite_answers])
        app[VENUE] = self._venue
        add_api(app)
        UpstoxApi(self._venue).add(app)
        add_control(app)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.SockSite(runner, self._listener).start()
            self._is_up.set()
            pace = asyncio.create_task(self._venue.run())
            end = asyncio.create_task(self._end.wait())
            done, waiting = await asyncio.wait({pace, end}, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
            if pace in done:
                self._failure = pace.exception()
            await self._venue.stream.close()
        finally:
            await runner.cleanup()

    def _call(self, work: Callable[[], _Result]) -> _Result:
        if not self._thread.is_alive() or not self._is_up.is_set():
            raise BrokerError("the sandbox is not running; use it inside its `with` block")

        async def run() -> _Result:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(_WAIT_SECONDS)
