from __future__ import annotations

import pytest
from pydantic import ValidationError

from analyzers.status.hosts import host_of, is_loopback, origin_of
from analyzers.status.settings import StatusSettings
from tests.analyzers.status.examples import EVERYWHERE


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("localhost", "localhost"), ("LocalHost:8000", "localhost"), ("127.0.0.1:8000", "127.0.0.1"),
        ("[::1]:8000", "::1"), ("[::1]", "::1"), ("::1", "::1"), ("trading.example.", "trading.example"),
        ("", ""), (":8000", ""), ("a b", ""), ("a:b:c", ""), ("user@localhost", ""), ("localhost/x", ""),
        ("localhost:99999", ""), ("localhost?x", ""), ("localhost#x", ""), ("local\\host", ""), ("[::1", ""),
    ],
)  # fmt: skip
def test_host_of_an_authority(authority, host):
    assert host_of(authority) == host


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "[::1]"])
def test_this_machine_alone(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [EVERYWHERE, "::", "192.168.1.5", "trading.example", "localhost.evil.example", "127.0.0.1.nip.io", ""],
)
def test_others_as_well(host):
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://Trading.Example", ("https", "trading.example", 443)),
        ("http://localhost:8000", ("http", "localhost", 8000)),
        ("http://localhost:80", ("http", "localhost", 80)),
        ("null", ("", "", 0)),
        ("http://x:99999", ("", "", 0)),
    ],
)
def test_origins_are_compared_as_browsers_do(address, origin):
    assert origin_of(address) == origin


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"host": "127.0.0.1:8000"}, "expected the name of a host"),
        ({"host": ""}, "expected the name of a host"),
        ({"host_names": ["http://x"]}, "expected the name of a host"),
        ({"public_url": "trading.example"}, "expected an address"),
        ({"public_url": "ftp://trading.example"}, "expected an address"),
        ({"public_url": "https://trading.example/page"}, "expected an address"),
        ({"public_url": "https://user:word@trading.example"}, "expected an address"),
        ({"public_url": "https://x:99999"}, "expected an address"),
        ({"port": -1}, "greater than or equal"),
        ({"port": 65536}, "less than or equal"),
        ({"port": True}, "flag"),
        ({"hots": "x"}, "Extra inputs"),
    ],
)
def test_settings_that_are_refused(fields, words):
    with pytest.raises(ValidationError, match=words):
        StatusSettings(**fields)


def test_settings_that_are_taken():
    settings = StatusSettings(
        host="::1", port=65535, public_url="https://x.example:8443/", host_names=["a", "B"]
    )
    assert settings.public_url == "https://x.example:8443"
    assert settings.host_names == ("a", "B")
    assert StatusSettings(port=0, host=EVERYWHERE).port == 0
