"""Alerts: what of a day is told to its owner, on which channel, and what the owner may answer.

Everything here runs in the companion process: a channel that hangs, refuses or floods cannot touch trading.
The desk, the commands and the heartbeat are imported from their modules: they need what backtests do without.
"""

from __future__ import annotations

from analyzers.alerts.alert import Alert, Severity
from analyzers.alerts.rules import AlertRules
from analyzers.alerts.settings import AlertsSettings

__all__ = ["Alert", "AlertRules", "AlertsSettings", "Severity"]
