"""The unmodified official client of Upstox reads candles, expired contracts and the addresses of streams."""

from __future__ import annotations

import dataclasses

import pytest
import upstox_client
from upstox_client.rest import ApiException

from brokers.sandbox.instruments import near_next_far
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.upstox.names import expired_key, key_of
from tests.brokers.sandbox_server.support import CALENDAR, DAY, INSTRUMENTS, NEAR, PRICE, config_of
from tests.feeds.frames import day_frame

KEY = key_of(NEAR)
INDEX_KEY = "NSE_INDEX|Nifty 50"
OLD = near_next_far("NIFTY", DAY.replace(month=8, day=3), CALENDAR)[0]
TYPES = {"str": str, "int": int, "float": (int, float)}


@pytest.fixture
def server():
    histories = {NEAR.token: day_frame("2026-09-23", price=PRICE), OLD.token: day_frame("2026-08-20", 10)}
    config = config_of(exchange={"instruments": (*INSTRUMENTS, OLD)})
    with SandboxServer(dataclasses.replace(config, histories=histories)) as running:
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


def check_rows(candles: list[list[object]]) -> None:
    for stamp, *numbers in candles:
        assert isinstance(stamp, str)
        assert all(isinstance(number, (int, float)) for number in numbers)
        assert len(numbers) == 6


def test_candles_of_past_days_and_of_today(client):
    api = upstox_client.HistoryV3Api(client)
    past = api.get_historical_candle_data1(KEY, "minutes", "3", f"{DAY}", "2026-09-22").data.candles
    without_first = api.get_historical_candle_data(KEY, "hours", "1", f"{DAY}").data.candles
    today = api.get_intra_day_candle_data(KEY, "minutes", "1").data.candles
    for rows, count in ((past, 125), (without_first, 7), (today, 1)):
        check_rows(rows)
        assert len(rows) == count


def test_too_long_a_span_is_an_error_with_a_code(client):
    with pytest.raises(ApiException) as caught:
        upstox_client.HistoryV3Api(client).get_historical_candle_data1(
            KEY, "minutes", "1", "2026-09-23", "2026-08-22"
        )
    assert caught.value.status == 400
    assert '"errorCode": "UDAPI1148"' in caught.value.body.decode()


def test_the_model_of_an_expired_contract_is_filled(client):
    api = upstox_client.ExpiredInstrumentApi(client)
    assert api.get_expiries(INDEX_KEY).data == [f"{OLD.expiry}"]
    (contract,) = api.get_expired_future_contracts(INDEX_KEY, f"{OLD.expiry}").data
    for name, kind in upstox_client.ExpiredFutureData.swagger_types.items():
        assert isinstance(getattr(contract, name), TYPES[kind]), name
    assert (contract.instrument_key, contract.lot_size) == (expired_key(OLD), OLD.lot)
    rows = api.get_expired_historical_candle_data(
        contract.instrument_key, "1minute", f"{OLD.expiry}", "2026-08-01"
    ).data.candles
    check_rows(rows)
    assert len(rows) == 10


def test_addresses_of_streams_come_in_their_model(server, client):
    api = upstox_client.WebsocketApi(client)
    answers = api.get_market_data_feed_authorize_v3(), api.get_portfolio_stream_feed_authorize("2.0")
    found = {answer.data.authorized_redirect_uri for answer in answers}
    assert len(found) == 2
    assert all(one.startswith(f"{server.ticker_root}/") for one in found)
