"""What a person may order from the page or a chat, and how it reaches the trading process."""

from __future__ import annotations

import json
import secrets as random_secrets
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, Protocol

from analyzers.status.shown import shown_text

__all__ = ["COMMANDS", "LIFT_WORD", "CommandSender", "Outcome", "SendCommand", "fields_of"]

COMMANDS = ("pause", "resume", "flatten", "kill", "lift")
"""What may be ordered by name; a login comes by its callback only."""

LIFT_WORD = "LIFT"

_LONGEST_REASON = 200
_ANSWER_SECONDS = 3.0


class Outcome(NamedTuple):
    """What came of a command, in words for a person; ``unknown``: nothing was heard in time."""

    outcome: Literal["done", "refused", "unknown"]
    words: str


class SendCommand(Protocol):
    """Hands a command to the trading process and waits a little for what comes of it. Any thread."""

    def __call__(self, command: str, *, by: str, reason: str = "", **fields: str) -> Outcome:
        """Send; ``fields`` are ``word`` of ``lift`` and ``request_token`` of ``login``."""


class CommandSender:
    """A :class:`SendCommand` that writes lines of JSON and reads the outcome back from the log.

    Parameters
    ----------
    write_line : callable
        Takes a line without its end to the trading process, any thread; raises OSError when that is gone.
    wait_for_outcome : callable
        :meth:`analyzers.status.board.Board.wait_for_outcome`.
    answer_seconds : float
        How long an outcome is waited for.
    """

    def __init__(
        self,
        write_line: Callable[[str], None],
        wait_for_outcome: Callable[[str, float], Outcome | None],
        answer_seconds: float = _ANSWER_SECONDS,
    ) -> None:
        self._write_line = write_line
        self._wait_for_outcome = wait_for_outcome
        self._answer_seconds = answer_seconds

    def __call__(self, command: str, *, by: str, reason: str = "", **fields: str) -> Outcome:
        """See :class:`SendCommand`."""
        command_id = random_secrets.token_hex(8)
        line = json.dumps({"id": command_id, "command": command, "by": by, "reason": reason, **fields})
        try:
            self._write_line(line)
        except OSError as error:
            return Outcome("refused", f"the trading process cannot be reached ({error.strerror})")
        outcome = self._wait_for_outcome(command_id, self._answer_seconds)
        if outcome is None:
            return Outcome(
                "unknown",
                f"{command} was handed over, but the trading process has not answered within "
                f"{self._answer_seconds:g} s: look at its events",
            )
        return outcome


def fields_of(command: str, body: Mapping[str, Any]) -> dict[str, str] | str:
    """Return the fields of a command as a request gives them, or in one line what is wrong with them.

    A reason becomes one line of at most 200 characters; ``lift`` needs the typed word.
    """
    reason = body.get("reason", "")
    if not isinstance(reason, str):
        return "found a reason that is no text, expected one; leave it out or correct it"
    fields = {"reason": shown_text(" ".join(reason.split()))[:_LONGEST_REASON]}
    if command == "lift":
        if body.get("word") != LIFT_WORD:
            return f"expected the word {LIFT_WORD}, typed as it stands here; the kill switch stays on"
        fields["word"] = LIFT_WORD
    return fields
