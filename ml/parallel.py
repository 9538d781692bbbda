"""Where joblib works: on this machine's cores, or on a Dask cluster by address, with the same numbers.

Everything long goes through :class:`joblib.Parallel`; this module alone knows where that leads. A cluster
runs the code it is sent: whoever reaches its scheduler is as good as logged in to its machines.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import joblib

from feeds.errors import SettingsError
from feeds.version import __version__

__all__ = ["on_cluster", "one_at_a_time"]

_CONNECT_SECONDS = 10


@contextmanager
def on_cluster(address: str | None) -> Iterator[None]:
    """Let joblib work on a Dask cluster as long as the block lasts; without an address, on this machine.

    Parameters
    ----------
    address : str or None
        Of the scheduler, such as ``tcp://host:8786``.

    Raises
    ------
    SettingsError
        Dask is not installed, nobody answers at the address, or the workers hold another version of this
        program.
    """
    if address is None:
        yield
        return
    try:
        from distributed import Client

        make_client: Any = Client  # untyped
    except ImportError:
        raise SettingsError(
            f"--cluster {address} needs dask.distributed, which is not installed; "
            "run: pip install 'muhurat[cluster]'"
        ) from None
    try:
        client: Any = make_client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"--cluster {address}: found no Dask scheduler ({error}), expected one that answers within "
            f"{_CONNECT_SECONDS} seconds; start `dask scheduler`, or correct the address"
        ) from error
    try:
        try:
            versions = client.run(_own_version)
        except ImportError as error:
            raise SettingsError(
                f"--cluster {address}: its workers cannot import Muhurat ({error}); install version "
                f"{__version__} where `dask worker` runs"
            ) from error
        others = sorted(set(versions.values()) - {__version__})
        if others or not versions:
            found = f"workers with version {', '.join(others)}" if others else "no workers"
            raise SettingsError(
                f"--cluster {address}: found {found}, expected Muhurat {__version__} on each; start "
                "`dask worker` with the same installation"
            )
        with joblib.parallel_config(backend="dask", client=client):
            yield
    finally:
        client.close()


def _own_version() -> str:
    return __version__


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let joblib do one thing after the other: what is one of many tasks itself asks for no more workers."""
    with joblib.parallel_config(backend="sequential"):
        yield
