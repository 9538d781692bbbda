"""Image, compose file and service, as far as they can be proved without Docker and without systemd.

The Dockerfile and the service are read as the tools read them; what they start is started with this Python.
"""

from __future__ import annotations

import configparser
import fnmatch
import http.server
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import types
from pathlib import Path, PurePosixPath
from types import MappingProxyType

import pytest
import yaml

import run_live

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = "/opt/muhurat/run_live.py"


def run(*command, cwd=None, environment=MappingProxyType({})):
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


# -- the image -------------------------------------------------------------------------------------


def instructions():
    """The Dockerfile as (instruction, argument), continued lines joined, one list for each stage."""
    lines = [
        line for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
        if not line.lstrip().startswith("#")
    ]  # fmt: skip
    whole = "\n".join(lines).replace("\\\n", " ")
    stages = []
    for line in filter(None, map(str.strip, whole.splitlines())):
        word, _, argument = line.partition(" ")
        if word == "FROM":
            stages.append([])
        stages[-1].append((word, " ".join(argument.split())))
    return stages


def of(stage, word):
    return [argument for instruction, argument in stage if instruction == word]


def health_command():
    (argument,) = of(instructions()[-1], "HEALTHCHECK")
    return json.loads(argument.partition(" CMD ")[2])


def test_the_image_has_two_stages_of_one_pinned_base():
    build, last = instructions()
    assert of(build, "FROM") == ["python:3.11-slim-trixie AS build"]
    assert of(last, "FROM") == ["python:3.11-slim-trixie"]
    assert all("--from=build" in argument for argument in of(last, "COPY"))


def test_every_package_is_checked_against_its_hash():
    installs = [
        argument for stage in instructions() for argument in of(stage, "RUN") if "pip" in argument
    ]  # fmt: skip
    assert len(installs) == 1
    assert "--require-hashes -r /build/requirements.lock" in installs[0]


def test_the_program_is_not_root_and_owns_only_what_it_writes():
    last = instructions()[-1]
    (user,) = of(last, "USER")
    (made,) = of(last, "RUN")
    assert user == "10001:10001"
    assert "--uid 10001" in made
    volumes = json.loads(of(last, "VOLUME")[0])
    assert set(volumes) == {"/data", "/home/muhurat/.config/muhurat"}
    assert re.search(r"install -d -o muhurat -g muhurat -m 0700 " + " .*".join(volumes), made)
    assert of(last, "WORKDIR") == ["/data"]
    words = [word for word, _ in last]
    assert words.index("USER") > max(i for i, word in enumerate(words) if word in {"RUN", "COPY"})


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Runs run_live.py with arguments, and returns what it would have begun to trade."""
    requests = []
    days = types.ModuleType("strategies.live_days")
    days.run_days = lambda request, make_timer: requests.append(request) or 0
    monkeypatch.setitem(sys.modules, "strategies.live_days", days)
    monkeypatch.setenv("STATUS_TOKEN", "a-token-of-the-image")
    monkeypatch.chdir(tmp_path)

    def start(arguments):
        assert run_live.main(arguments) == 0
        return requests.pop()

    return start


def image_arguments():
    python, program, *fixed = json.loads(of(instructions()[-1], "ENTRYPOINT")[0])
    assert (python, program) == ("python", PROGRAM)
    return fixed


def test_the_image_trades_on_paper_unless_told_otherwise(started):
    request = started([*image_arguments(), *json.loads(of(instructions()[-1], "CMD")[0])])
    assert request.mode == "paper"
    assert request.settings.status.host == "0.0.0.0"  # noqa: S104 # within a container


def test_the_page_of_a_demo_in_the_image_has_its_token(started):
    request = started([*image_arguments(), "--mode", "demo"])
    assert request.secrets.get("STATUS_TOKEN") == "a-token-of-the-image"


class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.seen.append(self.path)
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def health():
    """A stand-in for the page; calling it runs the image's health check against it."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Health)
    server.seen, server.status = [], 200
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()

    def check(**environment):
        python, *arguments = health_command()
        assert python == "python"
        port = str(server.server_address[1])
        arguments = [argument.replace(":8000/", f":{port}/") for argument in arguments]
        return run(sys.executable, *arguments, environment=environment).returncode

    check.server = server
    yield check
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_health_check_passes_when_all_is_well(health):
    assert health() == 0
    assert health.server.seen == ["/healthz"]


