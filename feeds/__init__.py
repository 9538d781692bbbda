"""What the market is: calendar, contracts, bars, validation, storage and sources."""
