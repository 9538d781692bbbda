"""The glances at several instruments of one account, as one."""

from __future__ import annotations

from collections.abc import Sequence

from analyzers.status.now import AccountNow, BrokerNow, FeedNow, PositionNow, RuleNow
from strategies.live_glance import DayGlance

__all__ = ["together"]


def together(glances: dict[str, DayGlance], cash: float) -> DayGlance:
    """Return one glance at the whole account.

    Parameters
    ----------
    glances : dict
        By instrument, at least one.
    cash : float
        Rupees that each instrument's part of the account counts from: those of the whole account.
    """
    if len(glances) == 1:
        return next(iter(glances.values()))
    parts = list(glances.values())
    named = list(glances.items())
    return DayGlance(
        account=_account(glances, cash),
        orders=sorted(
            (order.model_copy(update={"instrument": name}) for name, part in named for order in part.orders),
            key=lambda order: order.time,
        ),
        trades=sorted(
            (trade.model_copy(update={"instrument": name}) for name, part in named for trade in part.trades),
            key=lambda trade: trade.entry_time,
        ),
        rules=_rules(glances),
        feed=_feed(parts),
        broker=BrokerNow(
            session="dead" if any(part.broker.session == "dead" for part in parts) else "alive",
            obstacle="; ".join(
                f"{name}: {part.broker.obstacle}" for name, part in named if part.broker.obstacle
            ),
            unresolved=sum(part.broker.unresolved for part in parts),
        ),
        model=next((part.model for part in parts if part.model is not None), None),
        symbol=", ".join(part.symbol for part in parts),
        halted="; ".join(f"{name}: {part.halted}" for name, part in named if part.halted),
    )


def _account(glances: dict[str, DayGlance], cash: float) -> AccountNow:
    accounts = [glance.account for glance in glances.values()]
    shown = next((account for account in accounts if account.position), accounts[0])
    return shown.model_copy(
        update={
            "starting_cash": accounts[0].starting_cash,
            "cash": cash + sum(account.cash - cash for account in accounts),
            "realised_today": sum(account.realised_today for account in accounts),
            "unrealised": sum(account.unrealised for account in accounts),
            "entries_today": sum(account.entries_today for account in accounts),
            "open_words": "; ".join(account.open_words for account in accounts if account.open_words),
            "positions": tuple(_position(name, glance) for name, glance in glances.items()),
        }
    )


def _position(name: str, glance: DayGlance) -> PositionNow:
    account = glance.account
    return PositionNow(
        instrument=name,
        symbol=glance.symbol,
        position=account.position,
        average_price=account.average_price,
        last_price=account.last_price,
        stop_price=account.stop_price,
        target_price=account.target_price,
        unrealised=account.unrealised,
    )


def _rules(glances: dict[str, DayGlance]) -> list[RuleNow]:
    """Return the rules of all; one that stands the same for each is shown once, as that of nobody."""
    whole = [glance.rules for glance in glances.values()]
    shared = [rule for rule in whole[0] if all(rule in rules for rules in whole)]
    own = [
        rule.model_copy(update={"instrument": name})
        for name, glance in glances.items()
        for rule in glance.rules
        if rule not in shared
    ]
    return [*own, *shared]


def _feed(parts: Sequence[DayGlance]) -> FeedNow:
    """Return the stream with the age of the instrument that was silent for the longest."""
    ages = [part.feed.tick_age_seconds for part in parts]
    known = [age for age in ages if age is not None]
    oldest = max(known) if len(known) == len(ages) else None
    return parts[0].feed.model_copy(update={"tick_age_seconds": oldest})
