"""Dated tables of the brokers package, as data."""
