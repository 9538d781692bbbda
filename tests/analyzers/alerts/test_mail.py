"""Alerts by e-mail, against real SMTP servers on this machine."""

from __future__ import annotations

import email
import email.policy
import shutil
import socket
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from analyzers.alerts.channel import DeliveryError
from analyzers.alerts.channels import make_channels
from analyzers.alerts.deadline import Deadline
from analyzers.alerts.desk import AlertDesk
from analyzers.alerts.mail import EmailChannel, smtp_address
from feeds.errors import SettingsError
from feeds.log import NullLog
from feeds.secrets import Secrets
from tests.analyzers.alerts.support import AT_ONCE, MemoryLog, alert_of, settings_of
from tests.telegram_server import PNG, WAIT

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")

TO = ["owner@example.com"]
PASSWORD = "pass w@rd"


class Inbox:
    """Takes mail, and answers the next ones as told."""

    def __init__(self) -> None:
        self.messages: list[email.message.EmailMessage] = []
        self.senders: list[str] = []
        self.recipients: list[str] = []
        self.answers: list[str] = []
        self.were_secure: list[bool] = []

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 # aiosmtpd's
        if address.startswith("nobody"):
            return "550 no such user"
        if address.startswith("later"):
            return "451 later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 # aiosmtpd's
        if self.answers:
            return self.answers.pop(0)
        self.messages.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        self.senders.append(envelope.mail_from)
        self.recipients.extend(envelope.rcpt_tos)
        self.were_secure.append(server.transport.get_extra_info("ssl_object") is not None)
        return "250 taken"


class AnyPort(Controller):
    """A controller whose own first connection goes to the port that was given to it."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def smtp_server(**options):
    inbox = Inbox()
    controller = AnyPort(inbox, hostname="127.0.0.1", port=0, **options)
    controller.start()
    try:
        yield inbox, controller.port
    finally:
        controller.stop(no_assert=True)


@contextmanager
def raw_server(serve):
    """A server of one connection, whose words ``serve`` says."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def run():
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(0.02)
                try:
                    serve(connection, over)
                except OSError:
                    return

        thread = threading.Thread(target=run)
        thread.start()
        yield listening.getsockname()[1]
        over.set()
        thread.join()


def channel_to(port, *, user="", recipients=TO, context=None, scheme="smtp", query=""):
    url = f"{scheme}://{user}127.0.0.1:{port}{query}"
    return EmailChannel(smtp_address(url, recipients), recipients, "info", context=context)


