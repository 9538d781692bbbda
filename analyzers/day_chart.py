"""The picture of a day for a phone: its price with every fill, and what the account made of it."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from analyzers.figures import rupees, short_rupees
from analyzers.parity.files import BARS_FILE, FILLS_FILE, read_bars, read_fills
from brokers.journal import Fill
from feeds.bars import TIME_ZONE
from feeds.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["CHART_FILE", "DayPicture", "draw_day", "read_picture", "write_day_chart"]

CHART_FILE = "chart.png"

# 1080 × 1350 pixels: a messenger shows them uncropped across a phone. Type of 14 is 4 % of its width.
_WIDTH_INCHES, _HEIGHT_INCHES, _DOTS_PER_INCH = 7.2, 9.0, 150
_TEXT, _FAINT, _RULE = "#1c2430", "#5b6675", "#d9dee5"
# Told apart by people who cannot tell red from green as well, and by their direction besides
_GAIN, _LOSS = "#0b7a75", "#c2410c"
_RISING, _FALLING = "#8fb8b5", "#dba58d"
_LONG, _SHORT = "#1d4ed8", "#b91c8c"
_LABELLED_TRADES = 14


class DayPicture(NamedTuple):
    """What is drawn.

    Attributes
    ----------
    title, kind, subtitle : str
        Above everything; the kind says whether it was a demo, paper or real, and whether ticks were made up.
    bars : pandas.DataFrame
        The day's bar frame, and the column ``end``.
    fills : list of Fill
        In the order of time; ``time`` is that of the execution, naive exchange wall clock.
    closed : dict of int to float
        Rupees of each closed round trip after charges, by its number.
    profit : pandas.Series
        Rupees made since the morning, open position included, at each bar's close (index: START).
    """

    title: str
    kind: str
    subtitle: str
    bars: pd.DataFrame
    fills: list[Fill]
    closed: dict[int, float]
    profit: pd.Series


def write_day_chart(folder: Path) -> Path:
    """Draw ``chart.png`` into the folder of a day that came to its end.

    Raises
    ------
    DataError
        A file of the day is missing or damaged.
    OSError
        The picture cannot be written.
    """
    figure = draw_day(read_picture(folder))
    path, unfinished = folder / CHART_FILE, folder / f".{CHART_FILE}"
    figure.savefig(unfinished, format="png", dpi=_DOTS_PER_INCH)
    unfinished.replace(path)
    return path


def read_picture(folder: Path) -> DayPicture:
    """Read what is drawn from the files of a day.

    Raises
    ------
    DataError
        One is missing or damaged.
    """
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        trades = pd.read_csv(folder / "trades.csv")
        equity = pd.read_csv(folder / "equity.csv")
        data, figures = summary["data"], summary["metrics"]
        cash = float(data["starting_cash"])
        index = pd.DatetimeIndex(pd.to_datetime(equity["datetime"], utc=True)).tz_convert(TIME_ZONE)
        profit = pd.Series(equity["value"].to_numpy(np.float64) - cash, index=index)
        closed = dict(zip(trades["trade_id"].tolist(), trades["net_pnl"].tolist(), strict=True))
        title = " · ".join([summary["instrument"], summary["strategy"], _day_words(data["first"])])
        kind = str(data["mode"]).upper() + (" · SYNTHETIC" if data.get("synthetic") else "")
        subtitle = _subtitle(figures, closed)
    except OSError as error:
        raise DataError(
            f"no {Path(str(error.filename)).name} in {folder} ({error.strerror}), expected the folder of a "
            "day that came to its end: it has no picture"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"the files in {folder} make no picture ({type(error).__name__}: "
            f"{' '.join(str(error).split())}), expected those of one day; they are damaged or of another "
            "version"
        ) from error
    bars = read_bars(folder / BARS_FILE)
    bars = bars[bars.index >= pd.Timestamp(data["first"])]
    if bars.empty:
        raise DataError(
            f"{folder / BARS_FILE} ends before the day begins, expected its bars: files of two days"
        )
    fills = [timed.fill for timed in read_fills(folder / FILLS_FILE)]
    return DayPicture(title, kind, subtitle, bars, fills, closed, profit)


def draw_day(picture: DayPicture) -> Figure:
    """Return the drawing: price and fills above, profit below, on one axis of time."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH_INCHES, _HEIGHT_INCHES), facecolor="white")
    FigureCanvasAgg(figure)
    price, profit = figure.subplots(
        2, 1, sharex=True, gridspec_kw={
            "height_ratios": (2.2, 1.0), "hspace": 0.14, "left": 0.035, "right": 0.865, "top": 0.825,
            "bottom": 0.055,
        },
    )  # fmt: skip
    last = float(picture.profit.iloc[-1]) if len(picture.profit) else 0.0
    figure.text(0.035, 0.972, picture.title, fontsize=14, color=_FAINT, va="top")
    figure.text(0.965, 0.972, picture.kind, fontsize=14, color=_TEXT, weight="bold", va="top", ha="right")
    figure.text(0.035, 0.94, _signed(last), fontsize=30, weight="bold", color=_colour(last), va="top")
    figure.text(0.035, 0.886, picture.subtitle, fontsize=13, color=_TEXT, va="top")
    _draw_candles(price, picture.bars)
    _draw_fills(price, picture)
    _draw_profit(profit, picture)
    _set_time_axis(profit, picture.bars)
    for axes in (price, profit):
        _dress(axes)
    return figure


