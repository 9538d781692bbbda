"""Upstox: client, orders, streams and login."""
