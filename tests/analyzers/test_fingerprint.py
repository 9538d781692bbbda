from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from analyzers.fingerprint import trades_fingerprint
from tests.analyzers.examples import make_result

ROOT = Path(__file__).resolve().parents[2]
TRADES = make_result().trades


def test_it_is_a_sha256_and_stable():
    assert trades_fingerprint(TRADES) == trades_fingerprint(TRADES.copy())
    assert len(trades_fingerprint(TRADES)) == 64


@pytest.mark.parametrize("seed", ["0", "12345"])
def test_the_hash_seed_of_the_interpreter_does_not_matter(seed):
    code = "from tests.analyzers.examples import make_result; print(make_result().fingerprint)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == trades_fingerprint(TRADES)


@pytest.mark.parametrize(
    "column", ["entry_price", "exit_price", "size", "gross_pnl", "slippage_cost", "charges", "net_pnl"]
)
def test_a_change_of_a_millionth_counts_and_of_the_last_bits_does_not(column):
    def with_change(amount):
        changed = TRADES.copy()
        changed.loc[3, column] += amount
        return trades_fingerprint(changed)

    assert with_change(2e-6) != trades_fingerprint(TRADES)
    assert with_change(1e-12) == trades_fingerprint(TRADES)


@pytest.mark.parametrize("column", ["side", "exit_reason", "instrument"])
def test_words_count(column):
    changed = TRADES.copy()
    changed.loc[0, column] = "other"
    assert trades_fingerprint(changed) != trades_fingerprint(TRADES)


def test_minus_zero_is_zero_and_no_trades_have_a_fingerprint_too():
    zero, minus = TRADES.copy(), TRADES.copy()
    zero["slippage_cost"], minus["slippage_cost"] = 0.0, -0.0
    assert trades_fingerprint(zero) == trades_fingerprint(minus)
    assert len(trades_fingerprint(TRADES.head(0))) == 64