def _draw_candles(axes: Axes, bars: pd.DataFrame) -> None:
    starts, ends = _minutes(pd.DatetimeIndex(bars.index)), _minutes(pd.DatetimeIndex(bars["end"]))
    middle, width = (starts + ends) / 2.0, (ends - starts) * 0.7
    opens, highs, lows, closes = (
        bars[name].to_numpy(np.float64) for name in ("open", "high", "low", "close")
    )
    colours = [_RISING if rises else _FALLING for rises in closes >= opens]
    axes.vlines(middle, lows, highs, colors=colours, linewidth=1.0, zorder=1)
    # A bar that ends where it began is still seen
    body = np.maximum(np.abs(closes - opens), 0.001 * (highs.max() - lows.min()))
    axes.bar(middle, body, width, bottom=np.minimum(opens, closes), color=colours, zorder=1)
    axes.set_title("Price and fills", loc="left", fontsize=12, color=_FAINT)


def _draw_fills(axes: Axes, picture: DayPicture) -> None:
    by_trade: dict[int, list[Fill]] = {}
    for fill in picture.fills:
        by_trade.setdefault(fill.trade_id, []).append(fill)
    low, high = axes.get_ylim()
    room = 0.06 * (high - low)
    axes.set_ylim(low - room, high + room)
    for number, (trade_id, fills) in enumerate(by_trade.items()):
        is_long = fills[0].size > 0
        colour = _LONG if is_long else _SHORT
        entry, leave = _average(fills, entries=True), _average(fills, entries=False)
        axes.plot(*entry, marker="^" if is_long else "v", markersize=11, color=colour, zorder=4,
                  markeredgecolor="white", markeredgewidth=0.8)  # fmt: skip
        if leave is None:
            continue
        axes.plot([entry[0], leave[0]], [entry[1], leave[1]], color=colour, linewidth=1.6, zorder=3)
        axes.plot(*leave, marker="s", markersize=7, color=colour, zorder=4, markeredgecolor="white",
                  markeredgewidth=0.8)  # fmt: skip
        if number < _LABELLED_TRADES and trade_id in picture.closed:
            _label_trade(axes, leave, leave[1] >= entry[1], picture.closed[trade_id])
    axes.plot([], [], marker="^", markersize=9, linestyle="", color=_LONG, label="long")
    axes.plot([], [], marker="v", markersize=9, linestyle="", color=_SHORT, label="short")
    axes.plot([], [], marker="s", markersize=7, linestyle="", color=_FAINT, label="exit, net rupees")
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.0, 0.985), ncols=3, fontsize=11, frameon=False,
        labelcolor=_FAINT, handletextpad=0.2, columnspacing=1.0, borderaxespad=0.2,
    )  # fmt: skip


