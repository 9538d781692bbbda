"""The unmodified official ticker, in a process of its own, reads what the sandbox sends."""

from __future__ import annotations

import datetime as dt

import pytest

from brokers.sandbox.faults import Fault
from brokers.sandbox.server import SandboxServer
from tests.brokers.sandbox_server.support import NEAR, PRICE, config_of, market_order, official_client
from tests.contract.listening import ListeningProcess


class Ticker(ListeningProcess):
    def __init__(self, server: SandboxServer, access_token: str | None = None) -> None:
        token = access_token or server.access_token
        super().__init__("ticker_process.py", server.ticker_root, server.api_key, token, str(NEAR.token))

    def next_full_tick(self) -> dict:
        """Return the next tick in full mode: the first one after a subscription is a quote."""
        while True:
            for tick in self.next("ticks"):
                if tick["mode"] == "full":
                    return tick


@pytest.fixture
def server():
    with SandboxServer(config_of()) as running:
        running.trade(PRICE)
        yield running


def test_it_reads_ticks_and_order_updates(server):
    with Ticker(server) as ticker:
        ticker.next_full_tick()
        server.trade(PRICE + 1.5, 3 * NEAR.lot, seconds=5)
        tick = ticker.next_full_tick()
        snapshot = server.ask(lambda exchange: exchange.snapshot(NEAR.token))
        client = official_client(server)
        client.place_order(**market_order(tag="seen"))
        client.reqsession.close()
        server.trade(PRICE, seconds=1)
        server.advance(1)
        update = ticker.next("order")
    assert tick["instrument_token"] == NEAR.token
    assert (tick["last_price"], tick["last_traded_quantity"]) == (PRICE + 1.5, 3 * NEAR.lot)
    assert (tick["volume_traded"], tick["oi"]) == (snapshot.volume, snapshot.oi)
    assert tick["ohlc"] == {"open": PRICE, "high": PRICE + 1.5, "low": PRICE, "close": PRICE}
    time = dt.datetime.fromtimestamp(snapshot.time.timestamp())  # noqa: DTZ006 # as the ticker has it
    assert tick["exchange_timestamp"] == str(time)
    assert [level["price"] for level in tick["depth"]["buy"]] == [level.price for level in snapshot.buy]
    assert (update["status"], update["tag"], update["filled_quantity"]) == ("COMPLETE", "seen", NEAR.lot)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["reset", "close", "malformed_frame"])
def test_it_comes_back_and_subscribes_again(server, kind):
    with Ticker(server) as ticker:
        ticker.next_full_tick()
        server.faults.add(Fault(kind=kind))
        server.trade(PRICE + 1)
        ticker.next("close")
        ticker.next_full_tick()
        server.trade(PRICE + 2)
        while ticker.next_full_tick()["last_price"] != PRICE + 2:
            pass


def test_a_dead_token_is_refused(server):
    with Ticker(server, access_token="dead") as ticker:
        assert "403" in ticker.next("error")
