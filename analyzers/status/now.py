"""What a live process says of itself once a second, in ``now.json``: all that its logs do not hold.

It is written by the trading process and read by the companion that serves the page, so that nobody who looks
at the page can slow trading. Candles, decisions and events are read from the files of the day.
"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from feeds.errors import DataError

__all__ = [
    "NOW_FILE", "AccountNow", "BrokerNow", "CheckNow", "DriftNow", "FeedNow", "HitRateNow", "ModelNow", "Now",
    "OrderNow", "Phase", "PositionNow", "RuleNow", "State", "StepNow", "TradeNow", "read_now", "write_now",
]  # fmt: skip

NOW_FILE = "now.json"

Phase = Literal["waiting", "preflight", "session", "post_market", "over"]
"""What the process is doing; ``over``: it has ended in order."""

State = Literal["starting", "trading", "paused", "halted", "closed"]
"""What the trader wants to know first. ``halted``: no entries until a person does something."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class StepNow(_Part):
    """A step of the day's plan. ``at`` is aware."""

    name: str
    at: dt.datetime
    outcome: Literal["done", "now", "next", "missed", "skipped", "failed"]


class CheckNow(_Part):
    """One check of the preflight, in words; ``remedy`` is empty where there is nothing to do."""

    name: str
    outcome: Literal["go", "warning", "no_go"]
    words: str
    remedy: str = ""


class PositionNow(_Part):
    """What is held of one of several instruments; fields as in :class:`AccountNow`."""

    instrument: str
    symbol: str
    position: int
    average_price: float | None
    last_price: float | None
    stop_price: float | None
    target_price: float | None
    unrealised: float


class AccountNow(_Part):
    """Rupees, index points, signed units; ``None`` where nothing is held, and for an unknown lot.

    Money is the whole account's. Where several instruments are traded, position and prices are those of one
    of them, which holds something if any does; ``positions`` has them all.
    """

    starting_cash: float
    cash: float
    realised_today: float
    unrealised: float
    entries_today: int
    position: int
    average_price: float | None
    last_price: float | None
    stop_price: float | None
    target_price: float | None
    open_words: str = ""
    lot: int | None = None
    positions: tuple[PositionNow, ...] = ()

    @property
    def net_today(self) -> float:
        """Realised and open profit of the day, charges paid, rupees."""
        return self.realised_today + self.unrealised


class OrderNow(_Part):
    """An order in its newest state; fields as in :class:`brokers.journal.OrderEvent`."""

    order_id: int
    trade_id: int
    time: dt.datetime
    role: str
    kind: str
    state: str
    size: float
    price: float
    filled: float
    average_price: float
    rule: str = ""
    reason: str = ""
    instrument: str = ""


class TradeNow(_Part):
    """A round trip; ``None`` where it is still open, or is not known. Money in rupees."""

    trade_id: int
    side: Literal[1, -1]
    units: float
    entry_time: dt.datetime
    entry_price: float
    exit_time: dt.datetime | None
    exit_price: float | None
    exit_reason: str
    charges: float
    net_pnl: float | None
    probability: float | None
    instrument: str = ""


class RuleNow(_Part):
    """A risk rule and how much of its limit is used; ``None`` where it has no such thing as a used part.

    ``instrument`` is empty where one is traded, and for what all of them share.
    """

    name: str
    description: str
    used: float | None = None
    limit: float | None = None
    unit: str = ""
    blocks: str = ""
    instrument: str = ""


class FeedNow(_Part):
    """The stream of ticks; ``tick_age_seconds`` by this machine's monotonic clock."""

    state: str
    reason: str
    tick_age_seconds: float | None
    reconnects: int


class BrokerNow(_Part):
    """The way to the broker; ``obstacle``: why no entry may be sent now, empty when one may."""

    session: Literal["alive", "dead", "unknown"]
    obstacle: str
    unresolved: int


class ModelNow(_Part):
    """The model in use, and the probability from which on a side is taken; ``None`` where not known."""

    version: str
    trained_until: str
    age_days: float | None
    buy_probability: float | None = None
    sell_probability: float | None = None


class DriftNow(_Part):
    """The last drift check: the level, and by feature the stability index and the distance."""

    day: dt.date
    level: Literal["ok", "warning", "alarm", "unknown"]
    words: str
    psi: dict[str, float] = Field(default_factory=dict)
    ks: dict[str, float] = Field(default_factory=dict)


class HitRateNow(_Part):
    """The last check of the live hit rate against the band of the backtest; rates 0 to 1."""

    day: dt.date
    level: Literal["ok", "low", "high", "unknown"]
    words: str
    trades: int = 0
    wins: int = 0
    low: float | None = None
    high: float | None = None


class Now(_Part):
    """Everything.

    Attributes
    ----------
    written_at : datetime.datetime
        This machine's time, aware: tells whether the process lives.
    market_time : datetime.datetime
        The day's time, aware: a demo replays its own.
    pulse_age_seconds : float
        Since the main thread last took a turn; grows when it hangs.
    why : str
        Why the state is what it is, in words.
    folder : str or None
        Folder of the day that is on, or was last.
    paused, kill_switch : str
        Why entries are paused, and why the kill switch is on; empty when they are not.
    login_page, api_key : str
        Where the Kite login begins; empty where there is none (demo). Neither is secret.
    """

    written_at: dt.datetime
    market_time: dt.datetime
    pulse_age_seconds: float
    process_id: int
    version: str
    mode: Literal["demo", "paper", "live"]
    is_synthetic: bool
    instrument: str
    symbol: str
    strategy: str
    phase: Phase
    state: State
    why: str
    folder: str | None
    paused: str = ""
    kill_switch: str = ""
    login_page: str = ""
    api_key: str = ""
    plan: list[StepNow] = Field(default_factory=list)
    preflight: list[CheckNow] = Field(default_factory=list)
    account: AccountNow | None = None
    orders: list[OrderNow] = Field(default_factory=list)
    trades: list[TradeNow] = Field(default_factory=list)
    rules: list[RuleNow] = Field(default_factory=list)
    feed: FeedNow | None = None
    broker: BrokerNow | None = None
    model: ModelNow | None = None
    drift: DriftNow | None = None
    hit_rate: HitRateNow | None = None


def write_now(now: Now, folder: Path) -> None:
    """Write ``now.json`` so that a reader sees the old file or the new one. Raises OSError."""
    temporary = folder / f".{NOW_FILE}"
    temporary.write_text(now.model_dump_json(), encoding="utf-8")
    os.replace(temporary, folder / NOW_FILE)  # noqa: PTH105 # named after what it promises


def read_now(folder: Path) -> Now:
    """Read ``now.json``.

    Raises
    ------
    DataError
        There is none, or it was written by another version.
    """
    path = folder / NOW_FILE
    try:
        return Now.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(
            f"no {NOW_FILE} in {folder} ({error.strerror}), expected the folder of a live process; start "
            "run_live.py, or give its folder"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(
            f"{path} is not of this version ({'.'.join(map(str, first['loc']))}: {first['msg']}), expected "
            "what this one writes; restart run_live.py"
        ) from error
