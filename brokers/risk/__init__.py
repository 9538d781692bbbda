"""Limits on entries: the gate, and one file per rule."""

from __future__ import annotations

from brokers.risk.account import AccountRisk, AccountSeat
from brokers.risk.account_settings import AccountRiskSettings
from brokers.risk.gate import RiskGate
from brokers.risk.rule import AccountState, EntryRequest, FlatteningRule, RiskRule, Verdict
from brokers.risk.use import LimitUse, MeasuredRule, RuleUse

__all__ = [
    "AccountRisk",
    "AccountRiskSettings",
    "AccountSeat",
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
