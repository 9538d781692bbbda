"""The stand-in of Telegram answers as Telegram does."""

from __future__ import annotations

import socket
import threading

import pytest
import requests

from tests.telegram_server import (
    BLOCKED,
    CHAT,
    HANG,
    PNG,
    TOKEN,
    TRICKLE,
    WAIT,
    Fault,
    Received,
    TelegramServer,
    too_many,
)

TOO_LONG = "Bad Request: message is too long"
NO_PICTURE = "Bad Request: IMAGE_PROCESS_FAILED"


@pytest.fixture
def server():
    with TelegramServer() as server:
        yield server


def post(server, method, token=TOKEN, timeout=10.0, **options):
    with requests.Session() as session:
        session.trust_env = False
        with session.post(f"{server.root}/bot{token}/{method}", timeout=timeout, **options) as answer:
            return answer.status_code, answer.json()


def test_a_message_and_a_picture_are_taken(server):
    assert (
        post(server, "sendMessage", json={"chat_id": CHAT, "text": "hello", "disable_notification": True})[0]
        == 200
    )
    sent = {"chat_id": CHAT, "caption": "a day"}
    assert (
        post(server, "sendPhoto", data=sent, files={"photo": ("a.png", PNG + b"\0rest\r\n", "image/png")})[0]
        == 200
    )
    assert server.received == [
        Received(CHAT, "hello", True),
        Received(CHAT, "a day", False, PNG + b"\0rest\r\n"),
    ]


@pytest.mark.parametrize(
    ("method", "options", "status", "words"),
    [
        ("sendMessage", {"json": {"chat_id": "7", "text": "x"}}, 400, "Bad Request: chat not found"),
        ("sendMessage", {"json": {"chat_id": CHAT, "text": " "}}, 400, "Bad Request: message text is empty"),
        ("sendMessage", {"json": {"chat_id": CHAT, "text": "x" * 4096}}, 200, None),
        ("sendMessage", {"json": {"chat_id": CHAT, "text": "x" * 4097}}, 400, TOO_LONG),
        ("sendMessage", {"json": {"chat_id": CHAT, "text": "😀" * 2048}}, 200, None),
        ("sendMessage", {"json": {"chat_id": CHAT, "text": "😀" * 2049}}, 400, TOO_LONG),
        ("sendPhoto", {"data": {"chat_id": CHAT}, "files": {"photo": ("a", b"GIF")}}, 400, NO_PICTURE),
        ("sendMessage", {"json": {}, "token": "1:wrong"}, 401, "Unauthorized"),
        ("sendMessage", {"json": {}, "token": "wrong"}, 404, "Not Found"),
        ("other", {"json": {}}, 404, "Not Found"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_in_its_words(server, method, options, status, words):
    found, said = post(server, method, **options)
    assert (found, said.get("description")) == (status, words)
    assert said["ok"] is (status == 200)


def test_updates_are_handed_out_until_they_are_confirmed(server):
    server.write("/one")
    server.write("/two")
    texts = lambda answer: [update["message"]["text"] for update in answer[1]["result"]]  # noqa: E731
    assert texts(post(server, "getUpdates", json={})) == ["/one", "/two"]
    assert texts(post(server, "getUpdates", json={"offset": 1001})) == ["/two"]
    server.write("/three")
    assert texts(post(server, "getUpdates", json={"offset": -1})) == ["/three"]
    assert texts(post(server, "getUpdates", json={"offset": 1003})) == []


def test_a_poll_waits_for_a_message_and_gives_way_to_another_poll(server):
    answers = []
    first = threading.Thread(target=lambda: answers.append(post(server, "getUpdates", json={"timeout": 20})))
    first.start()
    assert server.wait(lambda: server._poll == 1)
    second = threading.Thread(target=lambda: answers.append(post(server, "getUpdates", json={"timeout": 20})))
    second.start()
    first.join()
    assert answers[0][0] == 409
    server.write("/now")
    second.join()
    assert answers[1][1]["result"][0]["message"]["text"] == "/now"


def test_faults_come_once_in_turn_and_a_standing_one_stays(server):
    message = {"chat_id": CHAT, "text": "x"}
    server.faults.extend([too_many(3), BLOCKED, Fault("status", 502, is_taken=True)])
    status, said = post(server, "sendMessage", json=message)
    assert (status, said["parameters"]) == (429, {"retry_after": 3})
    assert post(server, "sendMessage", json=message)[0] == 403
    assert server.received == []
    assert post(server, "sendMessage", json=message)[0] == 502
    assert len(server.received) == 1
    server.standing_fault = BLOCKED
    assert [post(server, "sendMessage", json=message)[0] for _ in range(2)] == [403, 403]


@pytest.mark.parametrize(("fault", "heard"), [(HANG, b""), (TRICKLE, b"HTTP/1.1 200 OK\r\nX-Slow: ..")])
def test_who_hangs_is_let_go_when_the_client_leaves(server, fault, heard):
    server.faults.append(fault)
    address = server.root.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1])), timeout=WAIT) as client:
        client.sendall(f"POST /bot{TOKEN}/sendMessage HTTP/1.1\r\nContent-Length: 0\r\n\r\n".encode())
        with client.makefile("rb") as reader:
            assert reader.read(len(heard)) == heard
        assert server.wait(lambda: server.hanging == 1)
    assert server.wait(lambda: server.hanging == 0)


def test_a_refusing_server_listens_when_told():
    with TelegramServer(is_refusing=True) as server:
        with pytest.raises(requests.ConnectionError):
            post(server, "sendMessage", json={})
        server.listen()
        assert post(server, "sendMessage", json={"chat_id": CHAT, "text": "x"})[0] == 200
