"""What we want: strategy plugins, sizers, and how a run is put together."""
