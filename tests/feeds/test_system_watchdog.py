"""What systemd would hear, by a socket of its kind."""

from __future__ import annotations

import itertools
import os
import socket
import uuid

import pytest

from feeds.errors import SettingsError
from feeds.system_watchdog import SystemWatchdog


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path, monkeypatch):
    """A service manager's end of the line, and how it is named in the environment."""
    monkeypatch.chdir(tmp_path)
    name = str(tmp_path / "notify") if request.param == "path" else f"@muhurat-{uuid.uuid4().hex}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        line.settimeout(5.0)
        yield line, name


def test_every_message_arrives_in_its_own_words(manager):
    line, name = manager
    watchdog = SystemWatchdog({"NOTIFY_SOCKET": name})
    assert watchdog.ready()
    assert watchdog.status("trading; +130 NIFTY")
    assert watchdog.alive()
    assert watchdog.stopping()
    assert [line.recv(500).decode() for _ in range(4)] == [
        "READY=1",
        "STATUS=trading; +130 NIFTY",
        "WATCHDOG=1",
        "STOPPING=1",
    ]


def test_a_status_is_one_line_and_no_other_message(manager):
    line, name = manager
    assert SystemWatchdog({"NOTIFY_SOCKET": name}).status("red\nMAINPID=1\r\n rupees: ₹ 5 ")
    assert line.recv(500).decode() == "STATUS=red MAINPID=1 rupees: ₹ 5"


def test_the_environment_of_the_process_is_looked_at(manager, monkeypatch):
    line, name = manager
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    assert SystemWatchdog().ready()
    assert line.recv(500) == b"READY=1"


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"WATCHDOG_USEC": "120000000"}])
def test_without_systemd_nobody_is_told(environment):
    watchdog = SystemWatchdog(environment)
    told = [watchdog.ready(), watchdog.status("x"), watchdog.alive(), watchdog.stopping()]
    assert told == [False] * 4
    assert watchdog.interval_seconds is None


@pytest.mark.parametrize("path", ["/nowhere/notify", "/" + "x" * 200, "@muhurat-nobody-listens"])
def test_a_manager_that_is_gone_harms_nothing(path):
    assert not SystemWatchdog({"NOTIFY_SOCKET": path}).alive()


def test_a_manager_that_does_not_read_is_not_waited_for(manager, monkeypatch):
    _, name = manager
    monkeypatch.setattr("feeds.system_watchdog._SEND_SECONDS", 0.01)
    watchdog = SystemWatchdog({"NOTIFY_SOCKET": name})
    told = list(itertools.takewhile(bool, (watchdog.alive() for _ in range(5_000))))
    assert 0 < len(told) < 5_000


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "120000000"}, 60.0),
        ({"WATCHDOG_USEC": "1"}, 5e-7),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": "1"}, None),  # meant for our parent
        ({"WATCHDOG_USEC": ""}, None),
        ({}, None),
    ],
)
def test_half_of_the_managers_patience(environment, seconds):
    assert SystemWatchdog({"NOTIFY_SOCKET": "/run/x", **environment}).interval_seconds == seconds


@pytest.mark.parametrize("value", ["0", "-1", "2min", "1.5", "²"])
def test_a_patience_that_is_none_is_refused(value):
    with pytest.raises(SettingsError, match="WATCHDOG_USEC is"):
        SystemWatchdog({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": value})


@pytest.mark.parametrize("value", ["vsock:2:1234", "notify", "\0notify"])
def test_a_socket_of_another_kind_is_refused(value):
    with pytest.raises(SettingsError, match="NOTIFY_SOCKET is"):
        SystemWatchdog({"NOTIFY_SOCKET": value})
