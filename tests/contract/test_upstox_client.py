"""The unmodified official client of Upstox, and its feeders' messages, against the sandbox."""

from __future__ import annotations

import gzip
import json
import queue
import threading

import pytest
import upstox_client
import websocket
from upstox_client.feeder.market_data_feeder_v3 import MarketDataFeederV3
from upstox_client.feeder.portfolio_data_feeder import PortfolioDataFeeder
from upstox_client.feeder.proto.MarketDataFeedV3_pb2 import FeedResponse
from upstox_client.rest import ApiException

from brokers.sandbox.faults import Fault
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.upstox.names import key_of, symbol_of
from tests.brokers.sandbox_server.support import CALENDAR, DAY, INSTRUMENTS, NEAR, PRICE, config_of
from tests.feeds.frames import day_frame

WAIT = 30.0
KEY = key_of(NEAR)


@pytest.fixture
def server():
    with SandboxServer(config_of(exchange={"latency_ms": 5.0}, start="now")) as running:
        running.trade(PRICE)
        yield running


@pytest.fixture
def client(server):
    configuration = upstox_client.Configuration()
    configuration.host = configuration.order_host = server.api_root
    configuration.access_token = server.access_token
    made = upstox_client.ApiClient(configuration)
    yield made
    made.pool.close()
    made.pool.join()
    made.rest_client.pool_manager.clear()


def order(**fields):
    given = {
        "quantity": NEAR.lot, "product": "I", "validity": "DAY", "price": 0.0, "tag": "mark",
        "instrument_token": KEY, "order_type": "MARKET", "transaction_type": "BUY", "disclosed_quantity": 0,
        "trigger_price": 0.0, "is_amo": False, "slice": False, "market_protection": -1, **fields,
    }  # fmt: skip
    return upstox_client.PlaceOrderV3Request(**given)


def place(client, **fields):
    return upstox_client.OrderApiV3(client).place_order(order(**fields), _request_timeout=(5, 5))


def test_the_model_of_every_answer_is_filled(server, client):
    """Types are those of the client's models: it takes what it is given, so they are looked at here."""
    placed = place(client)
    (order_id,) = placed.data.order_ids
    server.advance(5)
    book = upstox_client.OrderApi(client)
    row = book.get_order_book("2.0").data[0]
    position = upstox_client.PortfolioApi(client).get_positions("2.0").data[0]
    trade = book.get_trade_history("2.0").data[0]
    profile = upstox_client.UserApi(client).get_profile("2.0").data
    funds = upstox_client.UserApi(client).get_user_fund_margin("2.0").data["equity"]
    of_order = {"parent_order_id", "status_message", "status_message_raw", "guid"}
    for model, may_be_empty in [
        (row, of_order), (position, set()), (trade, set()), (profile, set()), (funds, set()),
    ]:  # fmt: skip
        for name, kind in type(model).swagger_types.items():
            value = getattr(model, name)
            if value is None:
                assert name in may_be_empty, name
            elif kind in ("str", "int", "float", "bool"):
                assert type(value).__name__ in {kind, "int" if kind == "float" else kind}, (name, value)
    assert (row.order_id, row.status, row.filled_quantity) == (order_id, "complete", NEAR.lot)
    assert row.trading_symbol == NEAR.symbol != symbol_of(NEAR)
    assert (position.quantity, trade.quantity) == (NEAR.lot, NEAR.lot)
    assert book.get_order_status(order_id=order_id).data.status == "complete"


def test_an_order_above_the_freeze_quantity_is_cut_where_that_is_asked(client):
    largest = NEAR.freeze // NEAR.lot * NEAR.lot
    placed = place(client, quantity=2 * largest + NEAR.lot, slice=True, order_type="LIMIT", price=PRICE - 100)
    assert len(placed.data.order_ids) == 3
    with pytest.raises(ApiException) as caught:
        place(client, quantity=largest + NEAR.lot)
    assert caught.value.status == 400
    assert "maximum" in json.loads(caught.value.body)["errors"][0]["message"]


def test_a_refused_slice_request_leaves_no_order(client):
    largest = NEAR.freeze // NEAR.lot * NEAR.lot
    with pytest.raises(ApiException) as caught:
        place(client, quantity=2 * largest + 1, slice=True, order_type="LIMIT", price=PRICE - 100)
    assert caught.value.status == 400
    assert upstox_client.OrderApi(client).get_order_book("2.0").data == []


@pytest.mark.parametrize(
    ("name", "value"), [("quantity", "many"), ("quantity", [1]), ("quantity", float("inf"))]
)
def test_a_malformed_order_is_refused_and_the_server_goes_on(client, name, value):
    with pytest.raises(ApiException) as caught:
        place(client, **{name: value})
    assert caught.value.status == 400
    assert json.loads(caught.value.body)["errors"][0]["errorCode"] == "UDAPI100036"


