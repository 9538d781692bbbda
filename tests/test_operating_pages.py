"""What the pages for who runs the program say of settings, secrets and files is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import run_live
from analyzers.__main__ import main as analyzers_main
from brokers.__main__ import main as brokers_main
from feeds.__main__ import main as feeds_main
from feeds.secrets import load_secrets
from ml.__main__ import main as ml_main

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = [DOCS / f"{name}.md" for name in ("deployment", "first-week", "sebi", "runbook", "status", "alerts")]


def test_one_file_of_secrets_serves_all(tmp_path):
    """Every name that the pages promise is taken by the program, from a file as from the environment."""
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    names = set(re.findall(r"\b(?:KITE|TELEGRAM|SMTP|ALERT|APPRISE|HEARTBEAT|STATUS)_[A-Z_]+\b", text))
    assert {"KITE_API_KEY", "STATUS_TOKEN", "HEARTBEAT_URL", "APPRISE_URLS"} <= names
    file = tmp_path / "secrets.env"
    file.write_text("".join(f"{name}=some-value\n" for name in sorted(names)), encoding="utf-8")
    file.chmod(0o600)
    secrets = load_secrets(tmp_path, {})
    assert {name: secrets.get(name) for name in names} == dict.fromkeys(names, "some-value")


def setting_names():
    from strategies.settings import Settings

    def walk(model, above):
        for name, field in model.model_fields.items():
            kind = field.annotation
            if hasattr(kind, "model_fields"):
                yield from walk(kind, f"{above}{name}.")
            else:
                yield f"{above}{name}"

    return set(walk(Settings, ""))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_setting_of_the_pages_exists(page):
    names = setting_names()
    sections = {name.split(".")[0] for name in names}
    assert {"live", "status", "alerts"} <= sections
    text = page.read_text(encoding="utf-8")
    named = {
        name for name in re.findall(r"`([a-z]+(?:\.[a-z_]+)+)(?::[^`]*)?`", text)
        if name.split(".")[0] in sections and not name.endswith((".md", ".log", ".json", ".yaml"))
    }  # fmt: skip
    assert named - names == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_yaml_of_the_pages_is_taken(page):
    from strategies.settings import load_settings

    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        tree = yaml.safe_load(block)
        if set(tree) <= {name.split(".")[0] for name in setting_names()}:
            overrides = [
                f"{section}.{key}={value}" for section, keys in tree.items() for key, value in keys.items()
            ]
            load_settings(None, overrides)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_page_speaks_of_files_that_are_not_here(page):
    text = page.read_text(encoding="utf-8")
    assert "../shared" not in text
    assert "/work/" not in text


COMMANDS = {"analyzers": analyzers_main, "brokers": brokers_main, "feeds": feeds_main, "ml": ml_main}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_the_pages_exists(page, capsys):
    for package, command, rest in re.findall(
        r"python(?: muhurat)? -m (feeds|brokers|ml|analyzers) (\w+)([^`\n]*)",
        page.read_text(encoding="utf-8"),
    ):
        with pytest.raises(SystemExit) as ended:
            COMMANDS[package]([command, "--help"])
        assert ended.value.code == 0, f"{page.name}: {package} {command}"
        known = capsys.readouterr().out
        for option in re.findall(r"--[a-z-]+", rest):
            assert option in known, f"{page.name}: {package} {command} {option}"


def test_every_argument_of_run_live_in_the_pages_exists(capsys):
    with pytest.raises(SystemExit):
        run_live.main(["--help"])
    known = capsys.readouterr().out
    for page in PAGES:
        for rest in re.findall(r"run_live\.py ([^`\n]*)", page.read_text(encoding="utf-8")):
            for option in re.findall(r"--[a-z-]+", rest):
                assert option in known, f"{page.name}: {option}"
