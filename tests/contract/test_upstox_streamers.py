"""The unmodified official streamers of Upstox, each in a process of its own, read what the sandbox sends."""

from __future__ import annotations

import json

import pytest
import upstox_client

from brokers.sandbox.faults import Fault
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.upstox.names import key_of
from tests.brokers.sandbox_server.support import NEAR, PRICE, config_of, fill_one
from tests.contract.listening import ListeningProcess

KEY = key_of(NEAR)


class Streamer(ListeningProcess):
    def __init__(self, server: SandboxServer, kind: str = "market", token: str | None = None) -> None:
        super().__init__("upstox_process.py", kind, server.ticker_root, token or server.access_token, KEY)

    def next_feed(self) -> tuple[str, dict]:
        """Return the type of the next frame with market data, and what it says of the near month."""
        while True:
            (message,) = self.next("message")
            if KEY in message.get("feeds", {}):
                return message.get("type", "initial_feed"), message["feeds"][KEY]


@pytest.fixture
def server():
    with SandboxServer(config_of()) as running:
        running.trade(PRICE)
        yield running


def test_the_market_streamer_reads_every_kind_of_frame_and_changes_its_mode(server):
    with Streamer(server) as streamer:
        streamer.next("open")
        (status,) = streamer.next("message")
        kinds = [streamer.next_feed()[0]]
        server.trade(PRICE + 1.5, 3 * NEAR.lot, seconds=5)
        kind, feed = streamer.next_feed()
        snapshot = server.ask(lambda exchange: exchange.snapshot(NEAR.token))
        streamer.say("change_mode", [KEY], "option_greeks")
        while "firstLevelWithGreeks" not in (greeks := streamer.next_feed()[1]):
            pass
        streamer.say("change_mode", [KEY], "ltpc")
        while "ltpc" not in (price := streamer.next_feed()[1]):
            pass
    assert (status["type"], status["marketInfo"]["segmentStatus"]["NSE_FO"]) == ("market_info", "NORMAL_OPEN")
    assert [*kinds, kind] == ["initial_feed", "live_feed"]
    full = feed["fullFeed"]["marketFF"]
    milliseconds = int(snapshot.last_trade_time.timestamp() * 1000)
    ltpc = {"ltp": PRICE + 1.5, "ltt": str(milliseconds), "ltq": str(3 * NEAR.lot), "cp": PRICE}
    assert full["ltpc"] == ltpc
    assert (full["vtt"], full["atp"]) == (str(snapshot.volume), snapshot.average_price)
    assert [level["bidP"] for level in full["marketLevel"]["bidAskQuote"]] == [
        level.price for level in snapshot.buy
    ]
    assert [bar["interval"] for bar in full["marketOHLC"]["ohlc"]] == ["1d", "I1"]
    assert feed["requestMode"] == "full_d5"
    first = greeks["firstLevelWithGreeks"]
    assert (first["ltpc"], first["firstDepth"]["askP"]) == (ltpc, snapshot.sell[0].price)
    assert price["ltpc"] == ltpc


@pytest.mark.parametrize("fault", [{"kind": "reset"}, {"kind": "close", "code": 1001}])
def test_the_market_streamer_comes_back_and_subscribes_again(server, fault):
    with Streamer(server) as streamer:
        streamer.next_feed()
        server.faults.add(Fault(**fault))
        server.trade(PRICE + 1)
        streamer.next("reconnecting")
        streamer.next("open")
        assert streamer.next_feed()[0] == "initial_feed"
        server.trade(PRICE + 2)
        while streamer.next_feed()[1]["fullFeed"]["marketFF"]["ltpc"]["ltp"] != PRICE + 2:
            pass


def test_the_market_streamer_stumbles_over_a_broken_frame_and_goes_on(server):
    with Streamer(server) as streamer:
        streamer.next_feed()
        server.faults.add(Fault(kind="malformed_frame"))
        server.trade(PRICE + 1)
        assert "parsing" in str(streamer.next("error"))
        assert streamer.next_feed()[1]["fullFeed"]["marketFF"]["ltpc"]["ltp"] == PRICE + 1


def test_the_portfolio_streamer_reads_the_life_of_an_order(server):
    with Streamer(server, "portfolio") as streamer:
        streamer.next("open")
        fill_one(server, "seen")
        update = {"status": ""}
        while update["status"] != "complete":
            update = json.loads(streamer.next("message")[0])
            assert update["update_type"] == "order"
    assert (update["tag"], update["filled_quantity"]) == ("seen", NEAR.lot)
    assert set(upstox_client.OrderData.swagger_types) <= set(update)


def test_the_portfolio_streamer_misses_what_happens_while_it_is_away(server):
    with Streamer(server, "portfolio") as streamer:
        streamer.next("open")
        server.faults.add(
            Fault(kind="close", code=1001, where={"stream": "portfolio"}),
            Fault(kind="refuse_upgrade", status=503, where={"stream": "portfolio"}),
        )
        streamer.next("reconnecting")
        fill_one(server, "missed")
        streamer.next("open")
        fill_one(server, "seen")
        while (update := json.loads(streamer.next("message")[0]))["status"] != "complete":
            pass
    assert update["tag"] == "seen"


@pytest.mark.parametrize("kind", ["market", "portfolio"])
def test_a_dead_token_ends_a_streamer(server, kind):
    with Streamer(server, kind, token="dead") as streamer:
        assert "401 Unauthorized" in str(streamer.next("error"))
        assert streamer.next("close") is not None
        assert server.state()["subscriptions"] == []
