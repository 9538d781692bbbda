"""Limits on entries: the gate, and one file per rule."""

from __future__ import annotations

from brokers.risk.gate import RiskGate
from brokers.risk.rule import AccountState, EntryRequest, FlatteningRule, RiskRule, Verdict
from brokers.risk.use import LimitUse, MeasuredRule, RuleUse

__all__ = [
    "AccountState",
    "EntryRequest",
    "FlatteningRule",
    "LimitUse",
    "MeasuredRule",
    "RiskGate",
    "RiskRule",
    "RuleUse",
    "Verdict",
]
