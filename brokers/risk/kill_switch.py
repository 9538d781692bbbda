"""Deny every entry while a file is there, until a person removes it."""

from __future__ import annotations

from brokers.risk.file_switch import FileSwitch

__all__ = ["KillSwitch"]


class KillSwitch(FileSwitch):
    """For the emergency: ``touch KILL_SWITCH`` stops new trades, removing the file allows them again."""

    name = "kill_switch"
