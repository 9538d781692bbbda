import pytest

from strategies.console import main


def test_help_names_every_package(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"muhurat {name}" in shown for name in ("feeds", "ml", "brokers", "analyzers"))


def test_an_unknown_package_is_one_line_with_a_suggestion(capsys):
    assert main(["feed", "check"]) == 2
    assert capsys.readouterr().err == "error: unknown command 'feed'; did you mean 'feeds'?\n"


def test_arguments_reach_the_package(capsys):
    code = main(
        ["brokers", "charges", "--date", "2026-06-01", "--buy", "25000", "--sell", "25040", "--units", "65"]
    )
    assert code == 0
    assert "967.57" in capsys.readouterr().out


@pytest.mark.parametrize("package", ["feeds", "ml", "brokers", "analyzers"])
def test_every_package_has_a_command(package, capsys):
    with pytest.raises(SystemExit) as leaving:
        main([package, "--help"])
    assert leaving.value.code == 0
    assert "usage" in capsys.readouterr().out