def deliver(channel, alert, seconds=10.0):
    with Deadline(seconds) as deadline:
        channel.deliver(alert, deadline)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    program = shutil.which("openssl") or pytest.skip("openssl is not installed")
    subprocess.run(
        [program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(cert),
         "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    return server, ssl.create_default_context(cafile=str(cert))


def test_a_mail_arrives_with_subject_words_and_chart(tmp_path):
    chart = tmp_path / "chart.png"
    chart.write_bytes(PNG + b"x")
    alert = alert_of(
        "PAPER: Tag +1 ₹", "critical", text="eins\nzwei ✓", attachments=(chart, tmp_path / "none.png")
    )
    with smtp_server() as (inbox, port):
        deliver(channel_to(port), alert)
    (message,) = inbox.messages
    assert (message["Subject"], message["To"], inbox.recipients) == ("PAPER: Tag +1 ₹", TO[0], TO)
    assert message["From"] == "Muhurat <owner@example.com>"
    assert (message["Importance"], message["Auto-Submitted"]) == ("high", "auto-generated")
    assert message["Date"].datetime.utcoffset().total_seconds() == 5.5 * 3600
    assert message.get_body().get_content().replace("\r", "") == "PAPER: Tag +1 ₹\neins\nzwei ✓\n"
    (attached,) = message.iter_attachments()
    assert attached.get_content() == PNG + b"x"


def test_a_title_cannot_add_headers():
    with smtp_server() as (inbox, port):
        deliver(channel_to(port), alert_of("x\r\nBcc: other@example.com\n\nbody"))
    (message,) = inbox.messages
    assert message["Bcc"] is None
    assert message["Subject"] == "x Bcc: other@example.com body"
    assert inbox.recipients == TO


def authenticator(server, session, envelope, mechanism, data):
    is_right = data.login == b"me@example.com" and data.password == PASSWORD.encode()
    return AuthResult(success=is_right, handled=is_right)  # not handled: aiosmtpd says no


AUTH = {"authenticator": authenticator, "auth_required": True}
USER = "me%40example.com:pass%20w%40rd@"


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_it_logs_in_through_tls(certificate, scheme):
    server_context, context = certificate
    tls = (
        {"tls_context": server_context, "require_starttls": True}
        if scheme == "smtp"
        else {"ssl_context": server_context, "auth_require_tls": False}
    )
    with smtp_server(**AUTH, **tls) as (inbox, port):
        deliver(channel_to(port, user=USER, context=context, scheme=scheme), alert_of("x"))
    assert inbox.were_secure == [True]
    assert inbox.senders == ["me@example.com"]


def test_a_certificate_that_nobody_signed_is_not_accepted(certificate):
    told = pytest.raises(DeliveryError, match=r"certificate of 127\.0\.0\.1")
    with smtp_server(tls_context=certificate[0]) as (inbox, port), told as caught:
        deliver(channel_to(port), alert_of("x"))
    assert not caught.value.is_final
    assert inbox.messages == []


def test_a_password_is_not_sent_in_the_clear_beyond_this_machine(monkeypatch):
    create = socket.create_connection
    with smtp_server() as (inbox, port):
        monkeypatch.setattr(socket, "create_connection", lambda to, *rest: create(("127.0.0.1", port), *rest))
        address = smtp_address("smtp://me:secret@mail.example.com:25", TO)
        with pytest.raises(DeliveryError, match="offers no TLS") as caught:
            deliver(EmailChannel(address, TO, "info"), alert_of("x"))
    assert caught.value.is_final
    assert inbox.messages == []


def test_a_wrong_password_is_final_and_not_quoted():
    told = pytest.raises(DeliveryError, match="app password")
    with smtp_server(**AUTH, auth_require_tls=False) as (_, port), told as caught:
        deliver(channel_to(port, user="me%40example.com:wrongOne@"), alert_of("x"))
    assert caught.value.is_final
    assert "wrongOne" not in str(caught.value)


@pytest.mark.parametrize(
    ("recipients", "is_final", "arrived"),
    [
        (["nobody@example.com"], True, 0),
        (["later@example.com"], False, 0),
        (["nobody@example.com", "later@example.com"], False, 0),
        (["nobody@example.com", *TO], True, 1),
    ],
)
def test_a_refused_recipient_is_named(recipients, is_final, arrived):
    with smtp_server() as (inbox, port), pytest.raises(DeliveryError, match=recipients[0]) as caught:
        deliver(channel_to(port, recipients=recipients), alert_of("x"))
    assert caught.value.is_final is is_final
    assert len(inbox.messages) == arrived


@pytest.mark.parametrize(("answer", "is_final"), [("451 full", False), ("554 spam", True)])
def test_what_the_server_says_decides_whether_it_is_tried_again(answer, is_final):
    with smtp_server() as (inbox, port):
        inbox.answers.append(answer)
        with pytest.raises(DeliveryError, match=answer[4:]) as caught:
            deliver(channel_to(port), alert_of("x"))
    assert caught.value.is_final is is_final
    assert not caught.value.may_have_arrived


def test_nobody_there_and_all_there_again_through_a_desk():
    log, secrets = MemoryLog(), Secrets()
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    channel = channel_to(port)
    desk = AlertDesk([channel], settings_of(), secrets, log, pauses=AT_ONCE)
    desk.start()
    for number in range(3):
        desk.put(alert_of(str(number)))
    assert "Connection refused" in log.wait("alert_channel_down")[0]["error"]
    with smtp_server() as (inbox, now):
        channel._address = channel._address._replace(port=now)
        inbox.answers.extend(["421 busy", "450 again"])
        assert desk.flush(WAIT)
    desk.close()
    assert [message["Subject"] for message in inbox.messages] == ["0", "1", "2"]
    assert desk.counters()[0].sent == 3


def silent(connection, over):
    over.wait(WAIT)


def trickling(connection, over):
    connection.sendall(b"220-")
    while not over.wait(0.02):
        connection.sendall(b"x")


def babbling(connection, over):
    connection.sendall(b"hello there\r\n")
    over.wait(WAIT)


@pytest.mark.parametrize("serve", [silent, trickling])
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_server_that_hangs_is_bounded_as_a_whole(serve, scheme):
    with raw_server(serve) as port:
        begun = time.monotonic()
        with pytest.raises(DeliveryError) as caught:
            deliver(channel_to(port, scheme=scheme), alert_of("x"), seconds=0.3)
        assert time.monotonic() - begun < 5
    assert not caught.value.is_final


def test_a_server_that_speaks_something_else_is_tried_again():
    with raw_server(babbling) as port, pytest.raises(DeliveryError) as caught:
        deliver(channel_to(port), alert_of("x"), seconds=0.5)
    assert not caught.value.is_final


@pytest.mark.parametrize("goodbye", [b"", b"500 what?\r\n"])
def test_a_server_that_says_no_goodbye_has_the_mail(goodbye):
    lines = []

    def serve(connection, over):
        connection.settimeout(WAIT)
        reader = connection.makefile("rb")
        connection.sendall(b"220 hi\r\n")
        for answer in (b"250 hi", b"250 ok", b"250 ok", b"354 go"):
            lines.append(reader.readline())
            connection.sendall(answer + b"\r\n")
        while reader.readline() != b".\r\n":
            pass
        connection.sendall(b"250 taken\r\n")
        lines.append(reader.readline())
        connection.sendall(goodbye)
        over.wait(WAIT)
        reader.close()

    with raw_server(serve) as port:
        deliver(channel_to(port), alert_of("x"), seconds=1.5)
    assert lines[-1] == b"QUIT\r\n"


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("smtp://h", ("h", 587, False, "", "", TO[0])),
        ("smtps://h", ("h", 465, True, "", "", TO[0])),
        ("smtp://u:p@h:2525", ("h", 2525, False, "u", "p", TO[0])),
        ("smtps://a%40b.c:p%2F%3A%40@h/", ("h", 465, True, "a@b.c", "p/:@", "a@b.c")),
        ("smtps://apikey:p@h?from=bot%40x.y", ("h", 465, True, "apikey", "p", "bot@x.y")),
    ],
)
def test_an_address_is_taken_apart(url, found):
    assert smtp_address(url, TO) == found


