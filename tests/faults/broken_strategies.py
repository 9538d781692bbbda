"""Strategies that break while they hold a position; named on the command line by the tests."""

from strategies.random_entry import Settings, Strategy

__all__ = ["LeavesSoon", "RaisesWhileHolding", "Settings"]


class RaisesWhileHolding(Strategy):
    """Asks for something that is not there, on the first bar with a position."""

    def wants_exit(self):
        return {}["not there"]


class LeavesSoon(Strategy):
    """Leaves on the first bar with a position."""

    def wants_exit(self):
        return True
