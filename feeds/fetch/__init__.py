"""Bars of the past from a broker: what to ask, asking it, and what to believe of the answers."""
