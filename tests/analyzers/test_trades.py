from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers.trades import TRADE_COLUMNS, open_trade_ids, trades_frame
from brokers.journal import Fill, TradeContext
from feeds.errors import DataError
from tests.analyzers.examples import make_bars, make_journal

BARS = make_bars(sessions=2)
TIMES = [time.to_pydatetime() for time in BARS.index.tz_localize(None)]


def fill(bar, size, price, reference=None, charges=0.0, *, role="entry", trade_id=1, order_id=1):
    return Fill(
        order_id,
        trade_id,
        "NIFTY",
        TIMES[bar],
        bar,
        role,
        size,
        price,
        price if reference is None else reference,
        charges,
    )


def context(trade_id=1, bar=4, probability=0.6):
    return TradeContext(trade_id, TIMES[bar] + dt.timedelta(minutes=3), probability)


def test_one_short_trade_by_hand():
    fills = [
        fill(5, -75.0, 11_999.0, 12_000.0, 100.0),
        fill(8, 75.0, 11_951.0, 11_950.0, 90.0, role="target"),
    ]
    row = trades_frame(fills, [context()], BARS).iloc[0]
    assert row["side"] == "short"
    assert row["size"] == -75.0
    assert row["gross_pnl"] == 75.0 * 50.0
    assert row["slippage_cost"] == 75.0 * 2.0
    assert row["charges"] == 190.0
    assert row["net_pnl"] == 3_750.0 - 150.0 - 190.0
    assert row["exit_reason"] == "target"
    assert row["bars_held"] == 3
    assert row["entry_time"] == BARS.index[5]
    assert row["exit_time"] == BARS.index[8]
    assert row["signal_time"] == BARS.index[5]  # the decision's bar closes when the entry's bar starts
    assert row["probability"] == 0.6


def test_prices_are_averages_over_partial_fills_and_the_last_exit_names_the_reason():
    fills = [
        fill(5, 75.0, 100.0),
        fill(6, 225.0, 104.0),
        fill(7, -150.0, 110.0, role="target", order_id=2),
        fill(9, -150.0, 106.0, role="square_off", order_id=3),
    ]
    row = trades_frame(fills, [context()], BARS).iloc[0]
    assert row["size"] == 300.0
    assert row["entry_price"] == 103.0
    assert row["exit_price"] == 108.0
    assert row["exit_reason"] == "square_off"
    assert row["bars_held"] == 4
    assert row["net_pnl"] == 1_500.0


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize(("entry", "leave"), [(5, 5), (5, 6), (5, 40), (100, len(BARS) - 1)])
def test_excursions_are_the_extremes_from_entry_to_exit(side, entry, leave):
    entry_price, exit_price = float(BARS["open"].iloc[entry]), float(BARS["close"].iloc[leave])
    fills = [fill(entry, 75.0 * side, entry_price), fill(leave, -75.0 * side, exit_price, role="signal")]
    row = trades_frame(fills, [context()], BARS).iloc[0]
    window = BARS.iloc[entry : leave + 1]
    profits = 75.0 * side * (np.array([window["high"].max(), window["low"].min()]) - entry_price)
    assert row["mae"] == pytest.approx(min(profits.min(), 0.0))
    assert row["mfe"] == pytest.approx(max(profits.max(), 0.0))


def test_a_fill_beyond_its_bar_counts_as_an_excursion():
    beyond = float(BARS["low"].iloc[5:8].min()) - 50.0
    fills = [fill(5, 75.0, 12_000.0), fill(7, -75.0, beyond, role="stop")]
    assert trades_frame(fills, [context()], BARS)["mae"].iloc[0] == pytest.approx(75.0 * (beyond - 12_000.0))


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_what_has_left_no_longer_moves_with_the_market(side):
    """Half leaves on the second bar; the other half sees a larger move on its own."""
    index = pd.DatetimeIndex(BARS.index[5:10])
    ends = [(100.0, 100.0), (110.0, 99.0), (104.0, 96.0), (130.0, 90.0), (105.0, 100.0)]
    if side < 0:
        ends = [(200.0 - low, 200.0 - high) for high, low in ends]
    bars = pd.DataFrame({"high": [high for high, _ in ends], "low": [low for _, low in ends]}, index=index)
    start = TIMES[5:10]

    def at(bar, size, price, role="entry", order_id=1):
        price = price if side > 0 else 200.0 - price
        return fill(0, side * size, price, role=role, order_id=order_id)._replace(bar=bar, time=start[bar])

    fills = [at(0, 150.0, 100.0), at(1, -75.0, 110.0, "target", 2), at(4, -75.0, 101.0, "square_off", 3)]
    row = trades_frame(fills, [context()], bars).iloc[0]
    assert row["exit_price"] == pytest.approx(105.5 if side > 0 else 94.5)
    assert row["exit_reason"] == "square_off"
    assert row["net_pnl"] == pytest.approx(75 * 10 + 75 * 1)
    assert row["mfe"] == pytest.approx(75 * 10 + 75 * 30)
    assert row["mae"] == pytest.approx(min(150 * -1.0, 75 * 10 - 75 * 10))


def test_open_round_trips_are_left_out_and_named():
    fills = [
        fill(5, 75.0, 100.0),
        fill(6, -75.0, 101.0, role="signal"),
        fill(9, 75.0, 100.0, trade_id=2, order_id=3),
    ]
    assert trades_frame(fills, [context()], BARS)["trade_id"].tolist() == [1]
    assert open_trade_ids(fills) == [2]


