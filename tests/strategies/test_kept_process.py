"""A process beside ours is ended with us, at whatever moment that is."""

import subprocess
import sys
import threading
import time

from strategies import kept_process
from strategies.kept_process import KeptProcess, environment_beside


def test_one_that_is_just_being_started_and_hears_nothing_is_ended(monkeypatch):
    """There is no process yet when the end is said, and the day must not wait for it for ever."""
    starting = threading.Event()
    started = []

    def slow_start(*arguments, **options):
        starting.set()
        deaf._over.wait(10.0)
        started.append(subprocess.Popen(*arguments, **options))
        return started[0]

    monkeypatch.setattr(kept_process, "_END_SECONDS", 0.5)
    monkeypatch.setattr(kept_process, "subprocess", Starter(slow_start))
    deaf = KeptProcess(
        [sys.executable, "-c", "import time; time.sleep(30.0)"], "{}", name="deaf", on_line=print,
        on_death=lambda *_: None, environment=environment_beside(),
    )  # fmt: skip
    with deaf:
        assert starting.wait(10.0)
        begun = time.monotonic()
    assert time.monotonic() - begun < 10.0
    assert started[0].wait(10.0) < 0
    deaf._thread.join(10.0)
    assert not deaf._thread.is_alive()


class Starter:
    """The module ``subprocess`` with another way to start one."""

    def __init__(self, start):
        self.Popen = start

    def __getattr__(self, name):
        return getattr(subprocess, name)


def test_a_process_beside_us_has_the_secrets_it_needs_and_no_other(monkeypatch):
    monkeypatch.setenv("TIMESCALE_DSN", "postgresql://a:b@c/d")
    monkeypatch.setenv("KITE_ACCESS_TOKEN", "token")
    assert not {"TIMESCALE_DSN", "KITE_ACCESS_TOKEN"} & set(environment_beside())
    kept = environment_beside("TIMESCALE_DSN", "SMTP_URL")
    assert kept["TIMESCALE_DSN"] == "postgresql://a:b@c/d"
    assert not {"KITE_ACCESS_TOKEN", "SMTP_URL"} & set(kept)
