"""What a simulated result rests on, in sentences for the report."""

from __future__ import annotations

from strategies.settings import Settings
from strategies.settings_section import StrategySettings

__all__ = ["assumptions"]


def assumptions(settings: Settings) -> list[str]:
    """Return the rules of the simulation that these settings mean, one sentence each."""
    broker, strategy = settings.broker, settings.strategy
    minutes = settings.data.bar_minutes
    slippage = broker.slippage
    size = {
        "none": "not at all",
        "percent": f"by {slippage.percent:g} % of the price",
        "ticks": f"by {slippage.ticks:g} ticks",
        "volatility": f"by {slippage.range_fraction:g} of the recent bars' mean range",
        "square_root": f"by {slippage.impact_coefficient:g} times the square-root impact",
    }.get(slippage.model, f"as {slippage.model} says")
    charges = (
        f"a plain {broker.charges.percent:g} % of every order's value"
        if broker.charges.plan == "percent"
        else f"those of {broker.charges.plan.capitalize()} and the exchange on the day of each order"
    )
    both = (
        "the stop is taken to come first"
        if settings.data.detail == "none"
        else "the 1-minute bars inside it decide, the stop when even they cannot"
    )
    filled = (
        "Orders fill whole, whatever the bar's volume was."
        if broker.max_percent_of_volume == 0
        else f"Orders take at most {broker.max_percent_of_volume:g} % of a bar's volume; the rest waits."
    )
    return [
        f"A decision is taken at the close of a {minutes}-minute bar and fills no earlier than the next "
        "bar's open.",
        "A stop fills when it is touched; a gap through it fills at the open. "
        "A target fills at its price, or at the open when that is better.",
        "Stop and target are live from the fill on, the entry bar included; "
        f"when one bar touches both, {both}.",
        f"Market and stop orders are worsened {size} on each side, even beyond the bar's range; "
        "targets are not.",
        f"Market orders arrive after {broker.latency_ms:g} ms and lose half the bar's range times the square "
        "root of that part of the bar."
        if broker.latency_ms
        else "Market orders arrive at once.",
        f"Charges are {charges}.",
        filled,
        *_orders(strategy),
        f"No entry is decided at or after {strategy.last_entry:%H:%M} or in the last "
        f"{strategy.last_entry_before_close_minutes} minutes; the square-off is decided at "
        f"{strategy.square_off:%H:%M} or {strategy.square_off_before_close_minutes} minutes before "
        "the close, and no later than on the last bar but one; an entry that has not filled ends with its "
        "day. Nothing is meant to be held overnight: where a day's bars end early, the position leaves at "
        "the next open.",
        "Interest on cash, income tax and the cost of a bad connection are left out.",
    ]


def _orders(strategy: StrategySettings) -> list[str]:
    """Return what goes to the market with an entry, and from where stop and targets are measured."""
    entry, atr = strategy.entry, f"ATR({strategy.atr_period_bars})"
    offset, bars = f"{entry.offset_atr:g} times {atr}", _count(entry.valid_bars, "bar")
    told = {
        "market": [],
        "limit": [
            f"An entry is a limit order {offset} better than the signal bar's close: it fills at its limit, "
            f"or at the open when that is better, and what has not filled after {bars} is taken back."
        ],
        "stop_limit": [
            f"An entry is triggered {offset} beyond the signal bar's close and fills at most "
            f"{entry.limit_atr:g} times {atr} worse; in the bar that triggers it only where that bar closes "
            "at the limit or better, and then at the worst price it allows. "
            f"What has not filled after {bars} is taken back."
        ],
    }[entry.kind]
    origin = {
        "market": "the signal bar's close", "limit": "the entry's limit", "stop_limit": "the entry's trigger"
    }[entry.kind]  # fmt: skip
    targets = f"target at {strategy.target_atr:g}"
    if strategy.targets:
        parts = ", ".join(f"{target.fraction:.4g} at {target.atr:g}" for target in strategy.targets)
        targets = f"targets in whole lots, the last for the rest ({parts}),"
    told.append(f"Stop at {strategy.stop_atr:g} and {targets} times {atr} from {origin}.")
    if strategy.trail_atr is not None:
        told.append(
            f"At every close the stop is moved to {strategy.trail_atr:g} times {atr} from it where that is "
            "tighter; it counts from the next bar on."
        )
    return told


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
