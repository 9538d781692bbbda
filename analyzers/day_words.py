"""What happened on a live day, one sentence an event, for the console, the status page and alerts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Fields", "has_sentence", "words_of"]

Fields = Mapping[str, Any]
"""A record of :class:`feeds.live_log.LiveLog`: ``time``, ``level``, ``event`` and the event's own fields."""

_HIDDEN = ("time", "level", "event", "uptime_seconds", "traceback")
_WIDEST = 300
_ABOUT = {"limit": "with a limit at", "stop_limit": "when it trades at"}


def has_sentence(record: Fields) -> bool:
    """Tell whether an event has a sentence of its own; the others are for the log alone."""
    return record["event"] in _SENTENCES


def words_of(record: Fields) -> str:
    """Return what happened in one line of at most 300 characters.

    An event without a sentence of its own, or that lacks what it speaks of, is told as its name and fields.
    Empty where the sentence has nothing to say, as for the steps between an order on paper and its fill.
    """
    sentence = _SENTENCES.get(record["event"])
    text = None if sentence is None else _said(sentence, record)
    if text is None:
        text = f"{str(record['event']).replace('_', ' ')}{_rest(record)}"
    return " ".join(text.split())[:_WIDEST]


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
    about = _ABOUT.get(str(fact.get("kind")), "at about")
    told = f"enter: {_deal(fact['size'])} {about} {fact['price']:.2f}"
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


def _name(text: object) -> str:
    """Return a name of ours in words."""
    return str(text).replace("_", " ")


def _until(text: object) -> str:
    return f" until {text}" if text else ""


def _late(told: Fields) -> str:
    late = told.get("late_minutes")
    return "" if late is None else f", {late:.0f} minutes late"


def _preflight(told: Fields) -> str:
    """Return go or no-go, and what stands in the way or is only a warning."""
    wrong = [
        f"{_name(check['name'])}: {check['words']}" for check in told["checks"] if check["outcome"] != "go"
    ]
    verdict = "go" if told["go"] else "NO GO"
    return f"preflight of {told['day']}: {verdict}" + (f" ({'; '.join(wrong)})" if wrong else "")


def _candles(told: Fields) -> str:
    if not told.get("candle_bars"):
        return "no candles to compare"
    return f"{told['candle_equal']} of {told['candle_bars']} bars equal the broker's candles"


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
    "entry_reasons": lambda told: f"why: {told['why']}",
    "entry_denied": _denied,
    "intent": _order,
    "filled": _filled,
    "paper_order": _paper_order,
    "refused": lambda fact: f"refused {fact['tag']}: {fact['reason']}",
    "entry_withdrawn": lambda fact: f"trade {fact['trip']}: what is left of its entry is taken back",
    "stop_moved": lambda fact: f"trade {fact['trip']}: its stop moves to {fact['price']:.2f}",
    "target_reached": lambda fact: f"trade {fact['trip']}: target {fact['level']} is reached",
    "exit_wanted": _exit,
    "trip_closed": lambda fact: f"flat again: trade {fact['trip']}, net {_rupees(fact['net_pnl'])}",
    "halted": lambda fact: f"no more entries: {fact['reason']}",
    "resumed": lambda fact: f"entries are allowed again: {fact['reason']}",
    "taken_over": lambda fact: f"somebody else closed {_signed(fact['units'])} of ours",
    # the days and their steps
    "unattended_begins": lambda told: f"running by itself: {told['mode']}{_until(told.get('until'))}",
    "unattended_ends": lambda told: f"no longer running by itself: {told['reason']}",
    "plan": lambda told: (
        f"plan of {told['day']}: "
        + ", ".join(f"{_name(step['name'])} {_clock(step['at'])}" for step in told["steps"])
        + "".join(f"; {note}" for note in told.get("notes", ()))
    ),
    "no_session": lambda told: f"no session on {told['day']}; the next one is on {told['next']}",
    "step": lambda told: f"step: {_name(told['name'])}",
    "step_missed": lambda told: f"missed: {_name(told['name'])} of {_clock(told['at'])}{_late(told)}",
    "session_missed": lambda told: f"the session of {told['day']} was missed: {told['reason']}",
    "preflight": _preflight,
    "clock_stepped": lambda told: f"this machine's clock was moved by {told['seconds']:+.0f} s",
    "control": lambda told: f"{_name(told['command'])} by {told['by']}, {told['outcome']}: {told['words']}",
    "companion_died": lambda told: f"the companion (page and alerts) died with code {told['code']}",
    "challengers_died": lambda told: (
        f"the challengers' process died with code {told['code']}{_because(told['error'])}"
    ),
    "status_page": lambda told: (
        f"status page {told['url']}"
        + (f", its token is in {told['token_file']}" if told.get("token_file") else "")
    ),
    "day_failed": lambda told: (
        f"the day failed: {told['error']}{'; it will be tried again' if told.get('will_retry') else ''}"
    ),
    "post_market": lambda told: (
        f"after the market: {_candles(told)}, "
        f"parity {_name(told['parity'])}{_because(told['parity_words'])}, "
        f"drift {told['drift']}{_because(told['drift_words'])}"
    ),
    "drift_standing": lambda told: f"model drift as of the last session: {told['drift']}, {told['reason']}",
    "retraining": lambda told: f"a training of the model begins: {told['reason']}",
    "retrained": lambda told: (
        f"a new model {told['version']} is trained and stored, not in use"
        if told["outcome"] == "stored"
        else f"the training {told['outcome']}: {told['reason']}"
    ),
    "summary": lambda told: (
        f"{told['day']} ({told['mode']}): {told['trades']} trades, {told['wins']} won, "
        f"net {_rupees(told['net_pnl'])}, charges {told['charges']:,.0f}"
    ),
}
