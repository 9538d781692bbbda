"""One day, live and replayed through the backtest: what is equal, what differs, and what that cost."""