def test_the_health_check_minds_no_proxy(health):
    assert health(http_proxy="http://127.0.0.1:9", HTTP_PROXY="http://127.0.0.1:9") == 0
    assert health.server.seen == ["/healthz"]


def test_the_health_check_fails_when_the_page_says_no(health):
    health.server.status = 503
    assert health() != 0


def test_the_health_check_fails_when_nobody_answers(health):
    health.server.server_address = ("127.0.0.1", 1)
    assert health() != 0


# -- what goes into the image ----------------------------------------------------------------------


def goes_into_the_image(path):
    """What .dockerignore says of a path: the last pattern that it, or a folder above it, matches decides."""
    taken = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        named = [path, *map(str, PurePosixPath(path).parents)][:-1] if "/" in path else [path]
        back = pattern.startswith("!")
        if any(_matches(name, pattern.removeprefix("!")) for name in named):
            taken = back
    return taken


def _matches(name, pattern):
    parts, wanted = name.split("/"), pattern.split("/")
    if wanted[0] == "**":
        parts, wanted = parts[-(len(wanted) - 1) :], wanted[1:]
    return len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))


@pytest.mark.parametrize(
    "path",
    [
        "secrets.env", "database.env", ".env", "feeds/secrets.env", ".git/config", "runs/day/journal.sqlite",
        "models/v0001/card.json", "bars/NIFTY.parquet", "tests/conftest.py", ".venv/bin/python",
        "feeds/__pycache__/clock.cpython-311.pyc", "compose.override.yaml", "KILL_SWITCH", "PAUSED",
        "deploy/muhurat.service", "kite_token.json", "analyzers/paper.sqlite-wal",
    ],
)  # fmt: skip
def test_secrets_and_results_stay_out_of_the_image(path):
    assert not goes_into_the_image(path)