def test_rows_come_in_the_order_of_entry():
    fills = [fill(5, 75.0, 100.0, trade_id=9), fill(6, -75.0, 101.0, role="signal", trade_id=9)]
    fills += [fill(8, 75.0, 100.0, trade_id=2), fill(9, -75.0, 101.0, role="signal", trade_id=2)]
    assert trades_frame(fills, [context(9), context(2)], BARS)["trade_id"].tolist() == [9, 2]


def test_columns_and_types_are_the_same_with_and_without_trades():
    journal = make_journal(BARS)
    for fills, contexts in (([], []), (journal.fills, journal.contexts)):
        frame = trades_frame(fills, contexts, BARS)
        assert list(frame.columns) == list(TRADE_COLUMNS)
        assert [str(kind) for kind in frame.dtypes] == list(TRADE_COLUMNS.values())


def test_a_model_that_was_not_asked_leaves_no_probability():
    fills = [fill(5, 75.0, 100.0), fill(6, -75.0, 101.0, role="signal")]
    assert math.isnan(trades_frame(fills, [context(probability=math.nan)], BARS)["probability"].iloc[0])


@pytest.mark.parametrize(
    ("fills", "contexts", "words"),
    [
        ([fill(5, 75.0, 1.0), fill(6, -75.0, 1.0, role="stop")], [], "no decision in the journal"),
        (
            [fill(5, 75.0, 1.0, role="stop"), fill(6, -75.0, 1.0)],
            [context()],
            "starts with a fill of role 'stop'",
        ),
        (
            [fill(5, 75.0, 1.0)._replace(bar=6), fill(6, -75.0, 1.0, role="stop")],
            [context()],
            "pass the bars of the same run",
        ),
        (
            [fill(5, 75.0, 1.0)._replace(bar=len(BARS)), fill(6, -75.0, 1.0, role="stop")],
            [context()],
            f"expected 0 to {len(BARS) - 1}",
        ),
    ],
)
def test_a_journal_that_does_not_fit_is_refused_in_one_line(fills, contexts, words):
    with pytest.raises(DataError, match=words) as caught:
        trades_frame(fills, contexts, BARS)
    assert "\n" not in str(caught.value)


prices = st.floats(1_000.0, 60_000.0)
slips = st.floats(0.0, 50.0)
lots = st.integers(1, 40)


@st.composite
def round_trips(draw):
    """Fills of one trade: one to three entries, one to three exits, each slipped against us and charged."""
    side = draw(st.sampled_from([1.0, -1.0]))
    entries = draw(st.lists(lots, min_size=1, max_size=3))
    exits = draw(st.lists(lots, min_size=0, max_size=2))
    while sum(exits) >= sum(entries):
        exits = exits[:-1]
    exits.append(sum(entries) - sum(exits))
    fills = []
    sizes = [side * 75.0 * n for n in entries] + [-side * 75.0 * n for n in exits]
    for number, size in enumerate(sizes):
        reference, slip = draw(prices), draw(slips)
        role = "entry" if number < len(entries) else "stop"
        fills.append(
            fill(
                10 + number,
                size,
                reference + math.copysign(slip, size),
                reference,
                draw(st.floats(0.0, 5_000.0)),
                role=role,
                order_id=number,
            )
        )
    return fills


@given(round_trips())
def test_net_is_gross_minus_slippage_minus_charges_and_equals_the_cash_that_moved(fills):
    row = trades_frame(fills, [context()], BARS).iloc[0]
    cash = sum(-item.size * item.price - item.charges for item in fills)
    assert row["net_pnl"] == row["gross_pnl"] - row["slippage_cost"] - row["charges"]
    assert abs(row["net_pnl"] - cash) < 0.005
    assert row["slippage_cost"] >= -1e-6
    assert row["mae"] <= 0.0 <= row["mfe"]
    assert row["mae"] <= row["gross_pnl"] - row["slippage_cost"] + 1e-6
    assert row["mfe"] >= row["gross_pnl"] - row["slippage_cost"] - 1e-6


@pytest.mark.real_data
def test_reference_trades_of_real_bars(shared_data):
    """The vectorised figures equal a plain loop over the file that an independent program wrote."""
    expected = pd.read_csv(shared_data / "data/reference/expected_trades_2013_2016.csv").head(200)
    bars = pd.read_parquet(shared_data / "data/reference/bars_3min_with_signal_2013_2016.parquet")
    bars = bars if "datetime" not in bars else bars.set_index("datetime")
    starts = pd.DatetimeIndex(bars.index).tz_convert("Asia/Kolkata")
    bars.index = starts
    row_of = {time: row for row, time in enumerate(starts)}
    fills, contexts = [], []
    for trade_id, trade in enumerate(expected.itertuples()):
        entry, leave = (row_of[pd.Timestamp(t)] for t in (trade.entry_bar_start, trade.exit_bar_start))
        for bar, role, size, price in (
            (entry, "entry", trade.side * 75.0, trade.entry_price),
            (leave, trade.reason, trade.side * -75.0, trade.exit_price),
        ):
            time = starts[bar].tz_localize(None).to_pydatetime()
            charges = abs(size * price) * 0.0002
            fills.append(Fill(0, trade_id, "NIFTY", time, bar, role, size, price, price, charges))
        contexts.append(TradeContext(trade_id, fills[-2].time, math.nan))
    frame = trades_frame(fills, contexts, bars)
    np.testing.assert_allclose(frame["net_pnl"], expected["net_pnl"], atol=0.005)
