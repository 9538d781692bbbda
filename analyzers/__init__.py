"""What happened: trades, equity, costs, metrics, verdict and the pages that show them."""