@pytest.mark.parametrize(
    "sender",
    [
        "from=bot%40x.y%0D%0ABcc:%20a%40b.c",
        "from=bot%40x.y%0A",
        "from=b%C3%B6t%40x.y",
        "from=bot%40x%00.y",
        "from=bot",
        "from=bot%40",
        "from=A%20Bot%20%3Cbot%40x.y%3E",
        "from=a%40x.y,b%40x.y",
    ],
)
def test_a_sender_that_is_no_plain_address_is_refused_when_it_is_read(sender):
    with pytest.raises(SettingsError, match=r"sender of SMTP_URL.*plain ASCII.*\?from=ADDRESS") as caught:
        smtp_address(f"smtp://u:secretWord@h?{sender}", TO)
    assert "secretWord" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_user_name_that_is_no_plain_address_needs_a_sender():
    user = "smtp://j%C3%BCrgen%40x.y:p@h"
    with pytest.raises(SettingsError, match="sender of SMTP_URL"):
        smtp_address(user, TO)
    assert smtp_address(f"{user}?from=j%40x.y", TO).sender == "j@x.y"


@pytest.mark.parametrize("recipient", ["jürgen@example.com", "a@exämple.com", "a@b\x00c"])
def test_a_recipient_that_is_no_plain_address_is_refused_when_it_is_read(recipient):
    secrets = Secrets({"SMTP_URL": "smtp://h", "ALERT_EMAIL_TO": f"{TO[0]}, {recipient}"})
    with pytest.raises(SettingsError, match=r"ALERT_EMAIL_TO holds .*plain ASCII") as caught:
        make_channels(settings_of(), secrets, NullLog())
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("user", ["owner:p%C3%A4ss@", "%C3%B6wner:pass@"])
def test_a_password_that_cannot_be_sent_is_final_and_is_told_with_the_remedy(user):
    with (
        smtp_server(authenticator=lambda *_: AuthResult(success=True), auth_require_tls=False) as (_, port),
        pytest.raises(DeliveryError, match="UnicodeEncodeError") as caught,
    ):
        deliver(channel_to(port, user=user), alert_of("x"))
    assert caught.value.is_final
    assert "plain ASCII" in caught.value.remedy
    assert "pass" not in caught.value.words
    assert "ä" not in caught.value.words
