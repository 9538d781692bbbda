"""Zerodha's Kite Connect: login, account, orders, order updates and ticks."""
