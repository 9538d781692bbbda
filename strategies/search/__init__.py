"""Searching for settings without fooling oneself: purged, net of costs, counted, and held to unseen bars."""
