"""Strategies of one's own, small enough to copy."""
