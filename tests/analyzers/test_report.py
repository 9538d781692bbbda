from __future__ import annotations

import base64
import dataclasses
import json
import re
import zlib
from html.parser import HTMLParser

import numpy as np
import pytest

from analyzers.report.build import render_report
from analyzers.report.charts import Line, line_chart, nice_ticks, waterfall
from analyzers.report.groups import by_exit_reason, by_hour, by_month, by_weekday, pooled_windows, rule_counts
from analyzers.report.prices import STEP, pack_prices
from brokers.journal import Journal, OrderEvent
from tests.analyzers.examples import make_result, make_windows

RESULT = make_result()
VOID = {"meta", "link", "input", "br", "img", "hr"}
SHAPES = {"line", "polyline", "polygon", "rect", "circle", "path"}


class Balance(HTMLParser):
    """Checks that every element is closed in order, and collects ids, links and words."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.targets, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "a":
            self.targets.append(given["href"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in SHAPES | VOID

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def parsed(page):
    balance = Balance()
    balance.feed(page)
    assert balance.open == []
    assert len(set(balance.ids)) == len(balance.ids)
    return balance


def words(page):
    return re.sub(r"\s+", " ", " ".join(parsed(page).text))


def test_the_page_is_well_formed_and_stands_alone():
    page = render_report(RESULT)
    balance = parsed(page)
    assert {target[1:] for target in balance.targets} <= set(balance.ids)
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//|@import|url\(["']?http""", page)


def test_headline_figures_stand_in_the_page():
    text = words(render_report(RESULT))
    assert RESULT.verdict.reason in text
    assert RESULT.fingerprint in text
    assert f"−₹{abs(RESULT.metrics['net_pnl']):,.0f}" in text
    assert f"−₹{abs(RESULT.metrics_today['net_pnl']):,.0f}" in text
    for sentence in (*RESULT.assumptions, *RESULT.warnings):
        assert sentence in text


@pytest.mark.parametrize("synthetic", [True, False])
def test_synthetic_data_are_called_so(synthetic):
    page = render_report(make_result(synthetic=synthetic))
    assert ("SYNTHETIC DATA" in page) == synthetic
    assert ("<title>SYNTHETIC" in page) == synthetic


def test_texts_from_outside_cannot_become_markup():
    evil = "<script>alert(1)</script>"
    events = [
        OrderEvent(RESULT.events[0].time, 1, 1, "entry", "market", "denied", 1.0, 1.0, rule=evil, reason=evil)
    ]
    trades = RESULT.trades.assign(exit_reason=evil)
    result = dataclasses.replace(
        RESULT,
        strategy=evil,
        trades=trades,
        events=events,
        settings={evil: evil},
        data={**RESULT.data, "source": evil},
        model={"name": evil},
        assumptions=[evil],
        warnings=[evil],
        windows=[{**make_windows(1)[0], "importance": {evil: 1.0}}],
    )
    assert evil not in render_report(result)


def test_a_run_without_trades_model_rules_or_chart_has_a_page():
    result = dataclasses.replace(
        make_result(journal=Journal()), model=None, windows=(), risk_rules=(), warnings=(), timing={}
    )
    text = words(render_report(result, embedded_bars=0))
    assert "There were no trades." in text
    assert "Too few trades" in text
    assert "Price and trades" not in text
    assert "The model" not in text


def test_windows_may_lack_what_a_model_does_not_tell():
    days = {"train_first": "2020-01-01", "train_last": "2020-01-02"}
    windows = [days | {"test_first": "2020-01-03", "test_last": "2020-01-06"}]
    parsed(render_report(dataclasses.replace(RESULT, windows=windows)))


def test_the_page_says_when_bars_are_left_out():
    text = words(render_report(RESULT, embedded_bars=1000))
    assert "The newest 1,000 of 3,750 bars travel in this page" in text


def unpacked(packed):
    facts = json.loads(zlib.decompress(base64.b64decode(packed.trades)))
    planes = np.frombuffer(zlib.decompress(base64.b64decode(packed.bars)), np.uint8)
    columns = planes.reshape(6, 4, facts["count"]).transpose(0, 2, 1).copy().view("<i4")[..., 0]
    return facts, columns.astype(np.int64)


def test_packed_prices_unpack_to_the_bars():
    packed = pack_prices(RESULT.bars, RESULT.trades, 10**6)
    facts, (minute, gap, body, above, below, volume) = unpacked(packed)
    close = np.cumsum(gap + body)
    open_ = close - body
    index = RESULT.bars.index
    assert minute.tolist() == (index.hour * 60 + index.minute).tolist()
    for name, values in (
        ("open", open_),
        ("close", close),
        ("high", np.maximum(open_, close) + above),
        ("low", np.minimum(open_, close) - below),
    ):
        np.testing.assert_allclose(values * STEP, RESULT.bars[name], atol=STEP / 2)
    assert (volume * facts["volumeUnit"]).tolist() == RESULT.bars["volume"].tolist()
    assert index[facts["entry"]].tolist() == RESULT.trades["entry_time"].tolist()
    assert index[facts["exit"]].tolist() == RESULT.trades["exit_time"].tolist()
    assert facts["dates"][0] == packed.first_date == "2020-01-01"
    assert len(facts["sessions"]) == 30


