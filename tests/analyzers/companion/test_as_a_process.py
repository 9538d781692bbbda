"""The companion as the child process that it is: fed with a first line, over a folder that a test writes."""

from __future__ import annotations

import datetime as dt
import json
import re
import socket
import threading
from pathlib import Path

import pytest
import requests

from feeds.clock import WallClock
from tests.analyzers.companion.running import WAIT, Companion, TradingProcess, companion, first_line
from tests.telegram_server import HANG, TOKEN, TelegramServer

CLOSED = {"trip": 1, "net_pnl": 1234.0, "gross_pnl": 1300.0, "charges": 66.0}


@pytest.fixture
def telegram():
    with TelegramServer() as server:
        yield server


@pytest.fixture
def trading(tmp_path):
    with TradingProcess(tmp_path) as process:
        yield process


def seconds_ago(seconds: float) -> dt.datetime:
    return WallClock().now() - dt.timedelta(seconds=seconds)


def page_of(child: Companion) -> str:
    return child.wait_event("status_page")["url"].rstrip("/")


def token_of(child: Companion) -> str:
    return Path(child.wait_event("status_page")["token_file"]).read_text().strip()


def ordered(child: Companion, command: str, **body: str) -> dict[str, str]:
    answer = requests.post(
        f"{page_of(child)}/api/control/{command}",
        json=body, headers={"Authorization": f"Bearer {token_of(child)}"}, timeout=WAIT,
    )  # fmt: skip
    return answer.json()


def test_its_first_line_says_where_the_page_is(tmp_path, trading):
    with companion(tmp_path) as child:
        shown = requests.get(f"{page_of(child)}/api/status", timeout=WAIT).json()
        assert (shown["now"]["symbol"], shown["now"]["account"]["position"]) == ("NIFTY26SEPFUT", 130)
        assert requests.get(f"{page_of(child)}/healthz", timeout=WAIT).text == "ok\n"
        assert shown["controls"]["can"]
        assert child.end() == 0
        assert child.complaints == ""
    assert len(child.told) == 1


def test_an_order_of_the_page_goes_up_and_its_outcome_comes_back_from_the_log(tmp_path, trading):
    with companion(tmp_path) as child:

        def obey():
            line = child.wait_command("pause")
            assert (line["by"], line["reason"]) == ("page", "budget speech")
            trading.log("control", file="watch.log", id=line["id"], command="pause", by="page",
                        outcome="done", words="no new entries")  # fmt: skip

        obedient = threading.Thread(target=obey)
        obedient.start()
        outcome = ordered(child, "pause", reason="budget speech")
        obedient.join()
        assert outcome == {"outcome": "done", "words": "no new entries"}


def test_an_order_of_the_chat_goes_up_and_is_answered(tmp_path, trading, telegram):
    with companion(tmp_path, telegram=telegram) as child:
        assert telegram.wait(lambda: telegram.calls.count("getUpdates") >= 2)  # it listens
        telegram.write("/status")
        assert "TRADING" in telegram.wait_received(1)[0].text
        telegram.write("/flatten enough")
        line = child.wait_command("flatten")
        assert line["by"] == "telegram"
        assert "enough" in line["reason"]
        trading.log("control", file="watch.log", id=line["id"], command="flatten", by="telegram",
                    outcome="done", words="closing +130")  # fmt: skip
        assert telegram.wait_received(2)[1].text == "Done: closing +130"
        assert child.end() == 0
    assert len(telegram.texts) == 2, "who ordered it in the chat is not told of it by an alert as well"


def test_a_dead_parent_is_told_behind_what_it_said_last(tmp_path, trading, telegram):
    with companion(tmp_path, telegram=telegram) as child:
        page_of(child)
        trading.log("trip_closed", **CLOSED)
        trading.stop()
        assert child.lose_parent() == 0
        assert child.complaints == ""
    last, death = map(first_line, telegram.texts)
    assert "flat again, net +1,234 rupees" in last
    assert death == "CRITICAL LIVE: the trading process has ended unexpectedly"
    assert "Open: +130 NIFTY26SEPFUT" in telegram.texts[1]


def test_an_end_in_order_sends_what_waits_and_tells_of_no_death(tmp_path, trading, telegram):
    with companion(tmp_path, telegram=telegram) as child:
        page_of(child)
        trading.say(phase="over")
        for number in range(1, 6):
            trading.log("trip_closed", **{**CLOSED, "trip": number})
        assert child.end() == 0
        assert child.complaints == ""
    assert [f"Trade {number}," in text for number, text in enumerate(telegram.texts, start=1)] == [True] * 5


@pytest.mark.slow
def test_a_dead_parent_does_not_keep_a_companion_whose_channel_hangs(tmp_path, trading, telegram):
    telegram.standing_fault = HANG
    with companion(tmp_path, telegram=telegram) as child:
        page_of(child)
        trading.log("trip_closed", **CLOSED)
        assert telegram.wait(lambda: telegram.hanging > 0)
        assert child.lose_parent() == 0
    assert telegram.received == []


def test_a_process_that_falls_silent_is_told_once(tmp_path, telegram):
    trading = TradingProcess(tmp_path)
    trading.say(written_at=seconds_ago(20))
    with companion(tmp_path, telegram=telegram) as child:
        (silent,) = telegram.wait_received(1)
        assert first_line(silent.text) == "CRITICAL LIVE: the trading process says nothing any more"
        assert re.search(r"silent for \d+", silent.text)  # as old as a busy machine lets it become
        trading.log("trip_closed", **CLOSED)  # looked at several times by now
        telegram.wait_received(2)
        assert child.end() == 0
    assert [first_line(text) for text in telegram.texts][1:] == [
        "LIVE: flat again, net +1,234 rupees (closed)"
    ]


