"""The parts of a made-up day of trading: candles, trades, orders, rules, plan, checks, events."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

from analyzers.status.now import CheckNow, Now, OrderNow, RuleNow, StepNow, TradeNow
from feeds.clock import IST

DAY = dt.date(2026, 9, 24)
SYMBOL = "NIFTY26SEPFUT"
STEPS = {
    "morning": "08:00",
    "preflight": "08:45",
    "session": "09:10",
    "square_off": "15:20",
    "close": "15:40",
    "post_market": "16:00",
}


def at(text: str) -> dt.datetime:
    """A time of the day, aware."""
    hour, minute, second = (*map(int, text.split(":")), 0)[:3]
    return dt.datetime(DAY.year, DAY.month, DAY.day, hour, minute, second, tzinfo=IST)


def candles_until(end: dt.datetime, seed: int = 5) -> list[list[Any]]:
    """Three-minute candles from the open to ``end``."""
    dice = random.Random(seed)  # noqa: S311 # prices of an example
    start, price, drift, candles = at("09:15"), 25_012.0, 0.0, []
    while start + dt.timedelta(minutes=3) <= end:
        drift = 0.86 * drift + dice.gauss(0, 2.6)
        close = price + drift + dice.gauss(0, 4.2)
        high = max(price, close) + abs(dice.gauss(0, 3.8))
        low = min(price, close) - abs(dice.gauss(0, 3.8))
        volume = int(65 * (260 + 900 * abs(dice.gauss(0, 1)) + (1600 if len(candles) < 5 else 0)))
        prices = [round(value * 20) / 20 for value in (price, high, low, close)]
        candles.append([start.isoformat(), *prices, volume, int(len(candles) != 14)])
        price, start = close, start + dt.timedelta(minutes=3)
    return candles


def trades_of(candles: list[list[Any]], *, is_open: bool) -> list[TradeNow]:
    """Round trips on the candles; the last one still open where asked for."""
    trades = []
    spans = (
        (9, 15, 1, "target"),
        (24, 28, -1, "stop"),
        (36, 47, -1, "target"),
        (len(candles) - 8, None, 1, ""),
    )
    for number, (entered, left, side, why) in enumerate(spans, 1):
        is_last = left is None
        if (is_last and not is_open) or (left or entered) >= len(candles) or entered < 0:
            continue
        entry = candles[entered + 1][1] + 0.6 * side
        out = None if is_last else candles[left][4] - 0.6 * side
        charges = 391.0 if is_last else 782.0 + number
        trades.append(
            TradeNow(
                trade_id=number,
                side=1 if side > 0 else -1,
                units=130.0,
                exit_reason=why,
                charges=charges,
                entry_time=time_of(candles, entered + 1) + dt.timedelta(milliseconds=240),
                entry_price=entry,
                exit_time=None if is_last else time_of(candles, left) + dt.timedelta(seconds=95),
                exit_price=out,
                net_pnl=None if out is None else side * 130 * (out - entry) - charges,
                probability=0.55 + 0.03 * number,
            )
        )
    return trades


def time_of(candles: list[list[Any]], number: int) -> dt.datetime:
    return dt.datetime.fromisoformat(candles[number][0])


def orders_of(trades: list[TradeNow]) -> list[OrderNow]:
    """The orders of those trades, and one entry that was denied."""
    orders: list[OrderNow] = []

    def add(
        trade: TradeNow, time: dt.datetime, role: str, kind: str, state: str, price: float, **more: Any
    ) -> None:
        size = trade.units * (trade.side if role == "entry" else -trade.side)
        done = state == "completed"
        fields = {
            "order_id": len(orders) + 1,
            "trade_id": trade.trade_id,
            "time": time,
            "role": role,
            "kind": kind,
            "state": state,
            "size": size,
            "price": price,
            "filled": size if done else 0.0,
            "average_price": price if done else 0.0,
        }
        orders.append(OrderNow(**(fields | more)))

    for trade in trades:
        stop, target = trade.entry_price - trade.side * 32.0, trade.entry_price + trade.side * 48.0
        add(trade, trade.entry_time, "entry", "market", "completed", trade.entry_price)
        for role, kind, price in (("stop", "stop", stop), ("target", "limit", target)):
            over, hit = trade.exit_time, trade.exit_reason == role
            state = "accepted" if over is None else "completed" if hit else "canceled"
            add(
                trade,
                over or trade.entry_time,
                role,
                kind,
                state,
                trade.exit_price if hit and trade.exit_price else price,
            )
        if trade.trade_id == 2:
            add(
                trade,
                (trade.exit_time or trade.entry_time) + dt.timedelta(minutes=9),
                "entry",
                "market",
                "denied",
                trade.entry_price + 11,
                order_id=0,
                rule="cooldown",
                reason="2 losses in a row, entries again from 11:09:00",
            )
    return orders


def rules_of(**changes: dict[str, Any]) -> list[RuleNow]:
    rules = {
        "daily_loss": (
            "daily loss: at 2 % of the day's starting equity the position is closed and the day ends",
            1_320.0,
            20_000.0,
            "rupees",
        ),
        "max_trades": ("maximum trades: 8 entries a day", 4, 8, "entries"),
        "cooldown": ("cooldown: 30 minutes without entries after 2 losses in a row", 0, 2, "losses in a row"),
        "exposure": (
            "exposure: at most 4 lots and 60 % of the equity as margin",
            38.4,
            60.0,
            "% of the equity as margin",
        ),
        "trading_window": (
            "trading window: entries decided from 09:20:00 and before 15:00:00",
            None,
            None,
            "",
        ),
        "volatility": ("volatility: ATR at most 0.4 % of the price", None, 0.4, "% of the price"),
        "order_sanity": (
            "order sanity: whole lots, at most 4 orders of the freeze quantity, prices "
            "on the tick, stop and target on their side, stop within 3 %",
            None,
            None,
            "",
        ),
        "data_quality": (
            "data quality: no entry on a bar that lacks minutes, no entry on data older than 10 s",
            None,
            10.0,
            "seconds",
        ),
        "model_age": (
            "model age: no entry when the model has seen nothing of the last 45 days",
            5.5,
            45.0,
            "days",
        ),
        "kill_switch": ("kill switch: no entry while KILL exists", None, None, ""),
        "pause": ("pause: no entry while PAUSED exists", None, None, ""),
    }
    return [
        RuleNow(
            **(
                {"name": name, "description": words, "used": used, "limit": limit, "unit": unit}
                | changes.get(name, {})
            )
        )
        for name, (words, used, limit, unit) in rules.items()
    ]


def plan_at(time: dt.datetime, **outcomes: str) -> list[StepNow]:
    """The day's steps as they stand at a time."""
    over = [name for name, begins in STEPS.items() if at(begins) <= time]
    known = dict.fromkeys(over, "done")
    if over and over[-1] in ("preflight", "session", "square_off"):
        known["session" if "session" in over else "preflight"] = "now"
    return [
        StepNow(name=name, at=at(begins), outcome=(known | outcomes).get(name, "next"))
        for name, begins in STEPS.items()
    ]


