"""Alerts about the day, the connection and the program: from one record each, without memory."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from analyzers.alerts.draft import Draft, rupees

__all__ = ["DAY_ALERTS", "login_link"]

Fields = Mapping[str, Any]

_MARKS = {"go": "ok", "warning": "CAUTION", "no_go": "NO"}
_CALM_CONTROLS = ("pause", "resume", "login")


def login_link(public_url: str | None) -> str:
    """Return how to log in, in one line."""
    if public_url:
        return f"Log in: {public_url.rstrip('/')}/kite/login"
    return "Log in: on the status page, or with python -m brokers login"


def _preflight(told: Fields, link: str) -> Draft:
    checks = [check for check in told["checks"] if check["outcome"] != "go"]
    lines = [
        f"{_MARKS[check['outcome']]} - {check['name'].replace('_', ' ')}: {check['words']}"
        + (f" -> {check['remedy']}" if check.get("remedy") else "")
        for check in checks
    ]
    failing = [check["name"] for check in checks if check["outcome"] == "no_go"]
    if told.get("login_needed"):
        lines.append(link)
    if told["go"]:
        title = f"GO for {_day(told['day'])}"
        title += (
            f", with {len(checks)} caution{'s' if len(checks) > 1 else ''}"
            if checks
            else ", all checks passed"
        )
        return Draft("warning" if checks else "info", title, lines, f"preflight:{told['day']}:go")
    only_login = told.get("login_needed") and failing in ([], ["login"])
    title = f"NO GO for {_day(told['day'])}: {', '.join(failing).replace('_', ' ') or 'login'}"
    return Draft(
        "warning" if only_login else "critical", title, lines, f"preflight:{told['day']}:{','.join(failing)}"
    )


def _no_session(told: Fields, _: str) -> Draft | None:
    day = dt.date.fromisoformat(told["day"])
    if day.weekday() >= 5:
        return None
    following = [f"Next session: {_day(told['next'])}."] if told.get("next") else []
    return Draft("info", f"no session on {_day(told['day'])}", following, f"no_session:{told['day']}")


def _step_missed(told: Fields, _: str) -> Draft:
    is_grave = told["name"] in ("session", "square_off", "close")
    return Draft(
        "critical" if is_grave else "warning",
        f"step missed: {told['name'].replace('_', ' ')}",
        [f"It was due at {str(told['at'])[11:16]}, {told['late_minutes']:.0f} minutes ago."],
        f"step_missed:{told['name']}:{told['at']}",
    )


def _control(told: Fields, _: str) -> Draft:
    is_done = told["outcome"] == "done"
    is_calm = is_done and told["command"] in _CALM_CONTROLS
    return Draft(
        "info" if is_calm else "warning",
        f"{told['command']} by {told['by']}: {told['outcome']}",
        [str(told.get("words", ""))],
        f"control:{told['id']}",
        told_on="telegram" if told["by"] == "telegram" else "",
    )


def _login(told: Fields, link: str) -> Draft:
    lines = [f"{told.get('reason') or told.get('error') or 'Kite does not accept the session.'}"]
    if told.get("open"):
        lines.append(f"Open: {told['open']}. The stop stays at the exchange.")
    return Draft("critical", "a new Kite login is needed", [*lines, link], "login")


def _halted(told: Fields, _: str) -> Draft:
    if told.get("reason"):  # the journal's fact: no entries; the one without a reason is the end of the day
        return Draft("critical", "no more entries", [f"{told['reason']}."], f"halted:{told['reason']}")
    state = "nothing is open" if told.get("flat") else f"open: {told.get('open', 'not known')}"
    return Draft("critical", f"trading ended by an error, {state}", (), "halted")


def _post_market(told: Fields, _: str) -> Draft | None:
    lines = []
    if told.get("parity") == "differs":
        lines.append(f"Parity: {told.get('parity_words', 'the backtest of the day differs')}")
    if told.get("drift") in ("warning", "alarm"):
        lines.append(f"Drift ({told['drift']}): {told.get('drift_words', '')}")
    if told.get("hit_rate") == "low":
        lines.append(f"Hit rate: {told.get('hit_rate_words', '')}")
    lines += [str(trouble) for trouble in told.get("troubles") or ()]
    return Draft("warning", "look at the day's checks", lines, "post_market") if lines else None


def _retrained(told: Fields, _: str) -> Draft:
    if told["outcome"] != "stored":
        return Draft("warning", f"a training {told['outcome']}", [str(told.get("reason", ""))], "retrained")
    trades = told.get("trades")
    lines = [f"{told['wins']} of {trades} trades on bars it has not learned won."] if trades else []
    lines.append("It is not in use: python -m ml promote tests it against the champion.")
    return Draft("info", f"a new model {told.get('version', '')} is trained", lines, "retrained")


def _summary(told: Fields, _: str) -> Draft:
    trades, wins = told["trades"], told.get("wins")
    deals = "no trades" if not trades else f"{trades} trade{'s' if trades > 1 else ''}"
    deals += f", {wins} won" if trades and wins is not None else ""
    lines = [f"{deals.capitalize()}."]
    for name, key in (("Charges", "charges"), ("Deepest fall of the equity", "max_drawdown")):
        if told.get(key) is not None:
            lines.append(f"{name} {abs(told[key]):,.0f} rupees.")
    if told.get("entries_denied"):
        lines.append(f"Entries denied: {told['entries_denied']}.")
    chart = (Path(told["chart"]),) if told.get("chart") else ()
    return Draft(
        "info", f"{_day(told['day'])}: net {rupees(told['net_pnl'])}", lines, f"summary:{told['day']}", chart
    )


def _critical(title: str, *fields: str) -> Callable[[Fields, str], Draft]:
    """Return a maker of a critical alert; the fields' values are its lines."""

    def made(told: Fields, _: str) -> Draft:
        lines = [f"{name.capitalize()}: {told[name]}" for name in fields if told.get(name) not in (None, "")]
        return Draft("critical", title, lines, str(told["event"]))

    return made