def test_a_process_that_has_ended_in_order_is_not_silent(tmp_path, telegram):
    trading = TradingProcess(tmp_path, phase="over")
    trading.say(written_at=seconds_ago(3600))
    with companion(tmp_path, telegram=telegram) as child:
        page_of(child)
        assert child.end() == 0
    assert telegram.received == []


# -- bad input ---------------------------------------------------------------------------------------------


def test_a_taken_port_is_waited_for_while_alerts_go_out(tmp_path, trading, telegram):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with companion(tmp_path, telegram=telegram, status={"port": port}) as child:
            trading.log("trip_closed", **CLOSED)
            telegram.wait_received(1)
            assert child.told == []
            taken.close()
            assert page_of(child) == f"http://127.0.0.1:{port}"
            assert requests.get(f"{page_of(child)}/healthz", timeout=WAIT).text == "ok\n"


@pytest.mark.parametrize(
    ("secrets", "named", "works"),
    [
        ({"SMTP_URL": "mail.example.com", "ALERT_EMAIL_TO": "me@example.com"}, "SMTP_URL", True),
        ({"SMTP_URL": "smtp://user:hunter22@mail.example.com:587"}, "ALERT_EMAIL_TO", True),
        ({"TELEGRAM_CHAT_ID": ""}, "TELEGRAM_CHAT_ID", False),
        ({"TELEGRAM_BOT_TOKEN": "nonsense"}, "TELEGRAM_BOT_TOKEN", False),
        ({"TELEGRAM_CHAT_ID": "me and you"}, "TELEGRAM_CHAT_ID", False),
        ({"HEARTBEAT_URL": "ftp://example.com/beat"}, "HEARTBEAT_URL", True),
    ],
)
def test_a_wrong_secret_is_named_once_and_stops_nothing_else(
    tmp_path, trading, telegram, secrets, named, works
):
    with companion(tmp_path, telegram=telegram, **secrets) as child:
        assert named in child.wait_event("alerts_off")["error"]
        assert requests.get(f"{page_of(child)}/healthz", timeout=WAIT).text == "ok\n"
        if works:
            trading.log("trip_closed", **CLOSED)
            telegram.wait_received(1)
        assert child.end() == 0
        assert child.complaints == ""
    assert [told["event"] for told in child.told].count("alerts_off") == 1
    assert "hunter22" not in json.dumps(child.told)


def test_a_page_for_others_without_a_token_is_refused_while_alerts_go_out(tmp_path, trading, telegram):
    with companion(tmp_path, telegram=telegram, status={"host": "0.0.0.0"}) as child:  # noqa: S104 # not bound
        assert "STATUS_TOKEN" in child.wait_event("no_status_page")["error"]
        trading.log("trip_closed", **CLOSED)
        telegram.wait_received(1)


def test_a_first_line_that_is_none_is_refused_without_being_quoted():
    with Companion(json.dumps({"secrets": {"SMTP_URL": "smtp://me:hunter22@example.com"}})) as child:
        assert child.process.wait(WAIT) == 2
        assert "is no configuration" in child.complaints
        assert "hunter22" not in child.complaints


def test_what_a_process_wrote_before_this_version_is_no_reason_to_die(tmp_path, telegram):
    (tmp_path / "now.json").write_text('{"phase": "dreaming"}')
    (tmp_path / "watch.log").write_bytes(
        b'{"event": "trip_clo\xff\xfe\n[1, 2]\nnull\n{"event": "trip_closed"}\n'
    )
    (tmp_path / "alerts.json").write_text('{"watch.log": [1], "x": 3')
    with companion(tmp_path, telegram=telegram) as child:
        assert requests.get(f"{page_of(child)}/healthz", timeout=WAIT).status_code == 503
        assert child.end() == 0
        assert child.complaints == ""


# -- secrets -----------------------------------------------------------------------------------------------

SECRETS = {
    "SMTP_URL": "smtp://user:hunter%4022@127.0.0.1:9/?from=me@example.com",
    "ALERT_EMAIL_TO": "me@example.com",
    "HEARTBEAT_URL": "http://127.0.0.1:9/beat/f00dfeedf00d",
    "STATUS_TOKEN": "token-of-the-page-0815",
}
HIDDEN = (TOKEN, "hunter%4022", "hunter@22", SECRETS["HEARTBEAT_URL"], SECRETS["STATUS_TOKEN"])


def test_no_secret_is_in_arguments_environment_logs_pages_or_the_chat(tmp_path, trading, telegram):
    with companion(tmp_path, telegram=telegram, **SECRETS) as child:
        page = page_of(child)
        trading.log("left_open", level="error", open=f"because {HIDDEN} failed", remedy="none")
        for words in HIDDEN:
            trading.log("control", file="watch.log", id=words, command="pause", by=words, outcome="done",
                        words=words)  # fmt: skip
        telegram.wait_received(1 + len(HIDDEN))
        process = Path(f"/proc/{child.process.pid}")
        seen = [process.joinpath(name).read_text(errors="replace") for name in ("cmdline", "environ")]
        answers = [
            requests.get(f"{page}{path}", timeout=WAIT)
            for path in (
                "/",
                "/api/status",
                "/metrics",
                "/healthz",
                "/api/session",
                "/kite/login",
                "/nowhere",
            )
        ]
        seen += [f"{answer.headers}{answer.text}" for answer in answers]
        child.process.kill()  # in order, it would try to reach the mail server for a while
        seen += [child.complaints, json.dumps(child.told), *telegram.texts]
    own = ("companion.log", "alerts.json")
    seen += [(tmp_path / name).read_text() for name in own]
    assert [word for word in HIDDEN if any(word in text for text in seen)] == []
    assert not (tmp_path / "status_token").exists()
