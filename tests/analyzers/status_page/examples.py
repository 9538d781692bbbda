"""What ``/api/status`` answers at telling moments of a day, made up so that a person would believe it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from analyzers.status.health import health_of
from analyzers.status.now import AccountNow, BrokerNow, DriftNow, FeedNow, HitRateNow, ModelNow, Now, StepNow
from tests.analyzers.status_page.day_parts import (
    DAY,
    STEPS,
    SYMBOL,
    at,
    candles_until,
    checks_of,
    days_of,
    decisions_of,
    equity_of,
    events_of,
    orders_of,
    plan_at,
    rules_of,
    trades_of,
)

LOT = 65
FEATURES = {"rsi_14": 0.04, "atr_percent": 0.12, "return_3": 0.02, "vwap_distance": 0.06, "minute": 0.0}


def status_of(
    time: str = "12:04:37", *, is_open: bool = True, stale: float = 0.4, **changes: Any
) -> dict[str, Any]:
    """An answer of ``/api/status`` at a time of the day; ``changes`` are those of ``now``."""
    moment = at(time)
    candles = candles_until(min(moment, at(STEPS["close"])))
    trades = trades_of(candles, is_open=is_open)
    held = next((trade for trade in trades if trade.exit_time is None), None)
    last = candles[-1][4] + 1.35 if candles else 25_010.0
    realised = sum(trade.net_pnl for trade in trades if trade.net_pnl is not None) - (
        held.charges if held else 0.0
    )
    account = AccountNow(
        starting_cash=1_000_000.0,
        cash=1_000_000.0 + realised,
        realised_today=realised,
        unrealised=130 * (last - held.entry_price) if held else 0.0,
        entries_today=len(trades),
        position=130 if held else 0,
        average_price=held.entry_price if held else None,
        last_price=last,
        stop_price=held.entry_price - 32 if held else None,
        target_price=held.entry_price + 48 if held else None,
        open_words=f"+130 {SYMBOL}" if held else "",
        lot=LOT,
    )
    fields: dict[str, Any] = {
        "written_at": moment,
        "market_time": moment,
        "pulse_age_seconds": 0.2,
        "process_id": 4711,
        "version": "0.4.0",
        "mode": "live",
        "is_synthetic": False,
        "instrument": "NIFTY",
        "symbol": SYMBOL,
        "strategy": "ml",
        "phase": "session",
        "state": "trading",
        "why": "",
        "folder": f"runs/live-NIFTY-ml/{DAY}",
        "login_page": "https://kite.zerodha.com/connect/login",
        "api_key": "k1",
        "plan": plan_at(moment),
        "preflight": checks_of(),
        "account": account,
        "orders": orders_of(trades),
        "trades": trades,
        "rules": rules_of(),
        "feed": FeedNow(state="up", reason="", tick_age_seconds=0.4, reconnects=0),
        "broker": BrokerNow(session="alive", obstacle="", unresolved=0),
        "model": ModelNow(
            version="v0012",
            trained_until="2026-09-18T15:39:00+05:30",
            age_days=5.5,
            buy_probability=0.55,
            sell_probability=0.55,
        ),
        "drift": DriftNow(
            day=dt.date(2026, 9, 23), level="warning", words="1 of 14 features has moved", psi=FEATURES
        ),
        "hit_rate": HitRateNow(
            day=dt.date(2026, 9, 23),
            level="ok",
            trades=50,
            wins=22,
            low=0.3,
            high=0.58,
            words="22 of the last 50 trades won (44%), within the band of its backtest, 30% to 58%",
        ),
    }
    now = Now(**(fields | changes))
    return answer_of(now, stale, candles)


def challengers_of() -> list[dict[str, Any]]:
    """Return a challenger that is ahead, one that is behind and in the market, and one that cannot run."""
    one = {
        "name": "new model", "strategy": "ml", "model": "v0007", "trades": 3, "wins": 2, "gross_pnl": 9870.0,
        "net_pnl": 4120.5, "open_units": 0.0, "last_side": 1, "last_decided_at": None, "fingerprint": "a",
        "error": "",
        "as_of": "2026-09-24T11:21:00+05:30", "days": 6, "days_trades": 19,
        "days_net_pnl": -3310.0, "champion_net_pnl": -8140.25,
    }  # fmt: skip
    return [
        one,
        one | {"name": "crossing means", "strategy": "ema_cross", "model": "", "trades": 5,
               "net_pnl": -6544.0, "open_units": -130.0, "days_net_pnl": -41200.0},
        one | {"name": "typing error", "error": "no model 'v0070' in models; known: v0001, v0007"},
    ]  # fmt: skip


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
            "start": candles[-1][0],
            "side": 0,
            "probability": None,
            "units": None,
            "denied": "",
            "p_sell": 0.231,
            "p_hold": 0.487,
            "p_buy": 0.282,
        },
        "fills": fills,
        "equity": equity_of(candles, now.trades),
        "events": events_of(now),
        "latency": {"decisions": 4, "p50_ms": 18.4, "p99_ms": 41.2, "last_ms": 17.9}
        if fills
        else {"decisions": 0, "p50_ms": None, "p99_ms": None, "last_ms": None},
        "alerts": {
            "channels": [
                {"name": "telegram", "queued": 0, "sent": 9, "failed": 0, "dropped": 0, "last_error": ""},
                {"name": "email", "queued": 1, "sent": 8, "failed": 0, "dropped": 0, "last_error": ""},
            ]
        },
        "days": days_of(now.mode),
        "challengers": challengers_of(),
        "controls": {
            "can": now.phase != "over",
            "why_not": "the trading process has ended" if now.phase == "over" else "",
        },
        "server_time": now.market_time.isoformat(),
    }


def trading() -> dict[str, Any]:
    return status_of()


def paused() -> dict[str, Any]:
    why = "paused by page at 11:31: lunch, and the RBI speaks at 12:30"
    return status_of(
        "11:46:12",
        is_open=False,
        mode="paper",
        state="paused",
        why=why,
        paused=why,
        rules=rules_of(pause={"blocks": why}, max_trades={"used": 3}, exposure={"used": 0.0}),
    )


def halted() -> dict[str, Any]:
    why = "kill switch by page at 13:02: the broker's app shows an order I do not know"
    return status_of(
        "13:06:50",
        is_open=False,
        state="halted",
        why=why,
        kill_switch=why,
        rules=rules_of(kill_switch={"blocks": why}, exposure={"used": 0.0}),
    )


def closed() -> dict[str, Any]:
    steps = dict.fromkeys(STEPS, "done")
    return status_of(
        "21:40:09",
        is_open=False,
        mode="paper",
        phase="waiting",
        state="closed",
        why="the session of 2026-09-24 is over; the next one is on 2026-09-25",
        plan=[
            *plan_at(at("21:40:09"), **steps),
            StepNow(name="morning", at=at("08:00") + dt.timedelta(days=1), outcome="next"),
        ],
        feed=FeedNow(state="down", reason="the session is over", tick_age_seconds=None, reconnects=1),
        rules=rules_of(trading_window={"blocks": "21:40:09 is after 15:00:00"}, exposure={"used": 0.0}),
    )


def silent() -> dict[str, Any]:
    return status_of(stale=74.0)


def first_minute() -> dict[str, Any]:
    answer = status_of(
        "09:15:40",
        is_open=False,
        mode="demo",
        is_synthetic=True,
        drift=None,
        preflight=[],
        feed=FeedNow(state="up", reason="", tick_age_seconds=0.1, reconnects=0),
        login_page="",
        api_key="",
    )
    return answer | {"days": [], "alerts": {"channels": []}}


def no_go() -> dict[str, Any]:
    return status_of(
        "08:47:30",
        is_open=False,
        phase="preflight",
        state="starting",
        why="preflight: NO-GO, 1 of 9 checks; asked again at 08:49",
        account=None,
        rules=[],
        feed=None,
        broker=BrokerNow(session="dead", obstacle="", unresolved=0),
        preflight=checks_of(
            login=("no_go", "the broker refused the login of yesterday", "log in to Kite before 09:10")
        ),
    )


def in_trouble() -> dict[str, Any]:
    """A live position without a stop, the stream gone and a login refused."""
    answer = trading()
    now = Now.model_validate(answer["now"])
    assert now.account is not None
    account = now.account.model_copy(update={"stop_price": None, "target_price": None})
    return answer_of(
        now.model_copy(
            update={
                "account": account,
                "feed": FeedNow(state="down", reason="refused: 403", tick_age_seconds=41.0, reconnects=6),
                "broker": BrokerNow(session="dead", obstacle="the login is refused", unresolved=2),
                "rules": rules_of(
                    daily_loss={"used": 17_300.0},
                    exposure={"used": 60.0, "blocks": "not one lot more fits: 60 % of 60 %"},
                ),
            }
        ),
        0.6,
        answer["candles"],
    ) | {
        "alerts": {
            "channels": [
                {
                    "name": "telegram",
                    "queued": 3,
                    "sent": 12,
                    "failed": 4,
                    "dropped": 1,
                    "last_error": "429: retry after 31 s",
                }
            ]
        }
    }


def no_word() -> dict[str, Any]:
    """The page's server is up, and no trading process has ever written."""
    empty = {
        "candles": [],
        "decisions": [],
        "prediction": None,
        "fills": [],
        "equity": [],
        "events": [],
        "days": [],
        "challengers": [],
    }
    return empty | {
        "now": None,
        "stale_seconds": None,
        "alerts": {"channels": []},
        "health": {
            "level": "red",
            "reasons": ["no now.json in runs/live-NIFTY-ml, expected the folder of a live process"],
        },
        "latency": {"decisions": 0, "p50_ms": None, "p99_ms": None, "last_ms": None},
        "controls": {"can": True, "why_not": ""},
        "server_time": at("09:00").isoformat(),
    }


EXAMPLES = {
    "trading": trading,
    "paused": paused,
    "halted": halted,
    "closed": closed,
    "silent": silent,
    "first_minute": first_minute,
    "no_go": no_go,
    "in_trouble": in_trouble,
    "no_word": no_word,
}
