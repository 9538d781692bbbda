from __future__ import annotations

import stat
import subprocess
import sys

import pytest

from brokers.kite.session import token_store
from brokers.kite.settings import KiteSettings
from brokers.login_lock import LoginLock
from feeds.errors import BrokerError


@pytest.fixture
def settings(tmp_path):
    return KiteSettings(token_file=str(tmp_path / "kite" / "token.json"))


def test_one_process_trades_an_instrument(settings, tmp_path):
    held = LoginLock(token_store(settings), "NIFTY")
    with pytest.raises(BrokerError) as caught:
        LoginLock(token_store(settings), "NIFTY")
    held.release()
    line = str(caught.value)
    assert line.startswith("NIFTY is traded live by another process with the login of ")
    assert str(tmp_path / "kite" / "live-NIFTY.lock") in line
    assert "broker.kite.token_file" in line
    assert "\n" not in line
    LoginLock(token_store(settings), "NIFTY").release()


@pytest.mark.parametrize(("instrument", "folder"), [("BANKNIFTY", "kite"), ("NIFTY", "other")])
def test_another_instrument_or_account_is_free(settings, tmp_path, instrument, folder):
    held = LoginLock(token_store(settings), "NIFTY")
    LoginLock(
        token_store(KiteSettings(token_file=str(tmp_path / folder / "token.json"))), instrument
    ).release()
    held.release()


def test_a_process_that_dies_gives_it_back(settings):
    code = (
        "import os, sys; from brokers.login_lock import LoginLock; "
        "from brokers.kite.session import token_store; from brokers.kite.settings import KiteSettings; "
        "held = LoginLock(token_store(KiteSettings(token_file=sys.argv[1])), 'NIFTY'); "
        "print('held', flush=True); sys.stdin.read(); os._exit(1)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, settings.token_file],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as other:  # fmt: skip
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BrokerError, match="traded live by another process"):
            LoginLock(token_store(settings), "NIFTY")
        other.kill()
    LoginLock(token_store(settings), "NIFTY").release()


def test_the_folder_is_made_for_its_owner_only(settings, tmp_path):
    LoginLock(token_store(settings), "M&M").release()
    assert stat.S_IMODE((tmp_path / "kite").stat().st_mode) == 0o700
    assert [file.name for file in (tmp_path / "kite").iterdir()] == ["live-M&M.lock"]


def test_a_folder_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BrokerError, match=r"live-NIFTY.lock cannot be made \(.*set broker.kite.token_file"):
        LoginLock(token_store(KiteSettings(token_file=str(tmp_path / "file" / "token.json"))), "NIFTY")
