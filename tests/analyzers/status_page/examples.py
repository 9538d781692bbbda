"""What ``/api/status`` answers at telling moments of a day, made up so that a person would believe it."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

from analyzers.status.health import health_of
from analyzers.status.now import (
    AccountNow,
    BrokerNow,
    CheckNow,
    DriftNow,
    FeedNow,
    ModelNow,
    Now,
    OrderNow,
    RuleNow,
    StepNow,
    TradeNow,
)  # fmt: skip
from feeds.clock import IST

DAY = dt.date(2026, 9, 24)
LOT = 65
SYMBOL = "NIFTY26SEPFUT"
STEPS = {
    "morning": "08:00", "preflight": "08:45", "session": "09:10", "square_off": "15:20", "close": "15:40",
    "post_market": "16:00",
}  # fmt: skip
FEATURES = {"rsi_14": 0.04, "atr_percent": 0.12, "return_3": 0.02, "vwap_distance": 0.06, "minute": 0.0}


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
    spans = ((9, 15, 1, "target"), (24, 28, -1, "stop"), (36, 47, -1, "target"), (len(candles) - 8, None, 1, ""))
    for number, (entered, left, side, why) in enumerate(spans, 1):
        is_last = left is None
        if (is_last and not is_open) or (left or entered) >= len(candles) or entered < 0:
            continue
        entry = candles[entered + 1][1] + 0.6 * side
        out = None if is_last else candles[left][4] - 0.6 * side
        charges = 391.0 if is_last else 782.0 + number
        trades.append(
            TradeNow(
                trade_id=number, side=1 if side > 0 else -1, units=130.0, exit_reason=why, charges=charges,
                entry_time=time_of(candles, entered + 1) + dt.timedelta(milliseconds=240), entry_price=entry,
                exit_time=None if is_last else time_of(candles, left) + dt.timedelta(seconds=95), exit_price=out,
                net_pnl=None if out is None else side * 130 * (out - entry) - charges,
                probability=0.55 + 0.03 * number,
            )
        )  # fmt: skip
    return trades


def time_of(candles: list[list[Any]], number: int) -> dt.datetime:
    return dt.datetime.fromisoformat(candles[number][0])


def orders_of(trades: list[TradeNow]) -> list[OrderNow]:
    """The orders of those trades, and one entry that was denied."""
    orders: list[OrderNow] = []

    def add(trade: TradeNow, time: dt.datetime, role: str, kind: str, state: str, price: float, **more: Any) -> None:
        size = trade.units * (trade.side if role == "entry" else -trade.side)
        done = state == "completed"
        fields = {
            "order_id": len(orders) + 1, "trade_id": trade.trade_id, "time": time, "role": role, "kind": kind,
            "state": state, "size": size, "price": price, "filled": size if done else 0.0,
            "average_price": price if done else 0.0,
        }  # fmt: skip
        orders.append(OrderNow(**(fields | more)))

    for trade in trades:
        stop, target = trade.entry_price - trade.side * 32.0, trade.entry_price + trade.side * 48.0
        add(trade, trade.entry_time, "entry", "market", "completed", trade.entry_price)
        for role, kind, price in (("stop", "stop", stop), ("target", "limit", target)):
            over, hit = trade.exit_time, trade.exit_reason == role
            state = "accepted" if over is None else "completed" if hit else "canceled"
            add(trade, over or trade.entry_time, role, kind, state, trade.exit_price if hit and trade.exit_price else price)
        if trade.trade_id == 2:
            add(
                trade, (trade.exit_time or trade.entry_time) + dt.timedelta(minutes=9), "entry", "market", "denied",
                trade.entry_price + 11, order_id=0, rule="cooldown",
                reason="2 losses in a row, entries again from 11:09:00",
            )  # fmt: skip
    return orders


def rules_of(**changes: dict[str, Any]) -> list[RuleNow]:
    rules = {
        "daily_loss": ("daily loss: at 2 % of the day's starting equity the position is closed and the day ends", 1_320.0, 20_000.0, "rupees"),
        "max_trades": ("maximum trades: 8 entries a day", 4, 8, "entries"),
        "cooldown": ("cooldown: 30 minutes without entries after 2 losses in a row", 0, 2, "losses in a row"),
        "exposure": ("exposure: at most 4 lots and 60 % of the equity as margin", 38.4, 60.0, "% of the equity as margin"),
        "trading_window": ("trading window: entries decided from 09:20:00 and before 15:00:00", None, None, ""),
        "volatility": ("volatility: ATR at most 0.4 % of the price", None, 0.4, "% of the price"),
        "order_sanity": ("order sanity: whole lots, at most 4 orders of the freeze quantity, prices on the tick, stop and target on their side, stop within 3 %", None, None, ""),
        "data_quality": ("data quality: no entry on a bar that lacks minutes, no entry on data older than 10 s", None, 10.0, "seconds"),
        "model_age": ("model age: no entry when the model has seen nothing of the last 45 days", 5.5, 45.0, "days"),
        "kill_switch": ("kill switch: no entry while KILL exists", None, None, ""),
        "pause": ("pause: no entry while PAUSED exists", None, None, ""),
    }  # fmt: skip
    return [
        RuleNow(**({"name": name, "description": words, "used": used, "limit": limit, "unit": unit} | changes.get(name, {})))
        for name, (words, used, limit, unit) in rules.items()
    ]  # fmt: skip


def plan_at(time: dt.datetime, **outcomes: str) -> list[StepNow]:
    """The day's steps as they stand at a time."""
    over = [name for name, begins in STEPS.items() if at(begins) <= time]
    known = dict.fromkeys(over, "done")
    if over and over[-1] in ("preflight", "session", "square_off"):
        known["session" if "session" in over else "preflight"] = "now"
    return [
        StepNow(name=name, at=at(begins), outcome=(known | outcomes).get(name, "next")) for name, begins in STEPS.items()
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


def status_of(time: str = "12:04:37", *, is_open: bool = True, stale: float = 0.4, **changes: Any) -> dict[str, Any]:
    """An answer of ``/api/status`` at a time of the day; ``changes`` are those of ``now``."""
    moment = at(time)
    candles = candles_until(min(moment, at(STEPS["close"])))
    trades = trades_of(candles, is_open=is_open)
    held = next((trade for trade in trades if trade.exit_time is None), None)
    last = candles[-1][4] + 1.35 if candles else 25_010.0
    realised = sum(trade.net_pnl for trade in trades if trade.net_pnl is not None) - (held.charges if held else 0.0)
    account = AccountNow(
        starting_cash=1_000_000.0, cash=1_000_000.0 + realised, realised_today=realised,
        unrealised=130 * (last - held.entry_price) if held else 0.0, entries_today=len(trades),
        position=130 if held else 0, average_price=held.entry_price if held else None, last_price=last,
        stop_price=held.entry_price - 32 if held else None, target_price=held.entry_price + 48 if held else None,
        open_words=f"+130 {SYMBOL}" if held else "", lot=LOT,
    )  # fmt: skip
    fields: dict[str, Any] = {
        "written_at": moment, "market_time": moment, "pulse_age_seconds": 0.2, "process_id": 4711,
        "version": "0.4.0", "mode": "live", "is_synthetic": False, "instrument": "NIFTY", "symbol": SYMBOL,
        "strategy": "ml", "phase": "session", "state": "trading", "why": "", "folder": f"runs/live-NIFTY-ml/{DAY}",
        "login_page": "https://kite.zerodha.com/connect/login", "api_key": "k1", "plan": plan_at(moment),
        "preflight": checks_of(), "account": account, "orders": orders_of(trades), "trades": trades,
        "rules": rules_of(), "feed": FeedNow(state="up", reason="", tick_age_seconds=0.4, reconnects=0),
        "broker": BrokerNow(session="alive", obstacle="", unresolved=0),
        "model": ModelNow(
            version="v0012", trained_until="2026-09-18T15:39:00+05:30", age_days=5.5, buy_probability=0.55,
            sell_probability=0.55,
        ),
        "drift": DriftNow(day=dt.date(2026, 9, 23), level="warning", words="1 of 14 features has moved", psi=FEATURES),
    }  # fmt: skip
    now = Now(**(fields | changes))
    return answer_of(now, stale, candles)


def answer_of(now: Now, stale: float, candles: list[list[Any]]) -> dict[str, Any]:
    """The rest of the answer, fitting to ``now`` and the candles."""
    health = health_of(now, stale)
    fills = [
        {"time": when.isoformat(), "role": role, "size": size, "price": price}
        for trade in now.trades
        for when, role, size, price in (
            (trade.entry_time, "entry", trade.side * trade.units, trade.entry_price),
            (trade.exit_time, trade.exit_reason, -trade.side * trade.units, trade.exit_price),
        )
        if when is not None and price is not None
    ]
    return {
        "now": now.model_dump(mode="json"),
        "stale_seconds": stale,
        "health": {"level": health.level, "reasons": list(health.reasons)},
        "candles": candles,
        "decisions": decisions_of(candles, now.trades),
        "prediction": None
        if not candles
        else {
            "start": candles[-1][0], "side": 0, "probability": None, "units": None, "denied": "",
            "p_sell": 0.231, "p_hold": 0.487, "p_buy": 0.282,
        },
        "fills": fills,
        "equity": equity_of(candles, now.trades),
        "events": events_of(now),
        "latency": {"decisions": 4, "p50_ms": 18.4, "p99_ms": 41.2, "last_ms": 17.9}
        if fills
        else {"decisions": 0, "p50_ms": None, "p99_ms": None, "last_ms": None},
        "alerts": {"channels": [
            {"name": "telegram", "queued": 0, "sent": 9, "failed": 0, "dropped": 0, "last_error": ""},
            {"name": "email", "queued": 1, "sent": 8, "failed": 0, "dropped": 0, "last_error": ""},
        ]},
        "days": days_of(now.mode),
        "controls": {"can": now.phase != "over", "why_not": "the trading process has ended" if now.phase == "over" else ""},
        "server_time": now.market_time.isoformat(),
    }  # fmt: skip


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
                decisions.append({
                    "start": starts[number], "side": trade.side, "probability": trade.probability, "units": units,
                    "p_sell": 0.2, "p_hold": 0.2, "p_buy": 0.6, "denied": denied,
                })  # fmt: skip
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

    told = [
        event(at("08:00"), "info", "plan", f"plan of {DAY}: preflight 08:45, session 09:10, square off 15:20"),
        event(at("08:45:03"), "info", "preflight", "preflight: GO, 1 warning (data)"),
        event(at("09:10:04"), "info", "day_begins", f"{now.mode}: {now.strategy} on {SYMBOL}, {DAY}, 1,000,000 rupees"),
        event(at("09:10:05"), "info", "warmup", "warmed up with 200 bars"),
    ]
    for trade in now.trades:
        deal = "buy" if trade.side > 0 else "sell"
        told.append(event(trade.entry_time, "info", "entry_decided", f"enter: {deal} 130 at about {trade.entry_price:.2f}, probability {trade.probability:.2f}"))  # fmt: skip
        if trade.trade_id == 2:
            told.append(event(trade.entry_time + dt.timedelta(minutes=2), "warning", "stream_down", "stream is down: no tick for 8 s"))  # fmt: skip
            told.append(event(trade.entry_time + dt.timedelta(minutes=2, seconds=3), "info", "stream_up", "stream is up"))  # fmt: skip
        if trade.exit_time is not None:
            told.append(event(trade.exit_time, "info", "trip_closed", f"flat again: trade {trade.trade_id}, net {trade.net_pnl:+,.0f} rupees"))  # fmt: skip
    if now.kill_switch:
        told.append(event(now.market_time - dt.timedelta(minutes=4), "error", "halted", f"no more entries: {now.kill_switch}"))  # fmt: skip
    return sorted((one for one in told if one["time"] <= now.market_time.isoformat()), key=lambda one: one["time"])


def days_of(mode: str) -> list[dict[str, Any]]:
    nets = (4_210.0, -6_904.0, 1_152.0, 0.0, 8_377.0, -2_240.0, 3_015.0)
    days = ("2026-09-23", "2026-09-22", "2026-09-21", "2026-09-18", "2026-09-17", "2026-09-16", "2026-09-15")
    outcomes = ("traded", "traded", "traded", "no_entries", "traded", "daily_loss", "traded")
    return [
        {"day": day, "mode": mode, "trades": 0 if not net else 3 + number % 3, "net_pnl": net, "outcome": outcome}
        for number, (day, net, outcome) in enumerate(zip(days, nets, outcomes, strict=True))
    ]


def trading() -> dict[str, Any]:
    return status_of()


def paused() -> dict[str, Any]:
    why = "paused by page at 11:31: lunch, and the RBI speaks at 12:30"
    return status_of(
        "11:46:12", is_open=False, mode="paper", state="paused", why=why, paused=why,
        rules=rules_of(pause={"blocks": why}, max_trades={"used": 3}, exposure={"used": 0.0}),
    )  # fmt: skip


def halted() -> dict[str, Any]:
    why = "kill switch by page at 13:02: the broker's app shows an order I do not know"
    return status_of(
        "13:06:50", is_open=False, state="halted", why=why, kill_switch=why,
        rules=rules_of(kill_switch={"blocks": why}, exposure={"used": 0.0}),
    )  # fmt: skip


def closed() -> dict[str, Any]:
    steps = dict.fromkeys(STEPS, "done")
    return status_of(
        "21:40:09", is_open=False, mode="paper", phase="waiting", state="closed",
        why="the session of 2026-09-24 is over; the next one is on 2026-09-25",
        plan=[*plan_at(at("21:40:09"), **steps), StepNow(name="morning", at=at("08:00") + dt.timedelta(days=1), outcome="next")],
        feed=FeedNow(state="down", reason="the session is over", tick_age_seconds=None, reconnects=1),
        rules=rules_of(trading_window={"blocks": "21:40:09 is after 15:00:00"}, exposure={"used": 0.0}),
    )  # fmt: skip


def silent() -> dict[str, Any]:
    return status_of(stale=74.0)


def first_minute() -> dict[str, Any]:
    answer = status_of(
        "09:15:40", is_open=False, mode="demo", is_synthetic=True, drift=None, preflight=[],
        feed=FeedNow(state="up", reason="", tick_age_seconds=0.1, reconnects=0), login_page="", api_key="",
    )  # fmt: skip
    return answer | {"days": [], "alerts": {"channels": []}}


def no_go() -> dict[str, Any]:
    return status_of(
        "08:47:30", is_open=False, phase="preflight", state="starting", why="preflight: NO-GO, 1 of 9 checks; asked again at 08:49",
        account=None, rules=[], feed=None, broker=BrokerNow(session="dead", obstacle="", unresolved=0),
        preflight=checks_of(login=("no_go", "the broker refused the login of yesterday", "log in to Kite before 09:10")),
    )  # fmt: skip


def in_trouble() -> dict[str, Any]:
    """A live position without a stop, the stream gone and a login refused."""
    answer = trading()
    now = Now.model_validate(answer["now"])
    assert now.account is not None
    account = now.account.model_copy(update={"stop_price": None, "target_price": None})
    return answer_of(
        now.model_copy(update={
            "account": account, "feed": FeedNow(state="down", reason="refused: 403", tick_age_seconds=41.0, reconnects=6),
            "broker": BrokerNow(session="dead", obstacle="the login is refused", unresolved=2),
            "rules": rules_of(daily_loss={"used": 17_300.0}, exposure={"used": 60.0, "blocks": "not one lot more fits: 60 % of 60 %"}),
        }), 0.6, answer["candles"],
    ) | {"alerts": {"channels": [{"name": "telegram", "queued": 3, "sent": 12, "failed": 4, "dropped": 1, "last_error": "429: retry after 31 s"}]}}  # fmt: skip


def no_word() -> dict[str, Any]:
    """The page's server is up, and no trading process has ever written."""
    empty = {"candles": [], "decisions": [], "prediction": None, "fills": [], "equity": [], "events": [], "days": []}
    return empty | {
        "now": None, "stale_seconds": None, "alerts": {"channels": []},
        "health": {"level": "red", "reasons": ["no now.json in runs/live-NIFTY-ml, expected the folder of a live process"]},
        "latency": {"decisions": 0, "p50_ms": None, "p99_ms": None, "last_ms": None},
        "controls": {"can": True, "why_not": ""}, "server_time": at("09:00").isoformat(),
    }  # fmt: skip


EXAMPLES = {
    "trading": trading, "paused": paused, "halted": halted, "closed": closed, "silent": silent,
    "first_minute": first_minute, "no_go": no_go, "in_trouble": in_trouble, "no_word": no_word,
}  # fmt: skip