@pytest.mark.parametrize(("most", "shown"), [(125, 125), (249, 125), (250, 250), (10**6, 3750)])
def test_only_whole_sessions_are_packed_and_the_newest_first(most, shown):
    packed = pack_prices(RESULT.bars, RESULT.trades, most)
    facts, _ = unpacked(packed)
    assert packed.shown == facts["count"] == shown
    assert packed.last_date == "2020-02-11"
    assert min(facts["entry"]) >= 0


@pytest.mark.parametrize("most", [0, 124])
def test_nothing_is_packed_when_no_session_fits(most):
    assert pack_prices(RESULT.bars, RESULT.trades, most) is None


@pytest.mark.parametrize("group", [by_hour, by_weekday, by_exit_reason])
def test_groups_hold_every_trade_once(group):
    groups = group(RESULT.trades)
    assert sum(item.trades for item in groups) == len(RESULT.trades)
    assert sum(item.net for item in groups) == pytest.approx(RESULT.metrics["net_pnl"])
    assert sum(item.gross for item in groups) == pytest.approx(RESULT.metrics["gross_pnl"])


def test_months_and_weekdays_have_names_and_order():
    assert [group.name for group in by_weekday(RESULT.trades)] == [
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
    ]
    assert {year: list(months) for year, months in by_month(RESULT.trades).items()} == {2020: [1, 2]}


def test_rules_are_counted_with_those_that_were_silent_and_those_that_were_not_announced():
    time = RESULT.events[0].time
    event = OrderEvent(
        time, 1, 1, "entry", "market", "denied", 75.0, 1.0, rule="cooldown", reason="three losses"
    )
    events = [
        event,
        event._replace(order_id=2, reason="four losses"),
        event._replace(order_id=5, role="stop", kind="stop"),  # the protection of a denied entry is no entry
        event._replace(order_id=3, rule="exposure", state="submitted", reason="reduced to 75 units"),
        event._replace(order_id=3, rule="exposure", state="completed", reason="reduced to 75 units"),
        event._replace(order_id=4, rule="", state="submitted", reason=""),
    ]
    counts = rule_counts([("max_trades", "ten a day"), ("cooldown", "three losses")], events)
    assert [(c.name, c.limit, c.denied, c.reduced, c.last_reason) for c in counts] == [
        ("max_trades", "ten a day", 0, 0, ""),
        ("cooldown", "three losses", 2, 0, "four losses"),
        ("exposure", "", 0, 1, "reduced to 75 units"),
    ]


def test_windows_are_pooled_by_their_counts():
    windows = [
        {
            "confusion": np.eye(3, dtype=int).tolist(),
            "calibration": [
                {"predicted": 0.42, "observed": 0.4, "count": 10},
                {"predicted": 0.52, "observed": 0.5, "count": 7},
            ],
            "importance": {"a": 1.0},
        },
        {
            "confusion": np.ones((3, 3), dtype=int).tolist(),
            "calibration": [{"predicted": 0.48, "observed": 0.8, "count": 30}],
            "importance": {"a": 0.5, "b": 0.5},
        },
    ]
    pooled = pooled_windows(windows)
    assert pooled["confusion"] == (np.eye(3, dtype=int) + 1).tolist()
    assert pooled["calibration"] == [
        {"predicted": pytest.approx(0.465), "observed": pytest.approx(0.7), "count": 40},
        {"predicted": pytest.approx(0.52), "observed": pytest.approx(0.5), "count": 7},
    ]
    assert pooled["importance"] == {"a": 0.75, "b": 0.25}
    assert pooled_windows([{}]) == {}


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-150.0, 40.0, [-150.0, -100.0, -50.0, 0.0]),
        (3.0, 3.0, [3.0]),
    ],
)
def test_ticks_are_round(low, high, ticks):
    assert nice_ticks(low, high) == pytest.approx(ticks)


def test_a_waterfall_ends_where_it_should():
    page = waterfall([("gross", 100.0, "total"), ("costs", -150.0, "change"), ("net", -50.0, "total")])
    tops = [
        tuple(map(float, pair)) for pair in re.findall(r"<i style=\"top:([\d.]+)%;height:([\d.]+)%", page)
    ]
    assert tops == [(0.0, 66.67), (0.0, 100.0), (66.67, 33.33)]


def test_a_line_of_one_point_and_of_none():
    assert "polyline" in line_chart(
        [Line("a", "net", np.zeros(1))], ["x"], height="tall", name="n", ticks=[(0, "x")]
    )
    assert line_chart([Line("a", "net", np.zeros(0))], [], height="tall", name="n", ticks=[]) == ""
