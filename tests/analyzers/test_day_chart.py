"""The picture of a day: what is on it, and that any day can be drawn."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from analyzers.day_chart import CHART_FILE, draw_day, read_picture, write_day_chart
from brokers.journal import Fill
from feeds.errors import DataError
from tests.parity.recorded import bars_of_days, settings_for
from tests.strategies.finished_days import finish_day

BARS = bars_of_days()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chart") / "day"
    finish_day(folder, BARS, settings_for(), mode="demo")
    return folder


@pytest.fixture
def picture(made):
    return read_picture(made)


def texts_of(figure):
    return [text.get_text() for text in figure.texts] + [
        text.get_text() for axes in figure.axes for text in axes.texts
    ]


def size_of(path):
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])


def test_a_day_is_drawn_for_a_phone(made):
    path = write_day_chart(made)
    assert path == made / CHART_FILE
    assert size_of(path) == (1080, 1350)
    assert not list(made.glob(".chart*"))


def test_its_words_say_what_it_is_and_what_it_earned(made, picture):
    summary = json.loads((made / "summary.json").read_text())
    words = texts_of(draw_day(picture))
    assert words[0] == "NIFTY · ema_cross · Wed 04 Jan 2023"
    assert words[1] == "DEMO · SYNTHETIC"
    earned = summary["metrics"]["final_value"] - summary["metrics"]["starting_cash"]
    assert words[2].strip("+−₹") == f"{abs(earned):,.0f}"
    assert words[3].startswith(f"{summary['metrics']['trades']} trades, ")


def test_every_fill_stands_at_its_time_and_price(picture):
    price = draw_day(picture).axes[0]
    points = {
        (round(x, 4), round(y, 4)) for line in price.lines for x, y in zip(*line.get_data(), strict=True)
    }
    assert len(picture.fills) > 4
    for fill in picture.fills:
        assert (
            fill.time.hour * 60 + fill.time.minute + fill.time.second / 60,
            round(fill.price, 4),
        ) in points


def test_the_profit_ends_where_the_account_does(picture):
    times, values = draw_day(picture).axes[1].lines[1].get_data()
    assert (times[0], values[0]) == (9 * 60 + 15, 0.0)
    assert (times[-1], values[-1]) == (15 * 60 + 30, picture.profit.iloc[-1])


def test_a_day_without_trades_is_drawn(picture):
    quiet = picture._replace(fills=[], closed={}, profit=picture.profit * 0.0)
    assert "₹0" in texts_of(draw_day(quiet))


def test_a_position_that_was_left_open_has_an_entry_only(picture):
    entry = picture.fills[0]
    figure = draw_day(picture._replace(fills=[entry], closed={}))
    assert not list(figure.axes[0].texts)
    assert [list(line.get_ydata()) for line in figure.axes[0].lines if len(line.get_ydata())] == [
        [entry.price]
    ]


def test_fills_in_parts_are_drawn_at_their_average(picture):
    entry = picture.fills[0]
    parts = [entry, entry._replace(price=entry.price + 3.0, size=entry.size * 2)]
    line = draw_day(picture._replace(fills=parts, closed={})).axes[0].lines[0]
    assert line.get_ydata() == pytest.approx([entry.price + 2.0])


def test_one_bar_and_one_price_is_drawn(picture):
    bars = picture.bars.iloc[:1].copy()
    bars[["open", "high", "low", "close"]] = 20_000.0
    alone = picture._replace(bars=bars, fills=[], closed={}, profit=picture.profit.iloc[:1])
    assert draw_day(alone).axes[0].get_ylim()[0] < 20_000.0 < draw_day(alone).axes[0].get_ylim()[1]


def test_an_evening_of_one_hour_has_a_tick_each_quarter(picture):
    start = pd.Timestamp("2026-11-08 18:15", tz="Asia/Kolkata")
    bars = picture.bars.iloc[:20].copy()
    bars.index = pd.date_range(start, periods=20, freq="3min", name="datetime")
    bars["end"] = bars.index + pd.Timedelta(minutes=3)
    evening = picture._replace(bars=bars, fills=[], profit=pd.Series(0.0, index=bars.index))
    labels = [label.get_text() for label in draw_day(evening).axes[1].get_xticklabels()]
    assert labels == ["18:15", "18:30", "18:45", "19:00", "19:15"]


def test_many_trades_are_drawn_and_only_the_first_are_labelled(picture):
    entry = picture.fills[0]
    fills = []
    for number in range(40):
        fills.append(
            Fill(2 * number, number, "NIFTY", entry.time, 1, "entry", 65.0, 20_000.0, 20_000.0, 10.0)
        )
        fills.append(Fill(2 * number + 1, number, "NIFTY", entry.time, 1, "stop", -65.0, 19_990.0, 1.0, 10.0))
    busy = draw_day(picture._replace(fills=fills, closed=dict.fromkeys(range(40), -670.0)))
    assert len(busy.axes[0].texts) == 14


@pytest.mark.parametrize("name", ["summary.json", "trades.csv", "equity.csv", "bars.csv", "fills.csv"])
def test_a_file_that_is_missing_is_named_in_one_line(made, tmp_path, name):
    for file in made.iterdir():
        if file.name != name:
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(DataError, match=rf"no {name} in .*expected the folder of a") as caught:
        write_day_chart(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "contents"), [("summary.json", "{}"), ("summary.json", "nothing"), ("trades.csv", "a,b\n1,2\n")]
)
def test_a_damaged_file_is_said_in_one_line(made, tmp_path, name, contents):
    for file in made.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / name).write_text(contents)
    with pytest.raises(DataError, match=r"make no picture .*damaged or of another version") as caught:
        write_day_chart(tmp_path)
    assert "\n" not in str(caught.value)