def test_a_product_in_brackets_is_refused(server, client):
    """The official client does not send it; others may."""
    fields = {name: getattr(order(), name) for name in order().swagger_types}
    answer = client.rest_client.pool_manager.request(
        "POST", f"{server.api_root}/v3/order/place", body=json.dumps({**fields, "product": ["I"]}),
        headers={"Authorization": f"Bearer {server.access_token}", "Content-Type": "application/json"},
    )  # fmt: skip
    assert (answer.status, json.loads(answer.data)["errors"][0]["message"]) == (400, "The product is invalid")


def test_slices_above_the_rate_limit_are_not_told_of_as_refused():
    largest = NEAR.freeze // NEAR.lot * NEAR.lot
    with SandboxServer(config_of(exchange={"rate_limits": True}, start="now")) as server:
        server.trade(PRICE)
        configuration = upstox_client.Configuration()
        configuration.host = configuration.order_host = server.api_root
        configuration.access_token = server.access_token
        client = upstox_client.ApiClient(configuration)
        placed = place(client, quantity=12 * largest, slice=True, order_type="LIMIT", price=PRICE - 100)
        told = placed.data.order_ids
        listed = [row.order_id for row in upstox_client.OrderApi(client).get_order_book("2.0").data]
        client.pool.close()
        client.pool.join()
        client.rest_client.pool_manager.clear()
    assert (len(told), sorted(told)) == (10, sorted(listed))


def test_a_malformed_margin_request_is_refused(client):
    request = upstox_client.MarginRequest(instruments=["everything"])
    with pytest.raises(ApiException) as caught:
        upstox_client.ChargeApi(client).post_margin(request)
    assert caught.value.status == 400


def test_a_stop_is_changed_and_cancelled(server, client):
    fields = {
        "order_type": "SL",
        "transaction_type": "SELL",
        "price": PRICE - 60,
        "trigger_price": PRICE - 50,
    }
    (order_id,) = place(client, **fields).data.order_ids
    server.advance(5)
    api = upstox_client.OrderApiV3(client)
    book = upstox_client.OrderApi(client)
    assert book.get_order_status(order_id=order_id).data.status == "trigger pending"
    change = upstox_client.ModifyOrderRequest(
        order_id=order_id, validity="DAY", order_type="SL", price=PRICE - 40, trigger_price=PRICE - 30,
    )  # fmt: skip
    assert api.modify_order(change).data.order_id == order_id
    server.advance(5)
    assert book.get_order_status(order_id=order_id).data.trigger_price == PRICE - 30
    assert api.cancel_order(order_id).data.order_id == order_id
    server.advance(5)
    states = [row.status for row in book.get_order_details("2.0", tag="mark").data]
    assert states[-1] == "cancelled"
    assert "trigger pending" in states


def test_errors_have_upstoxs_form(server, client):
    with pytest.raises(ApiException) as caught:
        place(client, instrument_token="NSE_FO|1")
    assert caught.value.status == 400
    server.kill_token()
    with pytest.raises(ApiException) as caught:
        upstox_client.UserApi(client).get_profile("2.0")
    assert caught.value.status == 401
    assert json.loads(caught.value.body)["errors"][0]["errorCode"] == "UDAPI100050"
    server.faults.add(Fault(kind="too_many_requests", route="GET *"))
    with pytest.raises(ApiException) as caught:
        upstox_client.UserApi(client).get_profile("2.0")
    assert caught.value.status == 429
    assert json.loads(caught.value.body)["errors"][0]["errorCode"] == "UDAPI10005"


def test_margins_of_an_order(client):
    asked = upstox_client.Instrument(
        instrument_key=KEY, quantity=NEAR.lot, product="I", transaction_type="BUY"
    )
    request = upstox_client.MarginRequest(instruments=[asked])
    found = upstox_client.ChargeApi(client).post_margin(request).data
    assert found.final_margin == pytest.approx(0.12 * PRICE * NEAR.lot, rel=0.01)
    assert found.margins[0].total_margin == found.required_margin


def test_the_list_of_contracts(server, client):
    data = client.rest_client.pool_manager.request("GET", server.instruments_url).data
    rows = json.loads(gzip.decompress(data))
    assert [row["instrument_key"] for row in rows] == [key_of(one) for one in INSTRUMENTS]
    assert rows[0]["tick_size"] == NEAR.tick * 100
    assert rows[0]["expiry"] == 1790706599000  # 2026-09-29 23:59:59 in Asia/Kolkata


def test_candles_of_past_days_and_of_today_are_two_answers():
    history = day_frame("2026-09-23", 10, price=PRICE)
    config = config_of()
    with SandboxServer(type(config)(**{**vars(config), "histories": {NEAR.token: history}})) as server:
        server.trade(PRICE, seconds=1)
        configuration = upstox_client.Configuration()
        configuration.host, configuration.access_token = server.api_root, server.access_token
        client = upstox_client.ApiClient(configuration)
        api = upstox_client.HistoryV3Api(client)
        past = api.get_historical_candle_data1(KEY, "minutes", "3", str(DAY), "2026-09-22").data.candles
        today = api.get_intra_day_candle_data(KEY, "minutes", "1").data.candles
        client.pool.close()
        client.pool.join()
        client.rest_client.pool_manager.clear()
    assert [row[0] for row in past] == sorted((row[0] for row in past), reverse=True)
    assert past[0][0] == "2026-09-23T09:24:00+05:30"
    assert [row[0] for row in today] == [f"{DAY}T09:15:00+05:30"]


