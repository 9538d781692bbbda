"""Measurements against stock backtrader; nothing here is part of the program."""
