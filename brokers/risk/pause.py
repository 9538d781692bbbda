"""Deny entries for a while, by a file that is easier put there and taken away than the kill switch."""

from __future__ import annotations

from brokers.risk.file_switch import FileSwitch

__all__ = ["Pause"]


class Pause(FileSwitch):
    """For a while: ``echo "budget speech" > PAUSED`` stops new trades and says why, removing it resumes them.

    A file of its own, so that resuming cannot lift the kill switch.
    """

    name = "pause"
