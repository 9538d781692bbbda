"""What a person may order from the status page or a chat: pause, resume, flatten, kill, lift, log in.

Pause and kill switch are files that the risk gate looks for at every entry, so that they survive a restart
and also stop what this process does not know of.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from brokers.risk.file_switch import FileSwitch
from brokers.risk.kill_switch import KillSwitch
from brokers.risk.pause import Pause
from feeds.clock import Clock
from feeds.errors import BrokerError

__all__ = ["LIFT_WORD", "Command", "Controls", "Outcome"]

LIFT_WORD = "LIFT"
_LONGEST_REASON = 200


class Command(NamedTuple):
    """What was ordered, and by whom; ``word`` and ``request_token`` belong to ``lift`` and ``login``."""

    name: str
    by: str
    reason: str = ""
    word: str = ""
    request_token: str = ""


class Outcome(NamedTuple):
    """What came of it, in words for a person."""

    outcome: Literal["done", "refused"]
    words: str


class Controls:
    """Carries out commands. Callable from any thread.

    Parameters
    ----------
    pause_file, kill_switch_file : pathlib.Path or None
        As the settings ``risk.pause_file`` and ``risk.kill_switch_file`` say.
    leave : callable
        Closes what is open; takes the reason, and returns what is done in words, ``NOT ...`` where nothing
        can be done yet.
    log_in : callable or None
        Exchanges a request token for a login; raises BrokerError. None where there is nothing to log in to.
    clock : Clock
        Dates the files.
    """

    def __init__(
        self,
        *,
        pause_file: Path | None,
        kill_switch_file: Path | None,
        leave: Callable[[str], str],
        log_in: Callable[[str], str] | None,
        clock: Clock,
    ) -> None:
        self._pause_switch = None if pause_file is None else Pause(pause_file)
        self._kill_switch = None if kill_switch_file is None else KillSwitch(kill_switch_file)
        self._leave = leave
        self._log_in = log_in
        self._clock = clock

    def carry_out(self, command: Command) -> Outcome:
        """Do what was ordered."""
        do = {
            "pause": self._pause,
            "resume": self._resume,
            "flatten": self._flatten,
            "kill": self._kill,
            "lift": self._lift,
            "login": self._login,
        }.get(command.name)
        if do is None:
            return Outcome("refused", f"found the command {command.name[:40]!r}, which is not known")
        try:
            return do(command)
        except BrokerError as error:
            return Outcome("refused", str(error))

    @property
    def paused(self) -> str:
        """Why entries are paused; empty when they are not."""
        return "" if self._pause_switch is None else self._pause_switch.why_on()

    @property
    def kill_switch(self) -> str:
        """Why the kill switch is on; empty when it is not."""
        return "" if self._kill_switch is None else self._kill_switch.why_on()

    # -- the commands ----------------------------------------------------------------------------

    def _pause(self, command: Command) -> Outcome:
        if self._pause_switch is None:
            return _off("risk.pause_file")
        self._turn_on(self._pause_switch, command, "paused")
        return Outcome("done", "no new entries until you resume; an open position keeps its stop and target")

    def _resume(self, command: Command) -> Outcome:
        del command
        if self._pause_switch is None:
            return _off("risk.pause_file")
        if not self.paused:
            return Outcome("done", "entries were not paused")
        self._pause_switch.turn_off()
        if self.kill_switch:
            return Outcome("done", "no longer paused, but the kill switch is still on")
        return Outcome("done", "entries are allowed again")

    def _flatten(self, command: Command) -> Outcome:
        """Pause first, so that nothing is entered behind the exit; leave whether or not that succeeds."""
        did = ""
        try:
            paused = self._pause(command)
        except BrokerError as error:
            paused = Outcome("refused", str(error))
        finally:  # whatever has gone wrong
            did = self._close_all(command)
        outcome: Literal["done", "refused"] = "refused" if did.startswith("NOT ") else "done"
        if paused.outcome == "refused":
            return Outcome(outcome, f"{did}; entries are NOT paused: {paused.words}")
        return Outcome(outcome, f"{did}; entries are paused until you resume")

    def _kill(self, command: Command) -> Outcome:
        """Forbid entries first, then leave; the position is closed even where the file cannot be written."""
        if self._kill_switch is None:
            return _off("risk.kill_switch_file")
        did = ""
        try:
            self._turn_on(self._kill_switch, command, "kill switch")
            stays = "kill switch on; no entry until it is lifted, also after a restart"
        except BrokerError as error:
            stays = f"the kill switch is NOT on, stop the program: {error}"
        finally:  # whatever has gone wrong
            did = self._close_all(command)
        return Outcome("refused" if did.startswith("NOT ") else "done", f"{stays}; {did}")

    def _lift(self, command: Command) -> Outcome:
        if self._kill_switch is None:
            return _off("risk.kill_switch_file")
        if command.word != LIFT_WORD:
            return Outcome("refused", f"found another word, expected {LIFT_WORD}; the kill switch stays on")
        if not self.kill_switch:
            return Outcome("done", "the kill switch was not on")
        self._kill_switch.turn_off()
        still = "; entries are still paused" if self.paused else ""
        return Outcome("done", f"kill switch lifted{still}")

    def _login(self, command: Command) -> Outcome:
        if self._log_in is None:
            return Outcome("refused", "a demo has nothing to log in to")
        if not command.request_token:
            return Outcome("refused", "found no request token, expected that of the login page; start again")
        return Outcome("done", self._log_in(command.request_token))

    def _close_all(self, command: Command) -> str:
        return self._leave(_signed(command))

    def _turn_on(self, switch: FileSwitch, command: Command, what: str) -> None:
        """Turn a switch on; one that is on keeps its first reason."""
        if not switch.why_on():
            switch.turn_on(f"{what} by {_signed(command)} on {self._clock.now():%Y-%m-%d at %H:%M:%S}")


def _signed(command: Command) -> str:
    printable = "".join(sign if sign.isprintable() else " " for sign in command.reason)
    reason = " ".join(printable.split())[:_LONGEST_REASON]
    return f"{command.by[:40]}: {reason}" if reason else command.by[:40]


def _off(setting: str) -> Outcome:
    return Outcome("refused", f"{setting} is null in the settings, expected a file; name one and restart")
