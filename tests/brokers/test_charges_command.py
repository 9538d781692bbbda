"""``python -m brokers charges``."""

from __future__ import annotations

import pytest

from brokers.__main__ import main


def test_it_shows_every_component_and_the_net(capsys):
    arguments = ["charges", "--date", "2026-06-01", "--buy", "25000", "--sell", "25040", "--units", "65"]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("zerodha, 2026-06-01, 65 units")
    assert [line.split()[0] for line in lines[2:9]] == [
        "brokerage",
        "stt",
        "exchange",
        "ipft",
        "sebi",
        "stamp",
        "gst",
    ]
    assert lines[9].split() == ["total", "93.11", "874.47", "967.57"]
    assert lines[10] == (
        "per unit 14.89 points = 5.95 bps of what was bought; gross 2,600.00, net 1,632.43 rupees"
    )


def test_one_order_alone_and_another_broker(capsys):
    assert (
        main(["charges", "--date", "2026-06-01", "--sell", "25000", "--units", "65", "--plan", "upstox"]) == 0
    )
    out = capsys.readouterr().out
    assert "upstox" in out
    assert "net" not in out


def test_without_a_date_the_newest_charges_are_shown(capsys):
    assert main(["charges", "--buy", "25000", "--units", "65"]) == 0
    assert "2026-04-01" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("charges --date 2012-06-01 --buy 6000 --units 50", 3, "2013-01-01"),
        ("charges --date 2026-06-01 --units 65", 2, "--buy nor --sell"),
    ],
)
def test_what_the_user_can_mend_is_one_line(capsys, arguments, code, words):
    assert main(arguments.split()) == code
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("wrong", ["--date 1.6.2026", "--units 0", "--units x", "--buy -3", "--sell nan"])
def test_wrong_arguments_leave_with_2(capsys, wrong):
    with pytest.raises(SystemExit) as left:
        main(f"charges --date 2026-06-01 --buy 25000 --units 65 {wrong}".split())
    assert left.value.code == 2
    assert "expected" in capsys.readouterr().err