def _day(text: str) -> str:
    return f"{dt.date.fromisoformat(text):%a %d %b %Y}"


DAY_ALERTS: dict[str, Callable[[Fields, str], Draft | None]] = {
    "unattended_begins": lambda told, _: Draft(
        "info", "watching the market", [f"Until: {told['until']}."] if told.get("until") else [],
        "unattended_begins",
    ),
    "unattended_ends": lambda told, _: Draft(
        "warning", "no longer watching the market", [f"{told['reason']}."], "unattended_ends"
    ),
    "no_session": _no_session,
    "preflight": _preflight,
    "step_missed": _step_missed,
    "session_missed": lambda told, _: Draft(
        "critical", f"the session of {_day(told['day'])} was missed", [f"{told['reason']}."],
        f"session_missed:{told['day']}",
    ),
    "clock_stepped": lambda told, _: Draft(
        "warning", f"this machine's clock was moved by {told['seconds']:+,.0f} seconds",
        ["Steps follow the time that has really passed; set the clock right."], "clock_stepped",
    ),
    "control": _control,
    "retrained": _retrained,
    "companion_died": lambda told, _: Draft(
        "warning", "status page and alerts were down for a moment",
        [f"Their process ended with {told.get('code')} and was started anew; trading went on."],
        "companion_died",
    ),
    "day_failed": lambda told, _: Draft(
        "critical", "the day was ended by an error",
        [str(told["error"]), f"It is {'' if told.get('will_retry') else 'not '}tried again."],
        f"day_failed:{told['error']}",
    ),
    "post_market": _post_market,
    "summary": _summary,
    # the session
    "login_needed": _login,
    "session_dead": _login,
    "stream_refused": _login,
    "login_found": lambda _, __: Draft("info", "the new login is in use", (), "login_found"),
    "halted": _halted,
    "resumed": lambda told, _: Draft("info", "entries are allowed again", [f"{told['reason']}."], "resumed"),
    "taken_over": lambda told, _: Draft(
        "critical", "somebody else closed a position of ours",
        [f"Trade {told['trip']}: {told['units']:+,.0f} units are no longer ours.",
         f"{told['foreign']:+,.0f} units in the account are none of ours."], f"taken_over:{told['trip']}",
    ),
    "protection_failed": _critical("the stop did not hold its place: the position is being closed", "detail"),
    "exit_refused": _critical("an exit was refused, and is tried again", "error", "next_try_seconds"),
    "journal_failed": _critical("the journal is unwritable: the position is being closed", "error", "open"),
    "desk_failed": _critical("order handling failed", "error", "open"),
    "failed": _critical("an unexpected error: the position is being closed", "error"),
    "ended_by_error": _critical("the program has ended with an error", "error"),
    "left_open": _critical("A POSITION WAS LEFT OPEN: close it by hand now", "open", "remedy"),
    "square_off_late": lambda told, _: Draft(
        "warning", "the broker squares off before we do",
        [f"Ours: {told['own']}, the broker's: {told['broker']}."], "square_off_late",
    ),
    # told by who watches the trading process
    "trading_died": _critical("the trading process has ended unexpectedly", "words", "open", "remedy"),
    "trading_silent": _critical("the trading process says nothing any more", "words", "remedy"),
}  # fmt: skip
"""By event: what is told of a record, given the line about logging in."""