def checks_of(**changes: tuple[str, str, str]) -> list[CheckNow]:
    checks = {
        "calendar": ("go", "an ordinary Thursday session, 09:15 to 15:40", ""),
        "login": ("go", "accepted by the broker at 08:45:02, valid until tomorrow 06:00", ""),
        "clock": ("go", "0.03 s from the broker's", ""),
        "contract": ("go", f"{SYMBOL}, lot 65, expires in 5 days", ""),
        "margin": ("go", "2.61 lakh for one lot of 9.98 lakh free", ""),
        "model": ("go", "v0012, whole, 5.5 days old", ""),
        "disk": ("go", "12.4 GB free", ""),
        "journal": ("go", "yesterday ended flat, the broker's book agrees", ""),
        "data": ("warning", "the store ends on 2026-09-22, a session is missing", "python -m feeds fetch"),
    }
    return [
        CheckNow(name=name, outcome=outcome, words=words, remedy=remedy)
        for name, (outcome, words, remedy) in (checks | changes).items()
    ]


def decisions_of(candles: list[list[Any]], trades: list[TradeNow]) -> list[dict[str, Any]]:
    decisions = []
    starts = [candle[0] for candle in candles]
    for trade in trades:
        entered = starts.index((trade.entry_time.replace(microsecond=0)).isoformat())
        signals = [(entered - 1, trade.units, "")]
        if trade.trade_id == 2:
            signals.append((entered + 7, 130.0, "cooldown: 2 losses in a row"))
        if trade.trade_id == 3:
            signals.append((entered + 2, 0.0, ""))
        for number, units, denied in signals:
            if number < len(candles):
                decisions.append(
                    {
                        "start": starts[number],
                        "side": trade.side,
                        "probability": trade.probability,
                        "units": units,
                        "p_sell": 0.2,
                        "p_hold": 0.2,
                        "p_buy": 0.6,
                        "denied": denied,
                        "why": "return_zscore +0.21, volume_ratio_20 +0.17, hour_sin -0.04",
                    }
                )
    return decisions


