"""Fixtures that every folder of the suite may use."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real market data beside the project, or a skip with the reason."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"real market data not found at {SHARED / 'data'}")
    return SHARED
