"""What a reader has to know before trusting a result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

from brokers.journal import Fill, Journal, OrderEvent
from strategies.loading import RunBars

__all__ = ["run_warnings"]

_NAMED_DAYS = 12
_INSTRUMENTS = ("BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "NIFTY")


def run_warnings(bars: RunBars, journal: Journal, instrument: str) -> list[str]:
    """Return one sentence for everything that limits what a run can say.

    Parameters
    ----------
    bars : RunBars
        What was traded on.
    journal : Journal
        What happened.
    instrument : str
        Whose lots, ticks and expiries were used.
    """
    return [
        *_of_the_bars(bars, instrument),
        *_of_the_gate(journal.events),
        *_of_the_nights(journal.fills),
    ]


def _of_the_bars(bars: RunBars, instrument: str) -> list[str]:
    info, warnings = bars.info, []
    missing = info["missing_sessions"]
    if missing:
        more = " …" if len(missing) > _NAMED_DAYS else ""
        warnings.append(
            f"{len(missing)} sessions of the calendar have no bars: {', '.join(missing[:_NAMED_DAYS])}{more}"
        )
    if info["rejects"]:
        warnings.append(f"{info['rejects']} rows of the source were rejected; rejects.csv names them")
    if info["incomplete_bars"]:
        warnings.append(f"{info['incomplete_bars']} bars lack minutes; no entry was decided on them")
    for column, lost in info["lost_values"].items():
        warnings.append(
            f"{lost} values of the column {column!r} lie inside a bar and were left out: a bar keeps the "
            "value of its last minute"
        )
    named = next((name for name in _INSTRUMENTS if name in PurePath(info["source"]).stem.upper()), instrument)
    if named != instrument:
        warnings.append(
            f"the file is called {PurePath(info['source']).name}, but the run traded {instrument}: lots, "
            f"ticks and expiries are those of {instrument}; set market.instrument={named} if that is what it "
            "holds"
        )
    return warnings


def _of_the_gate(events: Sequence[OrderEvent]) -> list[str]:
    """Name the rules that denied more entries than were let through, and since when."""
    entries = [event for event in events if event.role == "entry" and event.state in ("denied", "accepted")]
    denied = Counter(event.rule for event in entries if event.state == "denied")
    accepted = sum(event.state == "accepted" for event in entries)
    warnings = []
    for rule, count in denied.items():
        if count > accepted:
            first = next(event for event in entries if event.rule == rule)
            warnings.append(
                f"the risk rule {rule} denied {count:,} of {len(entries):,} entries, the first on "
                f"{first.time:%Y-%m-%d %H:%M}: {first.reason}"
            )
    return warnings


def _of_the_nights(fills: Sequence[Fill]) -> list[str]:
    entered = {fill.trade_id: fill.time.date() for fill in fills if fill.role == "entry"}
    overnight = {fill.trade_id for fill in fills if fill.time.date() != entered[fill.trade_id]}
    if not overnight:
        return []
    return [f"{len(overnight)} trades were held overnight: the session had no bar left to leave in"]
