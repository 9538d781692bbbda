"""The checks before the open that ask nobody: calendar, journals, model, stored bars, disk, switches."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from pathlib import Path

from analyzers.status.now import CheckNow
from brokers.desk.journal_file import read_journal
from brokers.desk.state import DeskState
from brokers.paper_book import PaperBook
from brokers.risk.file_switch import FileSwitch
from brokers.risk.kill_switch import KillSwitch
from brokers.risk.pause import Pause
from brokers.risk.rule import AccountState
from feeds.calendar import Session
from feeds.store.chosen import open_store
from feeds.tables import FACTS, read_table
from ml.registry import ModelRegistry
from strategies.arm_models import load_models
from strategies.day_notes import walk_days
from strategies.modelling import load_stored
from strategies.plugins import models_of
from strategies.preflight_context import PreflightContext, go, no_go, warning
from strategies.square_off import BROKERS_SQUARE_OFF, is_square_off_late

__all__ = [
    "check_calendar",
    "check_data_store",
    "check_disk",
    "check_entries",
    "check_journal",
    "check_model",
    "check_square_off",
    "journal_state",
]

_BYTES_PER_MEGABYTE = 1_000_000
_MODEL_NOTICE_DAYS = 7.0
_DAY = dt.timedelta(days=1)
_SWITCH_REMEDY = {"kill_switch": "lift it on the status page, or remove the file", "pause": "resume"}


def check_calendar(context: PreflightContext) -> CheckNow:
    """Tell the day's hours; warn of those that a single source has announced."""
    plan = context.plan
    hours = " and ".join(f"{start:%H:%M}-{end:%H:%M}" for start, end in plan.session.segments)
    words = "; ".join([f"{plan.day:%A %Y-%m-%d}, {plan.kind} session {hours}", *plan.notes])
    rows = read_table(FACTS / "special_sessions.csv", ("date", "confidence"))
    confidence = {row["date"]: row["confidence"] for row in rows}.get(str(plan.day), "confirmed")
    if plan.kind != "extra" and confidence != "confirmed":
        return warning(
            "calendar",
            f"{words}; the hours are known from {confidence}",
            "compare them with the exchange's circular; others go into market.extra_sessions",
        )
    return go("calendar", words)


def check_journal(context: PreflightContext) -> CheckNow:
    """Read the journals of today and of the last day, which has to have ended flat."""
    today = journal_state(context.folder)
    if today is not None and today.opened is not None and today.opened.day != context.day:
        return no_go(
            "journal",
            f"{context.folder} holds the journal of {today.opened.day}, expected that of {context.day}",
            "give every day a folder of its own",
        )
    if today is not None and today.halted:
        return warning(
            "journal",
            f"entries are halted: {today.halted}",
            "look into the account, then trade this day with --now --accept-foreign",
        )
    _read_paper_book(context.folder)
    folder = context.previous_folder
    left = "" if folder is None else _left_open(folder)
    if left:
        return warning(
            "journal",
            f"the last day ({folder}) ended with {left}",
            "look into the account: what is still held there belongs to nobody here",
        )
    begun = (
        "today's goes on"
        if today is not None or _paper_file(context.folder).is_file()
        else "today's begins new"
    )
    before = "no day before" if folder is None else "the last day ended flat"
    return go("journal", f"{before}, {begun}")


def check_model(context: PreflightContext) -> CheckNow:
    """Load the model, and see whether it is of age for the whole day."""
    section, choice = context.settings.strategy, context.request.model or "champion"
    checks = [
        _check_one_model(context, version)
        for version in dict.fromkeys(own or choice for own in models_of(section).values())
    ]
    if not checks:
        return go("model", f"strategy {section.name} asks no model")
    load_models(context.settings, choice)
    for outcome in ("no_go", "warning"):
        for check in checks:
            if check.outcome == outcome:
                return check
    return go("model", "; ".join(check.words for check in checks))


def _check_one_model(context: PreflightContext, asked: str) -> CheckNow:
    settings = context.settings
    model = load_stored(settings, asked)
    version, close = str(model.info["version"]), context.plan.session.close
    train = "train a new one (python -m ml train) and promote it"
    if model.judges_from > close:
        return no_go("model", f"model {version} may not judge before {model.judges_from:%Y-%m-%d}", train)
    age = (close - dt.datetime.fromisoformat(model.info["trained_until"])) / _DAY
    words = f"model {version}, trained {age:.0f} days ago"
    limit = settings.risk.max_model_age_days
    if limit is not None and age > limit:
        return no_go("model", f"{words}, expected at most {limit:g} (risk.max_model_age_days)", train)
    if limit is not None and age > limit - _MODEL_NOTICE_DAYS:
        return warning("model", f"{words}; from {limit:g} on it decides no entry", train)
    source = ModelRegistry(settings.ml.registry).show(version).data_source
    if source.startswith("synthetic") and context.request.mode != "demo":
        return warning("model", f"{words}, on made-up bars: {source}", "train one on bars of the market")
    return go("model", words)


