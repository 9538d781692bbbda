"""The comparison of a day, and a calibration, for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from analyzers.bar_record import BarRecord
from analyzers.parity.attribution import TradePair
from analyzers.parity.calibrate import Calibration, LatencyFigures, latency_figures
from analyzers.parity.causes import CAUSES, UNEXPLAINED
from analyzers.parity.compare import DecisionComparison, ParityResult
from analyzers.parity.trips import Trip
from feeds.show import print_line, print_table

__all__ = ["print_calibration", "print_parity"]

_FEW_FILLS = 30
_SHOWN_BARS = 10


def print_parity(result: ParityResult, failures: list[str]) -> None:
    """Print what is equal, what differs, what each difference costs, and whether the day passes."""
    print_line(result.day.title)
    _print_bars(result)
    _print_inputs(result)
    _print_decisions(result)
    _print_trades(result)
    _print_rupees(result)
    latency = latency_figures(result.day.fills)
    if latency is not None:
        print_line("")
        _print_latency(latency)
    print_line("")
    for failure in failures:
        print_line(f"Not in parity: {failure}.")
    if not failures:
        print_line("In parity: nothing differs that must not.")


def print_calibration(calibration: Calibration) -> None:
    """Print what was measured, and how much it can be trusted."""
    print_line(f"{calibration.days} day{'s' if calibration.days != 1 else ''}")
    if calibration.latency is None:
        print_line("Latency: no order's times are known.")
    else:
        _print_latency(calibration.latency)
    slippage = calibration.slippage
    if slippage is None:
        print_line("Slippage: no market or stop order has its like in the backtest.")
        return
    print_line(
        f"Slippage of {slippage.fills} orders ({slippage.units:,.0f} units) against the backtest's "
        f"reference: {slippage.points:+.3f} points ± {slippage.error_points:.3f}, {slippage.percent:+.4f} %, "
        f"{slippage.ticks:+.2f} ticks; of it latency {slippage.latency_points:.3f} points"
    )
    if slippage.fills < _FEW_FILLS:
        print_line(
            f"Few orders: {slippage.fills}, expected {_FEW_FILLS} or more before anything rests on this."
        )


def _print_bars(result: ParityResult) -> None:
    bars = result.bars
    differing = sorted({found.start for found in bars.differing})
    print_line(
        f"Bars       {bars.compared - len(differing)} of {bars.compared} equal, {len(differing)} differ, "
        f"{len(bars.missing)} missing live, {len(bars.extra)} only live"
    )
    for found in bars.differing[:_SHOWN_BARS]:
        print_line(
            f"  {found.start:%H:%M} {found.field}: {found.live:g} live, {found.backtest:g} in the backtest"
        )
    if len(bars.differing) > _SHOWN_BARS:
        print_line(f"  … {len(bars.differing) - _SHOWN_BARS} more in parity.json")
    if bars.missing:
        print_line(f"  missing live: {_clock_times(bars.missing)}")
    if bars.extra:
        print_line(f"  only live: {_clock_times(bars.extra)}")


def _print_inputs(result: ParityResult) -> None:
    beyond = [found for found in result.inputs if found.beyond]
    largest = max((found.largest for found in result.inputs), default=0.0)
    print_line(
        f"Inputs     {len(result.inputs) - len(beyond)} of {len(result.inputs)} equal, "
        f"largest difference {largest:.3g}"
    )
    for found in beyond:
        when = f", most at {found.at:%H:%M}" if found.at else ""
        print_line(f"  {found.name}: differs on {found.beyond} bars by up to {found.largest:.3g}{when}")


def _print_decisions(result: ParityResult) -> None:
    equal = sum(found.reason is None for found in result.decisions)
    asked = sum(
        bool(found.live and found.backtest and found.live.asked and found.backtest.asked)
        for found in result.decisions
    )
    print_line(f"Decisions  {equal} of {len(result.decisions)} equal, asked in both on {asked} bars")
    notable = [found for found in result.decisions if found.is_notable]
    if notable:
        print_line("")
        header = ("bar from", "live", "backtest", "difference")
        print_table("Decisions", header, [_decision_row(found) for found in notable])


def _decision_row(found: DecisionComparison) -> tuple[str, str, str, str]:
    reason = "equal" if found.reason is None else f"{found.reason.cause}: {found.reason.detail}"
    return f"{found.start:%H:%M}", _answer(found.live), _answer(found.backtest), reason


def _answer(record: BarRecord | None) -> str:
    if record is None:
        return "no record"
    if record.leaves:
        return f"leave ({record.leaves})"
    if not record.asked:
        return f"holds {record.position:g}" if record.position else "not asked"
    if not record.side:
        return "no entry"
    sure = f" p={record.probability:.4f}" if record.probability == record.probability else ""
    units = f"{record.units:g}" if record.units else "(no units)"
    return f"{'buy' if record.side > 0 else 'sell'} {units}{sure}"


def _print_trades(result: ParityResult) -> None:
    if not result.trades:
        print_line("Trades     none on either side")
        return
    print_line("")
    header = ("decided", "side", "live", "backtest", ">live ₹", ">backtest ₹", ">difference ₹")
    print_table("Trades", header, [_trade_row(pair) for pair in result.trades])
    rows = [
        (
            f"{pair.time:%H:%M}",
            part.cause,
            "" if part.ticks is None else f"{part.ticks:+.1f}",
            f"{part.rupees:+,.2f}",
            part.detail,
        )
        for pair in result.trades
        for part in pair.parts
    ]
    if rows:
        print_line("")
        print_table("Where the rupees come from", ("decided", "cause", ">ticks", ">rupees", "what"), rows)


def _trade_row(pair: TradePair) -> tuple[str, ...]:
    trip = pair.live or pair.backtest
    side = "long" if trip and trip.side > 0 else "short"
    nets = (pair.live.net if pair.live else 0.0, pair.backtest.net if pair.backtest else 0.0, pair.rupees)
    return (
        f"{pair.time:%H:%M}", side, _course(pair.live), _course(pair.backtest),
        *(f"{amount:,.2f}" for amount in nets),
    )  # fmt: skip


def _course(trip: Trip | None) -> str:
    if trip is None:
        return "no trade"
    return f"{abs(trip.size):g} {trip.entry_price:.2f} → {trip.exit_price:.2f} {trip.exit_reason}"


def _print_rupees(result: ParityResult) -> None:
    rows = [
        (CAUSES[cause] + (" (must not be)" if cause in UNEXPLAINED else ""), f"{amount:+,.2f}")
        for cause, amount in result.by_cause.items()
        if amount
    ]
    rows += [
        ("difference", f"{result.difference:+,.2f}"),
        ("live net", f"{result.live_net:+,.2f}"),
        ("backtest net", f"{result.backtest_net:+,.2f}"),
    ]
    print_line("")
    print_table("Rupees, live minus backtest", ("cause", ">rupees"), rows)


def _print_latency(figures: LatencyFigures) -> None:
    print_line(
        f"Latency of {figures.orders} orders, decision to the broker's answer: "
        f"median {figures.median_ms:.1f} ms, p99 {figures.p99_ms:.1f} ms, largest {figures.largest_ms:.1f} ms"
    )


def _clock_times(starts: Iterable[object]) -> str:
    shown = [f"{start:%H:%M}" for start in starts]
    more = f" and {len(shown) - _SHOWN_BARS} more" if len(shown) > _SHOWN_BARS else ""
    return ", ".join(shown[:_SHOWN_BARS]) + more