def equity_of(candles: list[list[Any]], trades: list[TradeNow]) -> list[list[Any]]:
    """Realised and open profit at each candle's close."""
    curve = []
    for start, _, _, _, close, *_ in candles:
        end, profit = dt.datetime.fromisoformat(start) + dt.timedelta(minutes=3), 0.0
        for trade in trades:
            if trade.exit_time is not None and trade.exit_time <= end and trade.net_pnl is not None:
                profit += trade.net_pnl
            elif trade.entry_time < end:
                profit += trade.side * trade.units * (close - trade.entry_price) - trade.charges / 2
        curve.append([end.isoformat(), round(profit, 2)])
    return curve


def events_of(now: Now) -> list[dict[str, str]]:
    def event(time: dt.datetime, level: str, name: str, words: str) -> dict[str, str]:
        return {"time": time.isoformat(), "level": level, "event": name, "words": words}

    verdict = "NO-GO" if any(check.outcome == "no_go" for check in now.preflight) else "GO"
    told = [
        event(
            at("08:00"), "info", "plan", f"plan of {DAY}: preflight 08:45, session 09:10, square off 15:20"
        ),
        event(at("08:45:03"), "info", "preflight", f"preflight: {verdict}"),
        event(
            at("09:10:04"),
            "info",
            "day_begins",
            f"{now.mode}: {now.strategy} on {SYMBOL}, {DAY}, 1,000,000 rupees",
        ),
        event(at("09:10:05"), "info", "warmup", "warmed up with 200 bars"),
    ]
    for trade in now.trades:
        deal, begun = "buy" if trade.side > 0 else "sell", trade.entry_time
        words = f"enter: {deal} 130 at about {trade.entry_price:.2f}, probability {trade.probability:.2f}"
        told.append(event(begun, "info", "entry_decided", words))
        if trade.trade_id == 2:
            down = begun + dt.timedelta(minutes=2)
            told.append(event(down, "warning", "stream_down", "stream is down: no tick for 8 s"))
            told.append(event(down + dt.timedelta(seconds=3), "info", "stream_up", "stream is up"))
        if trade.exit_time is not None:
            words = f"flat again: trade {trade.trade_id}, net {trade.net_pnl:+,.0f} rupees"
            told.append(event(trade.exit_time, "info", "trip_closed", words))
    if now.kill_switch:
        halted = now.market_time - dt.timedelta(minutes=4)
        told.append(event(halted, "error", "halted", f"no more entries: {now.kill_switch}"))
    return sorted(
        (one for one in told if one["time"] <= now.market_time.isoformat()), key=lambda one: one["time"]
    )


def days_of(mode: str) -> list[dict[str, Any]]:
    nets = (4_210.0, -6_904.0, 1_152.0, 0.0, 8_377.0, -2_240.0, 3_015.0)
    days = ("2026-09-23", "2026-09-22", "2026-09-21", "2026-09-18", "2026-09-17", "2026-09-16", "2026-09-15")
    outcomes = ("traded", "traded", "traded", "no_entries", "traded", "daily_loss", "traded")
    return [
        {
            "day": day,
            "mode": mode,
            "trades": 0 if not net else 3 + number % 3,
            "net_pnl": net,
            "outcome": outcome,
        }
        for number, (day, net, outcome) in enumerate(zip(days, nets, outcomes, strict=True))
    ]