def check_data_store(context: PreflightContext) -> CheckNow:
    """See whether the stored bars reach the last session; the session itself takes Kite's history."""
    data, instrument = context.settings.data, context.settings.market.instrument
    if data.source != "store":
        return go("data_store", "not used: the bars before today come from the broker's history")
    remedy = "bring in the bars that are missing: python -m feeds import"
    store = open_store(data)
    coverage = store.coverage(instrument, data.bar_minutes) or store.coverage(instrument, 1)
    if coverage is None:
        return warning("data_store", f"no bars of {instrument} are stored in {data.store}", remedy)
    before = (found for _, found in walk_days(context.calendar, context.day, -_DAY))
    expected = next((found.date for found in before if isinstance(found, Session)), context.day)
    words = f"bars of {instrument} in {data.store} up to {coverage.last:%Y-%m-%d %H:%M}"
    if coverage.last.date() < expected:
        return warning("data_store", f"{words}, the last session was on {expected}", remedy)
    return go("data_store", words)


def check_disk(context: PreflightContext) -> CheckNow:
    """See whether the folder can be written, and has room."""
    folder = context.state_folder
    least = context.settings.live.min_free_disk_megabytes
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
        free = shutil.disk_usage(folder).free / _BYTES_PER_MEGABYTE
    except OSError as error:
        return no_go(
            "disk", f"{folder} cannot be written ({error.strerror})", "mend its permissions, or the disk"
        )
    words = f"{free:,.0f} megabytes are free in {folder}"
    if free < least:
        return no_go("disk", f"{words}, expected {least:,.0f} (live.min_free_disk_megabytes)", "make room")
    return go("disk", words)


def check_square_off(context: PreflightContext) -> CheckNow:
    """Compare our square-off with the broker's own."""
    due, close = context.plan.at("square_off"), context.plan.session.close
    words = f"flat from {due:%H:%M} on, the session closes at {close:%H:%M}"
    if context.request.mode == "live" and is_square_off_late(context.plan.session, due, context.settings):
        return warning(
            "square_off",
            f"{words}; from {BROKERS_SQUARE_OFF:%H:%M} on the broker may close MIS positions for a fee",
            "set strategy.square_off to 15:20 or earlier",
        )
    return go("square_off", words)


def check_entries(context: PreflightContext) -> CheckNow:
    """Tell of a kill switch or a pause: the day goes, without entries."""
    risk, state = context.settings.risk, AccountState(context.day, 0.0)
    switches: list[FileSwitch] = []
    if risk.kill_switch_file is not None:
        switches.append(KillSwitch(Path(risk.kill_switch_file)))
    if risk.pause_file is not None:
        switches.append(Pause(Path(risk.pause_file)))
    now = context.clock.now().replace(tzinfo=None)
    blocks = {switch.name: switch.use(state, now).blocks for switch in switches}
    on = {name: why for name, why in blocks.items() if why}
    if not on:
        return go("entries", "neither kill switch nor pause is on")
    words = "; ".join(f"{name.replace('_', ' ')}: {why}" for name, why in on.items())
    return warning("entries", f"no entries: {words}", "; ".join(_SWITCH_REMEDY[name] for name in on))


def journal_state(folder: Path) -> DeskState | None:
    """Return what a day's order journal says, None where there is none. Raises DataError."""
    file = folder / "journal.sqlite"
    return DeskState(row.fact for row in read_journal(file)) if file.is_file() else None


def _left_open(folder: Path) -> str:
    """Return what a day has left behind, in words; empty when it ended flat."""
    state = journal_state(folder)
    if state is not None and (state.active_trips or state.position):
        symbol = state.opened.symbol if state.opened else "units"
        return f"{state.position:+d} {symbol}" if state.position else "orders that are not settled"
    if state is not None and state.unresolved:
        return f"{len(state.unresolved)} orders of unknown outcome"
    return "a position on paper" if _read_paper_book(folder) else ""


def _read_paper_book(folder: Path) -> bool:
    """Return whether a day's paper account holds a position. Raises DataError, BrokerError."""
    file = _paper_file(folder)
    if not file.is_file():
        return False
    book = PaperBook(file)
    try:
        stored = book.load()
    finally:
        book.close()
    return stored is not None and bool(stored.state.trip)


def _paper_file(folder: Path) -> Path:
    return folder / "paper.sqlite"
