"""The sandbox as Upstox: its paths, words and streams over the same exchange."""
