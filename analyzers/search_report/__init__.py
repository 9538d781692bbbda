"""The page of a search: its trials, the best settings, and how far they can be believed."""

__all__: list[str] = []
