"""A live process for tests: what it says of itself, its logs, and the files of its day."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from analyzers.status.app import make_app
from analyzers.status.board import Board
from analyzers.status.controls import Outcome
from analyzers.status.now import (
    AccountNow,
    BrokerNow,
    CheckNow,
    DriftNow,
    FeedNow,
    HitRateNow,
    ModelNow,
    Now,
    OrderNow,
    RuleNow,
    StepNow,
    TradeNow,
    write_now,
)
from analyzers.status.settings import StatusSettings
from feeds.clock import IST, ReplayClock
from feeds.secrets import Secrets

EVERYWHERE = "0.0.0.0"  # noqa: S104 # nothing is bound to it
TOKEN = "token-of-the-page-7"
NOON = dt.datetime(2026, 9, 24, 12, 0, 5, tzinfo=IST)
DAY = "2026-09-24"


class Counter:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        return self.seconds


class Sent:
    """Stands for the trading process: keeps the commands, and answers each with the same outcome."""

    def __init__(self, outcome=None):
        self.outcome = outcome or Outcome("done", "paused")
        self.commands = []

    def __call__(self, command, *, by, reason="", **fields):
        self.commands.append((command, by, reason, fields))
        return self.outcome


def now_of(**changes: Any) -> Now:
    """A process that holds 130 units in the middle of a session."""
    fields: dict[str, Any] = {
        "written_at": NOON, "market_time": NOON, "pulse_age_seconds": 0.2, "process_id": 4711,
        "version": "0.1.0", "mode": "live", "is_synthetic": False, "instrument": "NIFTY",
        "symbol": "NIFTY26SEPFUT", "strategy": "ml", "phase": "session", "state": "trading", "why": "",
        "folder": None, "login_page": "https://kite.zerodha.com/connect/login", "api_key": "apikey",
        "plan": [
            StepNow(name="preflight", at=NOON.replace(hour=8, minute=45), outcome="done"),
            StepNow(name="square_off", at=NOON.replace(hour=15, minute=20, second=0), outcome="next"),
        ],
        "preflight": [CheckNow(name="disk", outcome="go", words="12 GB free")],
        "account": account_of(), "orders": [order_of()], "trades": [trade_of()],
        "rules": [
            RuleNow(name="daily_loss", description="2 percent", used=500.0, limit=20_000.0, unit="rupees"),
            RuleNow(name="kill_switch", description="the file KILL"),
        ],
        "feed": FeedNow(state="up", reason="", tick_age_seconds=0.4, reconnects=0),
        "broker": BrokerNow(session="alive", obstacle="", unresolved=0),
        "model": ModelNow(version="v0003", trained_until="2026-09-18T15:39:00+05:30", age_days=5.5),
        "drift": DriftNow(day=dt.date(2026, 9, 23), level="ok", words="all within 0.1", psi={"rsi": 0.03}),
        "hit_rate": HitRateNow(
            day=dt.date(2026, 9, 23), level="ok", words="24 of 50", trades=50, wins=24, low=0.36, high=0.64
        ),
    }  # fmt: skip
    return Now(**(fields | changes))


def account_of(**changes: Any) -> AccountNow:
    fields: dict[str, Any] = {
        "starting_cash": 1e6, "cash": 999_500.0, "realised_today": -500.0, "unrealised": 1300.0,
        "entries_today": 2, "position": 130, "average_price": 25_000.0, "last_price": 25_010.0,
        "stop_price": 24_950.0, "target_price": 25_075.0, "open_words": "+130 NIFTY26SEPFUT",
    }  # fmt: skip
    return AccountNow(**(fields | changes))


def order_of(**changes: Any) -> OrderNow:
    fields: dict[str, Any] = {
        "order_id": 1, "trade_id": 1, "time": NOON, "role": "entry", "kind": "market", "state": "completed",
        "size": 130.0, "price": 25_000.0, "filled": 130.0, "average_price": 25_000.0,
    }  # fmt: skip
    return OrderNow(**(fields | changes))


def trade_of(**changes: Any) -> TradeNow:
    fields: dict[str, Any] = {
        "trade_id": 1, "side": 1, "units": 130.0, "entry_time": NOON.replace(hour=10),
        "entry_price": 25_000.0, "exit_time": NOON.replace(hour=11), "exit_price": 24_990.0,
        "exit_reason": "stop", "charges": 700.0, "net_pnl": -2_000.0, "probability": 0.6,
    }  # fmt: skip
    return TradeNow(**(fields | changes))


def record(event: str, *, level: str = "info", time: str = "12:00:00", **fields: Any) -> dict[str, Any]:
    """A record of a log, at a time of the day."""
    return {
        "time": f"{DAY}T{time}.000+05:30", "level": level, "event": event, "uptime_seconds": 1.0, **fields,
    }  # fmt: skip


def log(file: Path, *records: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as handle:
        handle.writelines(f"{json.dumps(each)}\n" for each in records)


def csv_rows(file: Path, *lines: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as handle:
        handle.writelines(f"{line}\n" for line in lines)


BARS_HEADER = "start,end,open,high,low,close,volume,open_interest,complete,origin"
DECISIONS_HEADER = "bar_start,position,working,asked,side,probability,units,leaves,atr,p_sell,p_hold,p_buy"


def bar(start: str, close: float = 100.0, *, day: str = DAY, origin: str = "ticks", complete: int = 1) -> str:
    hour, minute = map(int, start.split(":"))
    end = f"{hour + (minute + 3) // 60:02d}:{(minute + 3) % 60:02d}"
    return (
        f"{day} {start}:00+05:30,{day} {end}:00+05:30,99.0,101.0,98.0,{close},500.0,0.0,{complete},{origin}"
    )


def decision(start: str, side: int = 0, *, day: str = DAY, probabilities: str = "0.1,0.3,0.6") -> str:
    return f"{day} {start}:00+05:30,0.0,0,1,{side},0.6,130.0,,12.5,{probabilities}"


def board_of(state: Path, now: Now | None = None, **options: Any) -> Board:
    """A board that has read its files once; its thread does not run."""
    state.mkdir(parents=True, exist_ok=True)
    if now is not None:
        write_now(now, state)
    board = Board(state, **{"clock": ReplayClock(NOON), "monotonic": Counter(), **options})
    board.poll()
    return board


def app_of(
    board: Board,
    *,
    send=None,
    settings: StatusSettings | None = None,
    secrets: Secrets | None = None,
    **options,
):
    """The application over a board; log in with :func:`log_in`."""
    return make_app(
        board,
        token=TOKEN,
        settings=settings or StatusSettings(),
        send_command=send,
        secrets=secrets or Secrets(),
        **options,
    )


def log_in(client, token: str = TOKEN) -> str:
    """Begin a session as the page does; return its CSRF token."""
    answer = client.post("/session", json={"token": token}, headers={"Origin": "http://localhost"})
    assert answer.status_code == 200, answer.text
    return answer.get_json()["csrf"]
