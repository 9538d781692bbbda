"""What can be seen of a running day from outside, for the status page. Reads only; callable any time.

The day's own threads go on writing meanwhile: everything here is read once, and a list is copied before it
is gone through.
"""

from __future__ import annotations

import copy
import datetime as dt
import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from analyzers.status.now import AccountNow, BrokerNow, FeedNow, ModelNow, OrderNow, RuleNow, TradeNow
from brokers.journal import Fill, Journal, OrderEvent
from brokers.risk.gate import RiskGate
from feeds.clock import IST
from feeds.terms import ContractTerms
from strategies.arm_predictors import ArmPredictors
from strategies.base import PluginSettings
from strategies.live_accounts import Account
from strategies.modelling import PreparedModel

__all__ = ["DayGlance", "StreamGlance", "glance_at"]


class StreamGlance(NamedTuple):
    """The stream: ``tick_age_seconds`` by the monotonic clock, None before the first tick."""

    state: str
    reason: str
    tick_age_seconds: float | None
    reconnects: int
    last_price: float | None


class DayGlance(NamedTuple):
    """A day at one moment.

    Attributes
    ----------
    halted : str
        Why a risk rule has ended the day for entries; empty while it has not.
    """

    account: AccountNow
    orders: list[OrderNow]
    trades: list[TradeNow]
    rules: list[RuleNow]
    feed: FeedNow
    broker: BrokerNow
    model: ModelNow | None
    symbol: str
    halted: str


def glance_at(
    account: Account,
    stream: StreamGlance,
    model: PreparedModel | None,
    plugin: PluginSettings,
    terms: ContractTerms,
    symbol: str,
    now: dt.datetime,
) -> DayGlance:
    """Look at a day.

    Parameters
    ----------
    account : Account
        Started.
    stream : StreamGlance
        Of the stream of ticks.
    model : PreparedModel or None
        The model in use.
    plugin : PluginSettings
        Of the strategy.
    terms : ContractTerms
        Of the contract.
    symbol : str
        The contract.
    now : datetime.datetime
        The market's time, aware.
    """
    protection = account.protection
    return DayGlance(
        account=_account(account, protection, stream.last_price, terms.lot),
        orders=_orders(list(account.journal.events)),
        trades=_trades(account.journal),
        rules=_rules(account.gate, terms, now),
        feed=FeedNow(
            state=stream.state,
            reason=stream.reason,
            tick_age_seconds=stream.tick_age_seconds,
            reconnects=stream.reconnects,
        ),
        broker=BrokerNow(
            session="dead" if account.is_session_dead else "alive",
            obstacle=account.obstacle,
            unresolved=account.unresolved,
        ),
        model=None if model is None else _model(model, plugin, now),
        symbol=symbol,
        halted=account.gate.state.halted,
    )


def _account(
    account: Account, protection: tuple[float, float] | None, last_price: float | None, lot: int
) -> AccountNow:
    state = copy.copy(account.gate.state)  # at once: units of before at a price of after would be millions
    held, average = state.open_size, state.open_price
    price = last_price if last_price is not None else state.last_price
    return AccountNow(
        starting_cash=state.day_start_equity,
        cash=state.cash,
        realised_today=state.realised_today,
        unrealised=held * (price - average),
        entries_today=state.entries_today,
        position=int(held),
        average_price=average if held else None,
        last_price=price or None,
        stop_price=None if protection is None else protection[0],
        target_price=None if protection is None else protection[1],
        open_words=account.open_position,
        lot=lot,
    )


def _orders(events: Sequence[OrderEvent]) -> list[OrderNow]:
    """Return each order in its newest state, oldest order first; entries that were denied have no number."""
    newest: dict[object, OrderEvent] = {}
    for place, event in enumerate(events):
        newest[event.order_id or ("denied", place)] = event
    return [
        OrderNow(**(event._asdict() | {"time": event.time.replace(tzinfo=IST)})) for event in newest.values()
    ]


def _trades(journal: Journal) -> list[TradeNow]:
    contexts = {context.trade_id: context for context in list(journal.contexts)}
    by_trade: dict[int, list[Fill]] = {}
    for fill in list(journal.fills):
        by_trade.setdefault(fill.trade_id, []).append(fill)
    return [
        _trade(number, fills, contexts[number].probability if number in contexts else None)
        for number, fills in by_trade.items()
    ]


def _trade(number: int, fills: Sequence[Fill], probability: float | None) -> TradeNow:
    entries = [fill for fill in fills if fill.role == "entry"]
    exits = [fill for fill in fills if fill.role != "entry"]
    size, left = _units(entries), _units(fills)
    side: Literal[1, -1] = 1 if size >= 0 else -1
    charges = sum(fill.charges for fill in fills)
    is_over = bool(exits) and not left
    return TradeNow(
        trade_id=number,
        side=side,
        units=abs(size),
        entry_time=_earliest(entries or fills),
        entry_price=_average(entries),
        exit_time=exits[-1].time.replace(tzinfo=IST) if is_over else None,
        exit_price=_average(exits) if is_over else None,
        exit_reason=exits[-1].role if exits else "",
        charges=charges,
        net_pnl=-sum(fill.size * fill.price for fill in fills) - charges if is_over else None,
        probability=None if probability is None or probability != probability else probability,  # noqa: PLR0124 # NaN
    )


def _earliest(fills: Iterable[Fill]) -> dt.datetime:
    return min(fill.time for fill in fills).replace(tzinfo=IST)


def _units(fills: Iterable[Fill]) -> float:
    return sum(fill.size for fill in fills)


def _average(fills: Sequence[Fill]) -> float:
    units = _units(fills)
    return sum(fill.size * fill.price for fill in fills) / units if units else 0.0


def _rules(gate: RiskGate, terms: ContractTerms, now: dt.datetime) -> list[RuleNow]:
    return [
        RuleNow(
            name=name, description=words, used=use.used, limit=use.limit, unit=use.unit, blocks=use.blocks
        )
        for name, words, use in gate.uses(now, terms)
    ]


def _model(model: PreparedModel, plugin: PluginSettings, now: dt.datetime) -> ModelNow:
    until = dt.datetime.fromisoformat(str(model.info["trained_until"]))
    aware = until if until.tzinfo is not None else until.replace(tzinfo=IST)
    buy, sell = _thresholds(model, plugin, now)
    return ModelNow(
        version=str(model.info["version"]),
        trained_until=until.isoformat(),
        age_days=(now - aware).total_seconds() / 86_400.0,
        buy_probability=buy,
        sell_probability=sell,
    )


def _thresholds(
    model: PreparedModel, plugin: PluginSettings, now: dt.datetime
) -> tuple[float | None, float | None]:
    """Return from where on it buys and sells; None where it does not, or has no thresholds of that kind."""
    if getattr(plugin, "thresholds", "fixed") == "fixed" or isinstance(model.predictor, ArmPredictors):
        # Only a strategy with thresholds of these names has them
        return getattr(plugin, "buy_probability", None), getattr(plugin, "sell_probability", None)
    least = model.predictor.thresholds_at(now)
    if least is None:
        return None, None
    buy, sell = (value if math.isfinite(value) else None for value in least)
    return buy, sell