class LocalFeeder:
    """Sends the official feeders to the sandbox: their address is fixed in them."""

    def __init__(self, monkeypatch, client, path):
        self.frames: queue.SimpleQueue = queue.SimpleQueue()
        self.opened = threading.Event()
        address = upstox_client.ApiClient.call_api(
            client, f"{path}/authorize", "GET", {}, [], {}, response_type="object",
            auth_settings=["OAUTH2"], _return_http_data_only=True,
        )["data"]["authorized_redirect_uri"]  # fmt: skip
        real = websocket.WebSocketApp
        monkeypatch.setattr(websocket, "WebSocketApp", lambda url, **how: real(address, **how))

    def handlers(self):
        return {
            "on_open": lambda _: self.opened.set(), "on_message": lambda _, frame: self.frames.put(frame),
            "on_error": lambda *_: None, "on_close": lambda *_: None,
        }  # fmt: skip


def test_the_market_feeder_reads_status_snapshot_and_trades(server, client, monkeypatch):
    local = LocalFeeder(monkeypatch, client, "/v3/feed/market-data-feed")
    feeder = MarketDataFeederV3(client, **local.handlers())
    feeder.connect()
    assert local.opened.wait(WAIT)
    feeder.subscribe([KEY], "full")
    first, second = (FeedResponse.FromString(local.frames.get(timeout=WAIT)) for _ in range(2))
    server.trade(PRICE + 5, 3 * NEAR.lot)
    third = FeedResponse.FromString(local.frames.get(timeout=WAIT))
    feeder.ws.close()
    assert [first.type, second.type, third.type] == [2, 0, 1]  # market_info, initial_feed, live_feed
    full = third.feeds[KEY].fullFeed.marketFF
    assert (full.ltpc.ltp, full.ltpc.ltq, full.vtt) == (PRICE + 5, 3 * NEAR.lot, 4 * NEAR.lot)
    assert len(full.marketLevel.bidAskQuote) == 5
    assert third.feeds[KEY].requestMode == 1


def test_the_portfolio_feeder_reads_the_life_of_an_order(server, client, monkeypatch):
    local = LocalFeeder(monkeypatch, client, "/v2/feed/portfolio-stream-feed")
    feeder = PortfolioDataFeeder(client, **local.handlers())
    feeder.connect()
    assert local.opened.wait(WAIT)
    (order_id,) = place(client).data.order_ids
    server.advance(5)
    while (update := json.loads(local.frames.get(timeout=WAIT)))["status"] != "complete":
        assert update["update_type"] == "order"
    feeder.ws.close()
    assert (update["order_id"], update["filled_quantity"]) == (order_id, NEAR.lot)
    assert set(upstox_client.OrderData.swagger_types) <= set(update)


def test_an_address_of_a_stream_is_good_once(server, client):
    local_address = upstox_client.ApiClient.call_api(
        client, "/v3/feed/market-data-feed/authorize", "GET", {}, [], {}, response_type="object",
        auth_settings=["OAUTH2"], _return_http_data_only=True,
    )["data"]["authorized_redirect_uri"]  # fmt: skip
    first = websocket.create_connection(local_address, timeout=WAIT)
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        websocket.create_connection(local_address, timeout=WAIT)
    first.close()


def test_expired_contracts_and_their_candles():
    from brokers.sandbox.instruments import near_next_far

    old = near_next_far("NIFTY", DAY.replace(month=8, day=3), CALENDAR)[0]
    history = day_frame("2026-08-20", 10, price=PRICE)
    rules = {"instruments": (*INSTRUMENTS, old)}
    config = config_of(exchange=rules)
    with SandboxServer(type(config)(**{**vars(config), "histories": {old.token: history}})) as server:
        configuration = upstox_client.Configuration()
        configuration.host, configuration.access_token = server.api_root, server.access_token
        client = upstox_client.ApiClient(configuration)
        api = upstox_client.ExpiredInstrumentApi(client)
        index = "NSE_INDEX|Nifty 50"
        (expiry,) = api.get_expiries(index).data
        (contract,) = api.get_expired_future_contracts(index, expiry).data
        rows = api.get_expired_historical_candle_data(
            contract.instrument_key, "3minute", "2026-08-21", "2026-08-19"
        ).data.candles
        client.pool.close()
        client.pool.join()
        client.rest_client.pool_manager.clear()
    assert contract.trading_symbol == symbol_of(old)
    assert contract.lot_size == old.lot
    assert len(rows) == 4