def test_all_that_the_program_needs_goes_in():
    tracked = [
        str(path.relative_to(ROOT).as_posix())
        for folder in ("analyzers", "brokers", "feeds", "ml", "strategies")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    assert len(tracked) > 150
    needed = [*tracked, "run_live.py", "run_backtest.py", "settings.yaml", "deploy/requirements.lock"]
    assert [path for path in needed if not goes_into_the_image(path)] == []


def locked(path):
    """Name and version, with their hashes."""
    packages = {}
    for line in (ROOT / path).read_text(encoding="utf-8").splitlines():
        if not line.startswith(" "):
            hashes = packages.setdefault(line.rstrip(" \\"), set())
        else:
            hashes.add(line.strip(" \\"))
    return packages


def test_the_image_gets_the_tested_versions_and_no_tools_of_tests():
    tested, image = locked("requirements.lock"), locked("deploy/requirements.lock")
    assert {name: hashes for name, hashes in image.items() if tested.get(name) != hashes} == {}
    names = {re.match(r"[\w.-]+", line)[0] for line in image}
    assert not names & {"pytest", "mypy", "ruff", "playwright", "hypothesis"}
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = setup["options.extras_require"]
    for line in (setup["options"]["install_requires"] + extras["live"] + extras["alerts"]).splitlines():
        wanted = re.match(r"[\w.-]+", line)
        if wanted and not line.startswith("#"):
            assert wanted[0].lower().replace("_", "-") in names


# -- compose ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def test_compose_is_understood_by_docker(tmp_path):
    docker = shutil.which("docker")
    if docker is None or run(docker, "compose", "version").returncode:
        pytest.skip("docker compose is not installed")
    for name in ("compose.yaml", "Dockerfile", "settings.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "secrets.env").write_text("STATUS_TOKEN=tea\n", encoding="utf-8")
    for profile in ([], ["--profile", "store"]):
        done = run(docker, "compose", *profile, "config", "--quiet", cwd=tmp_path)
        assert done.returncode == 0, done.stderr


def test_ports_are_published_on_this_machine_only(compose):
    ports = [port for service in compose["services"].values() for port in service["ports"]]
    assert ports == ["127.0.0.1:8000:8000", "127.0.0.1:5432:5432"]


def test_the_program_is_given_time_to_close_its_position(compose):
    program = compose["services"]["muhurat"]
    assert program["stop_grace_period"] == "90s"
    assert program["restart"] == "unless-stopped"


def test_the_program_may_do_no_more_than_it_has_to(compose):
    program = compose["services"]["muhurat"]
    assert program["read_only"] is True
    assert program["cap_drop"] == ["ALL"]
    assert "cap_add" not in program
    assert program["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "network_mode", "user", "pid"} & set(program)


def test_what_the_image_keeps_is_a_named_volume(compose):
    mounted = dict(reversed(volume.split(":")[:2]) for volume in compose["services"]["muhurat"]["volumes"])
    for kept in json.loads(of(instructions()[-1], "VOLUME")[0]):
        assert mounted[kept] in compose["volumes"]
    settings = mounted["/opt/muhurat/settings.yaml"]
    assert (ROOT / settings).is_file()


def test_no_secret_stands_in_the_compose_file(compose):
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    assert not re.search(r"(?i)(password|token|secret)[:= ]+[\"']?\w", re.sub(r"#.*", "", text))
    assert compose["services"]["muhurat"]["env_file"] == ["secrets.env"]


def test_compose_trades_on_paper_and_says_how_to_trade_for_real(compose, started):
    assert started([*image_arguments(), *compose["services"]["muhurat"]["command"]]).mode == "paper"
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    real = json.loads(re.search(r"#\s+command: (\[.*\])", text)[1])
    request = started([*image_arguments(), *real])
    assert (request.mode, request.confirmed) == ("live", True)


def test_the_database_waits_until_it_is_asked_for(compose):
    database = compose["services"]["database"]
    assert database["profiles"] == ["store"]
    assert re.fullmatch(r"timescale/timescaledb:\d+\.\d+\.\d+-pg\d+", database["image"])
    assert "depends_on" not in compose["services"]["muhurat"]
    assert database["healthcheck"]["test"][0] == "CMD"


# -- systemd ---------------------------------------------------------------------------------------


def unit(path=ROOT / "deploy" / "muhurat.service"):
    """The unit's settings; one that is given twice keeps both."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def test_the_unit_starts_run_live(started):
    (line,) = unit()["ExecStart"]
    python, program, *arguments = shlex.split(line)
    assert python == "/opt/muhurat/.venv/bin/python"
    assert program == PROGRAM
    assert started(arguments).mode == "paper"


def test_the_unit_is_watched_and_given_time():
    found = {name: values[-1] for name, values in unit().items()}
    assert found["Type"] == "notify"
    assert found["WatchdogSec"] == "120"
    assert found["KillMode"] == "mixed"
    assert found["TimeoutStopSec"] == "90"
    assert found["Restart"] == "on-failure"
    assert found["StartLimitIntervalSec"] == "0"
    # The exit codes of wrong arguments and bad data: starting again mends neither
    assert found["RestartPreventExitStatus"] == "2 3"
    assert found["WorkingDirectory"] == f"/var/lib/{found['StateDirectory']}"


@pytest.fixture
def checked_unit(tmp_path):
    """The unit, with a program that exists here, as systemd's own checker wants it."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    text = (ROOT / "deploy" / "muhurat.service").read_text(encoding="utf-8")
    copy = tmp_path / "muhurat.service"
    copy.write_text(re.sub(r"(?m)^ExecStart=.*$", f"ExecStart={sys.executable}", text), encoding="utf-8")
    return copy


def test_systemd_understands_every_line_of_the_unit(checked_unit):
    done = run("systemd-analyze", "verify", "--man=no", str(checked_unit))
    assert [line for line in done.stderr.splitlines() if checked_unit.name in line] == []


def test_systemd_finds_the_unit_well_shut_in(checked_unit):
    done = run("systemd-analyze", "security", "--offline=true", "--threshold=20", str(checked_unit))
    if "unrecognized option" in done.stderr:
        pytest.skip("systemd before 250 cannot judge a file")
    assert done.returncode == 0, done.stdout.splitlines()[-1]
