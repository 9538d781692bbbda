"""Search over model, features, label and trading parameters; started by ``python -m ml search``."""

__all__: list[str] = []
