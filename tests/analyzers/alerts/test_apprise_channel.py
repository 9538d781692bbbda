"""Alerts through Apprise: delivered, refused, hanging, and with the library absent."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler

import pytest

from analyzers.alerts.apprise_channel import AppriseChannel
from analyzers.alerts.channel import DeliveryError
from analyzers.alerts.deadline import Deadline
from feeds.errors import SettingsError
from tests.analyzers.alerts.support import alert_of
from tests.telegram_server import WAIT, LoopbackServer

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise's own


class Service:
    """A receiver of Apprise's ``json://``; ``status`` is what it answers, once ``gate`` is open."""

    def __init__(self) -> None:
        self.bodies: list[dict] = []
        self.status = 200
        self.gate = threading.Event()
        self.gate.set()
        service = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format, *args):
                pass

            def do_POST(self):
                service.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                service.gate.wait(WAIT)
                self.send_response(service.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        self.http = LoopbackServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,))
        self.thread.start()

    @property
    def address(self) -> str:
        return f"json://127.0.0.1:{self.http.server_address[1]}/hidden-path"

    def close(self) -> None:
        self.gate.set()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def service():
    service = Service()
    yield service
    service.close()


def deliver(channel, alert, seconds=10.0):
    with Deadline(seconds) as deadline:
        channel.deliver(alert, deadline)


def test_an_alert_arrives_with_its_severity(service):
    channel = AppriseChannel("json", service.address, "info")
    deliver(channel, alert_of("title", "critical", text="<b> words & more"))
    (body,) = service.bodies
    assert (body["title"], body["message"], body["type"]) == ("title", "<b> words & more", "failure")


def test_a_refusal_is_tried_again_and_nothing_is_printed(service, capfd):
    service.status = 500
    channel = AppriseChannel("json", service.address, "info")
    with pytest.raises(DeliveryError, match="did not take it") as caught:
        deliver(channel, alert_of("title"))
    assert not caught.value.is_final
    assert capfd.readouterr() == ("", "")


def test_a_service_that_hangs_holds_one_thread_and_no_more(service):
    service.gate.clear()
    channel = AppriseChannel("json", service.address, "info")
    with pytest.raises(DeliveryError, match=r"within 0\.2 seconds"):
        deliver(channel, alert_of("title"), 0.2)
    with pytest.raises(DeliveryError, match="still hangs"):
        deliver(channel, alert_of("title"), 0.2)
    assert sum(thread.name == "alerts-apprise" for thread in threading.enumerate()) == 1
    service.gate.set()
    assert channel._attempt.is_over.wait(WAIT)
    deliver(channel, alert_of("again"))
    assert [body["message"] for body in service.bodies] == ["title", "again"]


def test_an_unknown_address_is_told_without_being_quoted():
    with pytest.raises(SettingsError, match=r"nosuch://\*\*\*") as caught:
        AppriseChannel("nosuch", "nosuch://tokenOfMine", "info")
    assert "tokenOfMine" not in str(caught.value)


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(SettingsError, match=r"muhurat\[alerts\]"):
        AppriseChannel("json", "json://x", "info")
