"""What a person sees of a live day: one short line for what matters, and every warning and error."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from typing import IO, Any

__all__ = ["Console", "make_console"]

Fields = Mapping[str, Any]

_HIDDEN = ("time", "level", "event", "uptime_seconds", "traceback")
_LOUD = {"warning": "WARNING ", "error": "ERROR   "}
_MARGIN = " " * 8
_WIDEST = 300


class Console:
    """Shows records of :class:`feeds.live_log.LiveLog`; a terminal that goes away does not end the day.

    Parameters
    ----------
    stream : file
        Where lines go.
    is_quiet : bool
        Only errors are shown.

    Notes
    -----
    Shown of events told as ``info`` are those with a sentence of their own here; the log has all of them.
    Facts of the journal go by their class's name in small letters (``trip_closed``).
    """

    def __init__(self, stream: IO[str], *, is_quiet: bool = False) -> None:
        self._stream = stream
        self._is_quiet = is_quiet
        self._lock = threading.Lock()
        self._is_gone = False

    def __call__(self, record: Fields) -> None:
        """Show a record, or nothing. Callable from any thread."""
        line = self.line(record)
        if line is None:
            return
        with self._lock:
            if self._is_gone:
                return
            try:
                self._stream.write(f"{line}\n")
                self._stream.flush()
            except (OSError, ValueError):  # closed pipe, closed file: the log has it all the same
                self._is_gone = True

    def line(self, record: Fields) -> str | None:
        """Return what is shown of a record, None for nothing."""
        level = record["level"]
        if self._is_quiet and level != "error":
            return None
        sentence = _SENTENCES.get(record["event"])
        if sentence is None and level not in _LOUD:
            return None
        text = None if sentence is None else _said(sentence, record)
        if text == "":
            return None
        if text is None:
            text = f"{record['event'].replace('_', ' ')}{_rest(record)}"
        clock = str(record["time"])[11:19]
        text = " ".join(text.split())
        return f"{clock}  {_LOUD.get(level, _MARGIN)}{text[:_WIDEST]}"


def make_console(*, quiet: bool) -> Console:
    """Return a console on standard output, or one for errors only on standard error."""
    return Console(sys.stderr if quiet else sys.stdout, is_quiet=quiet)


def _said(sentence: Callable[[Fields], str], record: Fields) -> str | None:
    """Return the sentence, None where a record lacks what it speaks of."""
    try:
        return sentence(record)
    except (KeyError, TypeError, ValueError):
        return None


def _rest(record: Fields) -> str:
    """Return the fields as words."""
    words = [f"{name} {value}" for name, value in record.items() if name not in _HIDDEN and value != ""]
    return f": {', '.join(words)}" if words else ""


def _clock(text: str) -> str:
    """Return the time of day of a time in ISO form, ``09:15``."""
    return text[11:16]


def _signed(size: float) -> str:
    """Return a position in words."""
    return "flat" if not size else f"{'long' if size > 0 else 'short'} {abs(size):,.0f}"


def _deal(size: float) -> str:
    """Return an order's or fill's size in words."""
    return f"{'buy' if size > 0 else 'sell'} {abs(size):,.0f}"


def _rupees(amount: float) -> str:
    return f"{amount:+,.0f} rupees"


def _bar(bar: Fields) -> str:
    marks = [] if bar.get("origin", "ticks") == "ticks" else [str(bar["origin"])]
    marks += [] if bar.get("complete", True) else ["incomplete"]
    told = f"bar {_clock(bar['start'])}  close {bar['close']:.2f}  {_signed(bar['position'])}"
    if bar.get("pnl") is not None:
        told += f"  day {_rupees(bar['pnl'])}"
    return told + (f"  ({', '.join(marks)})" if marks else "")


def _stopping(told: Fields) -> str:
    if not told["open"]:
        return f"stopping: {told['reason']}, nothing is open"
    doing = "closing" if told["on_stop"] == "flatten" else "keeping"
    return f"stopping: {told['reason']}, {doing} {told['open']}"


def _day_over(told: Fields) -> str:
    left = f", still open: {told['open']}" if told.get("open") else ", nothing is open"
    return f"the day is over: {told['trades']} trades, net {_rupees(told['net_pnl'])}{left}"


def _decision(fact: Fields) -> str:
    told = f"enter: {_deal(fact['size'])} at about {fact['price']:.2f}"
    told += f", stop {fact['stop_price']:.2f}, target {fact['target_price']:.2f}"
    if fact.get("probability") is not None:
        told += f", probability {fact['probability']:.2f}"
    return told + (f" (reduced: {fact['reason']})" if fact.get("reason") else "")


def _denied(fact: Fields) -> str:
    rule = f" by {fact['rule']}" if fact.get("rule") else ""
    return f"entry denied{rule}: {_deal(fact['size'])}, {fact['reason']}"


def _order(fact: Fields) -> str:
    price = "at market" if fact["kind"] == "market" else f"{fact['kind']} {fact['price']:.2f}"
    return f"order {fact['tag']} ({fact['role']}): {_deal(fact['size'])} {price}"


def _filled(fact: Fields) -> str:
    return f"filled {fact['tag']}: {_deal(fact['size'])} at {fact['price']:.2f}"


def _paper_order(event: Fields) -> str:
    """Return what became of a simulated order; nothing of the steps in between."""
    match event["state"]:
        case "denied" | "rejected" if event["role"] == "entry":
            return _denied(event)
        case "submitted" if event["role"] == "entry":
            return f"enter: {_deal(event['size'])} at about {event['price']:.2f}"
        case "completed" | "partial":
            return (
                f"filled on paper ({event['role']}): {_deal(event['filled'])} at {event['average_price']:.2f}"
            )
    return ""


def _exit(fact: Fields) -> str:
    return f"exit: {fact['reason']}{_because(fact.get('detail'))}"


def _because(reason: object) -> str:
    return f" ({reason})" if reason else ""


_SENTENCES: dict[str, Callable[[Fields], str]] = {
    # the session
    "connected": lambda told: f"connected to {told['api_root']} as {told['user']}, {told['symbol']}",
    "day_begins": lambda told: (
        f"{told['mode']}: {told['strategy']} on {told['symbol']}, {told['day']}, "
        f"{told['cash']:,.0f} rupees, folder {told['folder']}"
    ),
    "model": lambda told: f"model {told['version']}, trained until {told['trained_until'][:10]}",
    "demo_model": lambda told: f"training a model for the demo on {told['bars']}",
    "bar": _bar,
    "login_found": lambda _: "a new login was found",
    "stopping": _stopping,
    "day_over": _day_over,
    "report": lambda told: f"report {told['file']}",
    # the stream and history
    "warmup": lambda told: f"warmed up with {told['bars']} bars",
    "warmup_short": lambda told: f"warm-up: found {told['bars']} bars, expected {told['wanted']}",
    "stream_up": lambda _: "stream is up",
    "stream_down": lambda told: f"stream is down: {told['reason']}",
    "backfill": lambda told: f"{told['bars']} bars came from history",
    "bars_missing": lambda told: f"{told['bars']} bars are missing: {told['reason']}",
    "market_over": lambda told: f"no more ticks: {told['reason']}",
    # the journal's facts, as brokers.desk.facts names them
    "entry_decided": _decision,
    "entry_denied": _denied,
    "intent": _order,
    "filled": _filled,
    "paper_order": _paper_order,
    "refused": lambda fact: f"refused {fact['tag']}: {fact['reason']}",
    "exit_wanted": _exit,
    "trip_closed": lambda fact: f"flat again: trade {fact['trip']}, net {_rupees(fact['net_pnl'])}",
    "halted": lambda fact: f"no more entries: {fact['reason']}",
    "resumed": lambda fact: f"entries are allowed again: {fact['reason']}",
    "taken_over": lambda fact: f"somebody else closed {_signed(fact['units'])} of ours",
}
