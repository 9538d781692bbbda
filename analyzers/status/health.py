"""Whether all is well, in one word with its reasons: what colours the page, and what the runbook explains."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from analyzers.status.now import Now
from feeds.clock import IST

__all__ = ["HUNG_SECONDS", "SILENT_SECONDS", "Health", "health_of", "kind_of_outage", "outage_of"]

SILENT_SECONDS = 15.0
"""Age of ``now.json``, written once a second, at which its writer is taken for dead."""

HUNG_SECONDS = 60.0
"""Time without a turn of the main thread at which it is taken to hang."""

_QUIET_SECONDS = 30.0

Level = Literal["ok", "attention", "red"]


class Health(NamedTuple):
    """``red``: look now; ``attention``: look when you can; ``ok`` has no reasons. Red reasons come first."""

    level: Level
    reasons: tuple[str, ...] = ()


def kind_of_outage(now: Now | None, stale_seconds: float | None) -> str:
    """Return in fixed words why the trading process cannot be relied upon; empty when it can."""
    if now is None or stale_seconds is None:
        return "the trading process has said nothing yet"
    if now.phase == "over":
        return "the trading process has ended"
    if stale_seconds > SILENT_SECONDS:
        return "the trading process is silent"
    if now.phase == "session" and now.pulse_age_seconds > HUNG_SECONDS:
        return "the trading process hangs"
    return ""


def outage_of(now: Now | None, stale_seconds: float | None, problem: str = "") -> str:
    """Return why the trading process cannot be relied upon, in one line; empty when it can.

    Parameters
    ----------
    now : Now or None
        The last one that could be read.
    stale_seconds : float or None
        Its age.
    problem : str
        Why there is none, or no newer one.
    """
    kind = kind_of_outage(now, stale_seconds)
    if now is None or stale_seconds is None:
        return problem or kind
    if not kind:
        return ""
    if now.phase == "over":
        return f"{kind}: {now.why or 'in order'}"
    if stale_seconds > SILENT_SECONDS:
        return f"{kind} for {stale_seconds:.0f} s{f' ({problem})' if problem else ''}"
    return f"{kind}: its main thread took no turn for {now.pulse_age_seconds:.0f} s"


def health_of(
    now: Now | None,
    stale_seconds: float | None,
    channels: Iterable[Mapping[str, Any]] = (),
    *,
    now_problem: str = "",
    files_problem: str = "",
) -> Health:
    """Judge the state of a live process.

    Parameters
    ----------
    now, stale_seconds, now_problem
        As for :func:`outage_of`.
    channels : iterable of mapping
        Of the alerts: ``name``, ``failed``, ``dropped``, ``last_error``.
    files_problem : str
        Why the logs or the bars of the day cannot be read; empty when they can.
    """
    red: list[str] = []
    attention: list[str] = []
    outage = outage_of(now, stale_seconds, now_problem)
    if outage:
        (attention if now is not None and now.phase == "over" else red).append(outage)
    if now is not None:
        _judge_state(now, red, attention)
        _judge_position(now, red)
        _judge_market(now, red, attention)
        _judge_day(now, red, attention)
    if files_problem:
        attention.append(f"files of the day cannot be read: {files_problem}")
    attention += [
        f"alerts by {channel.get('name')}: {channel.get('failed') or 0} failed, "
        f"{channel.get('dropped') or 0} dropped{_because(channel.get('last_error'))}"
        for channel in channels
        if channel.get("failed") or channel.get("dropped")
    ]
    return Health("red" if red else "attention" if attention else "ok", (*red, *attention))


def _judge_state(now: Now, red: list[str], attention: list[str]) -> None:
    if now.kill_switch:
        attention.append(f"the kill switch is on: {now.kill_switch}")
    elif now.state == "halted":
        red.append(f"halted: {now.why or 'no entries until a person does something'}")
    if now.paused:
        attention.append(f"entries are paused: {now.paused}")


def _judge_position(now: Now, red: list[str]) -> None:
    """Judge what is held: after the market's close, nothing may be."""
    account = now.account
    if account is None or not (account.position or account.open_words):
        return
    held = account.open_words or f"{account.position:+d} units"
    if now.phase in ("post_market", "over") or now.state == "closed":
        red.append(f"a position is open after the close: {held}")
    elif any(one.position and one.stop_price is None for one in account.positions or (account,)):
        red.append(f"a position has no stop: {held}, or it is being closed just now")


def _judge_market(now: Now, red: list[str], attention: list[str]) -> None:
    """Judge the ways to the market; outside the session nobody needs them."""
    broker, feed = now.broker, now.feed
    if now.phase not in ("preflight", "session"):
        return
    if broker is not None:
        if broker.session == "dead":
            red.append("the broker no longer accepts the login: log in again")
        if broker.unresolved:
            attention.append(f"the outcome of {broker.unresolved} order(s) is unknown")
        if broker.obstacle:
            attention.append(f"no entry can be sent: {broker.obstacle}")
    if feed is None or now.phase != "session":
        return
    holds = now.account is not None and now.account.position != 0
    if feed.state == "refused":
        red.append(f"the stream of ticks is refused{_because(feed.reason)}")
    elif feed.state != "up":
        (red if holds else attention).append(f"the stream of ticks is {feed.state}{_because(feed.reason)}")
    elif feed.tick_age_seconds is not None and feed.tick_age_seconds > _QUIET_SECONDS:
        attention.append(f"no tick for {feed.tick_age_seconds:.0f} s")


def _judge_day(now: Now, red: list[str], attention: list[str]) -> None:
    # Once the day is on its way, a caution of the morning is no news
    for check in now.preflight if now.phase == "preflight" else ():
        if check.outcome != "go":
            remedy = f"; {check.remedy}" if check.remedy else ""
            words = f"preflight, {check.name.replace('_', ' ')}: {check.words}{remedy}"
            (red if check.outcome == "no_go" else attention).append(words)
    for step in now.plan:
        name = step.name.replace("_", " ")
        if step.outcome == "failed":
            red.append(f"{name} has failed")
        elif step.outcome == "missed":
            attention.append(f"{name} of {_clock(step.at)} was missed")
    if now.drift is not None and now.drift.level == "alarm":
        attention.append(f"drift: {now.drift.words}")
    if now.hit_rate is not None and now.hit_rate.level == "low":
        attention.append(f"hit rate: {now.hit_rate.words}")


def _clock(time: dt.datetime) -> str:
    return f"{time.astimezone(IST):%H:%M}"


def _because(reason: object) -> str:
    return f" ({reason})" if reason else ""
