"""A local exchange that speaks Kite Connect v3, to test against."""
