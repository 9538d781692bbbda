"""The exceptions of the project.

::

    MuhuratError                 exit code 1
    ├── HaltedError              exit code 1   a day of trading was ended by an error
    ├── SettingsError            exit code 2   a setting or an argument is wrong
    │   └── ModelNotFoundError   exit code 2   a model version that does not exist was asked for
    ├── DataError                exit code 3   bars, files or stored data are wrong
    │   └── ModelError           exit code 3   a stored model is damaged or does not fit
    └── BrokerError              exit code 4   the broker refused, or cannot be asked

A message names what was found, what was expected, where, and the remedy, in one line. Entry points
print it without a traceback and leave with ``exit_code``.
"""

from __future__ import annotations

__all__ = [
    "BrokerError",
    "DataError",
    "HaltedError",
    "ModelError",
    "ModelNotFoundError",
    "MuhuratError",
    "SettingsError",
]


class MuhuratError(Exception):
    """Base of every error that a user can act on."""

    exit_code = 1


class HaltedError(MuhuratError):
    """A day of trading was ended by an error that nobody expected; the message says what is open."""


class SettingsError(MuhuratError):
    """A setting or a command-line argument is wrong."""

    exit_code = 2


class ModelNotFoundError(SettingsError):
    """A model version was asked for that the registry does not hold."""


class DataError(MuhuratError):
    """Bars, files or stored data are wrong."""

    exit_code = 3


class ModelError(DataError):
    """A stored model is damaged, or does not fit the features it is given."""


class BrokerError(MuhuratError):
    """The broker refused, or cannot be asked."""

    exit_code = 4
