"""The checks before the open that ask the broker: login, clock, contract, margin, and what is held."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from analyzers.status.now import CheckNow
from brokers.broker_store import BrokerStore
from brokers.choice import chosen_broker
from brokers.desk.state import DeskState
from brokers.instrument import Instrument
from brokers.reconcile import foreign_orders
from brokers.session import BrokerSession
from brokers.wire import BookPosition, SessionDeadError
from feeds.contracts import Contract, contract_for
from feeds.errors import BrokerError, DataError
from strategies.preflight_context import PreflightContext, attempt, go, no_go, warning
from strategies.preflight_here import journal_state

__all__ = ["BrokerChecks"]

_LOGIN = "log in: {}python -m brokers login"
_BY_LINK = "the link in the alert or on the status page, or "
_GIVEN = "{} goes before a stored login: remove it, or set today's, and start again"


class BrokerChecks:
    """Asks the broker, one question after the other. What an answer was needed for is left out, not guessed.

    Parameters
    ----------
    context : PreflightContext
        What is looked at.

    Attributes
    ----------
    login_needed : bool
        A new login would help.
    """

    def __init__(self, context: PreflightContext) -> None:
        self._context = context
        self._broker = chosen_broker(context.settings.broker)
        self._session: BrokerSession | None = None
        self._instrument: Instrument | None = None
        self.login_needed = False

    def run(self) -> list[CheckNow]:
        """Return every check that could be made."""
        context = self._context
        found = attempt(context, "login", self._find_session)
        if self._session is None:
            return [found]
        store = self._broker.open_store(self._session, context.log)
        try:
            checks = [self._ask("login", lambda: self._check_login(store, found))]
            if checks[0].outcome == "no_go":
                return checks
            if context.request.clock == "wall":
                checks.append(self._ask("clock", lambda: self._check_clock(store)))
            checks.append(self._ask("contract", lambda: self._check_contract(store)))
            instrument = self._instrument
            if instrument is not None and not context.is_paper and self._is_new_day():
                checks.append(self._ask("margin", lambda: self._check_margin(store, instrument)))
                checks.append(self._ask("account", lambda: self._check_account(store, instrument)))
            return checks
        finally:
            store.close()

    def _ask(self, name: str, check: Callable[[], CheckNow]) -> CheckNow:
        """Make a check; note when it was the login that has failed."""

        def asked() -> CheckNow:
            try:
                return check()
            except SessionDeadError as error:
                self.login_needed = True
                words, _, _ = str(error).rpartition("; ")
                given = self._session is not None and self._session.ends is None
                return no_go(
                    name, words, _GIVEN.format(self._broker.secret_names[2]) if given else self._how_to_log_in
                )

        return attempt(self._context, name, asked)

    @property
    def _how_to_log_in(self) -> str:
        # The page takes Kite's login only
        return _LOGIN.format(_BY_LINK if self._context.settings.broker.name == "kite" else "")

    # -- login -----------------------------------------------------------------------------------

    def _find_session(self) -> CheckNow:
        """Look for a login that lives until the close; it is not asked for yet."""
        context = self._context
        try:
            session = self._broker.find_session(context.request.secrets, context.machine_clock)
        except BrokerError:
            self.login_needed = context.request.secrets.get(self._broker.secret_names[0]) is not None
            raise
        if session.ends is not None and session.ends <= context.plan.session.close:
            self.login_needed = True
            return no_go(
                "login",
                f"the login ends at {session.ends:%Y-%m-%d %H:%M}, before the close",
                self._how_to_log_in,
            )
        self._session = session
        return go("login", f"from {session.origin}")

    def _check_login(self, store: BrokerStore, found: CheckNow) -> CheckNow:
        return go("login", f"user {store.check_session()}, login {found.words}")

    # -- market ----------------------------------------------------------------------------------

    def _check_clock(self, store: BrokerStore) -> CheckNow:
        most = self._context.settings.live.max_clock_skew_seconds
        skew = store.check_clock(self._context.machine_clock, most)
        if skew is None:
            return warning(
                "clock",
                f"{store.name}'s answers carry no time, this machine's clock was not compared",
                "check it yourself: timedatectl",
            )
        return go("clock", f"{abs(skew):.0f} s off {store.name}'s, at most {most:g} s allowed")

    def _check_contract(self, store: BrokerStore) -> CheckNow:
        """Find the contract; see whether the list is of today, and agrees with our tables."""
        day, underlying = self._context.day, self._context.settings.market.instrument
        instrument = self._instrument = store.find_contract(underlying, day)
        words = f"{instrument.symbol}, lot {instrument.lot}, {_expires(instrument.expiry, day)}"
        gone = [future for future in store.futures(underlying) if future.expiry < day]
        if gone:
            return warning(
                "contract",
                f"{words}; the broker's list still holds {gone[0].symbol}, which expired on {gone[0].expiry}",
                "it may be of an earlier day: wait for today's, out at about 08:30",
            )
        table = self._table_contract()
        if table is not None and (table.expiry, table.lot) != (instrument.expiry, instrument.lot):
            return warning(
                "contract",
                f"{words}; the dated tables expect lot {table.lot} and expiry on {table.expiry}",
                "the broker's list counts; update the project",
            )
        return go("contract", words)

    def _table_contract(self) -> Contract | None:
        context = self._context
        try:
            return contract_for(context.settings.market.instrument, context.day, context.calendar)
        except DataError:  # an instrument or a month that the tables do not know
            return None

    # -- account ---------------------------------------------------------------------------------

    def _is_new_day(self) -> bool:
        """Whether the day has no journal: what goes on is brought together with the book at its start.

        One that cannot be read has a no of its own.
        """
        return not (self._context.folder / "journal.sqlite").exists()

    def _check_margin(self, store: BrokerStore, instrument: Instrument) -> CheckNow:
        free = store.free_margin()
        needed = store.lot_margin(instrument)
        words = f"{free:,.0f} rupees are free, a lot of {instrument.symbol} needs {needed:,.0f}"
        if free < needed:
            return no_go("margin", words, "add funds, or trade on paper")
        capital = self._context.settings.live.capital_rupees
        if capital is not None and capital > free:
            return warning(
                "margin",
                f"{words}; sizes are worked out from {capital:,.0f}",
                "add funds, or lower live.capital_rupees",
            )
        return go("margin", words)

    def _check_account(self, store: BrokerStore, instrument: Instrument) -> CheckNow:
        """See that nothing is held or working in the contract, nor in that of the last day."""
        context = self._context
        wire = store.wire(instrument)
        orders, positions = wire.orders(), wire.positions()
        symbols = {instrument.symbol, *self._last_symbol()}
        product = context.settings.broker.product
        held = [row for row in positions if row.symbol in symbols]
        ours = [row for row in held if row.product == product]
        working = [row for symbol in sorted(symbols) for row in foreign_orders(DeskState(), orders, symbol)]
        words = [
            *_held_words(ours),
            *(f"order {row.order_id} over {row.size:+d} {row.symbol}" for row in working),
        ]
        remedy = "close what is none of ours, or trade this day with --now --accept-foreign"
        if words:
            text = f"the account has {', '.join(words)}, which is none of ours"
            if context.request.accept_foreign:
                return warning("account", f"{text}; taken for known", "look at it: it is left alone")
            return no_go("account", text, remedy)
        others = _held_words([row for row in held if row.product != product])
        if others:
            return warning("account", f"the account also holds {', '.join(others)}", "it is left alone")
        return go("account", f"nothing is held or working in {', '.join(sorted(symbols))}")

    def _last_symbol(self) -> list[str]:
        """Return the contract of the last day: after an expiry it is another one."""
        folder = self._context.previous_folder
        try:
            state = None if folder is None else journal_state(folder)
        except DataError:  # the check of the journals says so
            return []
        return [] if state is None or state.opened is None else [state.opened.symbol]


def _held_words(rows: Sequence[BookPosition]) -> list[str]:
    return [f"{row.size:+d} {row.symbol} {row.product}" for row in rows]


def _expires(expiry: dt.date, day: dt.date) -> str:
    days = (expiry - day).days
    if not days:
        return "expires today: tomorrow the next month is traded"
    return f"expires on {expiry}, in {days} day{'s' if days > 1 else ''}"