def _label_trade(axes: Axes, leave: tuple[float, float], above: bool, net: float) -> None:
    axes.annotate(
        _short_signed(net), leave, (0, 9 if above else -9), textcoords="offset points",
        ha="center", va="bottom" if above else "top", fontsize=11.5, weight="bold", color=_colour(net),
        zorder=5, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.75},
    )  # fmt: skip


def _draw_profit(axes: Axes, picture: DayPicture) -> None:
    axes.set_title("Profit of the day, rupees", loc="left", fontsize=12, color=_FAINT)
    axes.axhline(0.0, color=_FAINT, linewidth=1.0, zorder=1)
    if not len(picture.profit):
        return
    first = _minutes(pd.DatetimeIndex(picture.bars.index[:1]))
    ends = picture.bars["end"].reindex(picture.profit.index).dropna()
    times = np.concatenate([first, _minutes(pd.DatetimeIndex(ends))])
    values = np.concatenate([[0.0], picture.profit.loc[ends.index].to_numpy()])
    for colour, where in ((_GAIN, values >= 0.0), (_LOSS, values <= 0.0)):
        axes.fill_between(times, values, where=where, interpolate=True, color=colour, alpha=0.22, linewidth=0)
    axes.plot(times, values, color=_TEXT, linewidth=1.8, zorder=3)
    axes.plot(times[-1:], values[-1:], marker="o", markersize=7, color=_colour(values[-1]), zorder=4)


def _set_time_axis(axes: Axes, bars: pd.DataFrame) -> None:
    first = float(_minutes(pd.DatetimeIndex(bars.index[:1]))[0])
    last = float(_minutes(pd.DatetimeIndex(bars["end"].iloc[-1:]))[0])
    step = 15 if last - first <= 120 else 60
    ticks = np.arange(np.ceil(first / step) * step, last + 1, step)
    axes.set_xticks(ticks, [f"{int(tick) // 60:02d}:{int(tick) % 60:02d}" for tick in ticks])
    margin = 0.015 * (last - first)
    axes.set_xlim(first - margin, last + margin)


def _dress(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.yaxis.tick_right()
    axes.yaxis.set_major_locator(MaxNLocator(5))
    is_money = axes.get_title(loc="left").startswith("Profit")
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: short_rupees(value) if is_money else f"{value:,.0f}")
    )
    axes.grid(color=_RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=12, labelcolor=_TEXT)
    for side in ("top", "left", "right", "bottom"):
        axes.spines[side].set_visible(False)


def _average(fills: list[Fill], *, entries: bool) -> Any:  # noqa: ANN401 # a point, or None without such fills
    """Return time and average price of a trade's entries or exits."""
    chosen = [fill for fill in fills if (fill.role == "entry") == entries]
    if not chosen:
        return None
    units = sum(fill.size for fill in chosen)
    moment = chosen[0].time if entries else chosen[-1].time
    minute = moment.hour * 60 + moment.minute + moment.second / 60
    return minute, sum(fill.size * fill.price for fill in chosen) / units


def _minutes(times: pd.DatetimeIndex) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(times.hour * 60 + times.minute, dtype=np.float64)


def _subtitle(figures: dict[str, Any], closed: dict[int, float]) -> str:
    won = sum(net > 0.0 for net in closed.values())
    trades = f"{len(closed)} trade{'' if len(closed) == 1 else 's'}" + (f", {won} won" if closed else "")
    return f"{trades} · charges {rupees(figures['charges'])} · deepest fall {rupees(figures['max_drawdown'])}"


def _day_words(first: str) -> str:
    return f"{dt.datetime.fromisoformat(first):%a %d %b %Y}"


def _signed(amount: float) -> str:
    return f"+{rupees(amount)}" if amount >= 0.5 else rupees(amount)


def _short_signed(amount: float) -> str:
    return f"+{short_rupees(amount)}" if amount >= 0.5 else short_rupees(amount)


def _colour(amount: float) -> str:
    return _GAIN if amount >= 0.0 else _LOSS
