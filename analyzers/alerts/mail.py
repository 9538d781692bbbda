"""Alerts by e-mail, over one short connection each."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Collection, Sequence
from email.message import EmailMessage
from email.utils import formataddr, make_msgid
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from analyzers.alerts.alert import Alert, Severity
from analyzers.alerts.channel import DeliveryError
from analyzers.alerts.deadline import Deadline
from feeds.clock import Clock, WallClock
from feeds.errors import SettingsError

__all__ = ["EmailChannel", "SmtpAddress", "is_plain_address", "smtp_address"]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_FORMS = (
    "expected smtp://USER:PASSWORD@HOST:587 or smtps://USER:PASSWORD@HOST:465, with ?from=ADDRESS if need be"
)
_ESCAPES = "write @ : / in a password as %40 %3A %2F"
_OUR_NAME = "[127.0.0.1]"
"""What we call ourselves to the server: asking the system for our name may ask the network."""


class SmtpAddress(NamedTuple):
    """A mail server: ``is_tls`` from the first byte on; user and password are empty where none are needed."""

    host: str
    port: int
    is_tls: bool
    user: str
    password: str
    sender: str


def is_plain_address(text: str) -> bool:
    """Return whether this is an address as every server takes it: plain ASCII, without a name, one only."""
    one = re.fullmatch(r"[^@<>\s,;\"]+@[^@<>\s,;\"]+", text)
    return one is not None and text.isascii() and text.isprintable()


def smtp_address(url: str, recipients: Sequence[str]) -> SmtpAddress:
    """Take ``SMTP_URL`` apart. The sender is ``?from=``, else the user, else the first recipient.

    Raises
    ------
    SettingsError
        It is none, or its sender is none. The message does not quote it.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise SettingsError(f"SMTP_URL cannot be read, {_FORMS}; {_ESCAPES}") from error
    if parts.scheme not in ("smtp", "smtps") or not host or parts.path.strip("/"):
        raise SettingsError(f"SMTP_URL cannot be read, {_FORMS}; {_ESCAPES}")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    given = parse_qs(parts.query).get("from", [user if "@" in user else recipients[0]])[0]
    if not is_plain_address(given):
        raise SettingsError(
            "the sender of SMTP_URL is no address, expected a plain ASCII one such as me@example.com in one "
            "line; end SMTP_URL with ?from=ADDRESS"
        )
    is_tls = parts.scheme == "smtps"
    return SmtpAddress(host, port or (465 if is_tls else 587), is_tls, user, password, given)


class EmailChannel:
    """Sends alerts by e-mail; with a password only through TLS, unless the server is this machine.

    Parameters
    ----------
    address : SmtpAddress
        The server.
    recipients : sequence of str
        Who is written to.
    least : {'info', 'warning', 'critical'}
        Least severity sent.
    context : ssl.SSLContext or None
        None for the system's certificates.
    clock : feeds.clock.Clock or None
        Dates the message; None for this machine's.
    """

    name = "email"

    def __init__(
        self,
        address: SmtpAddress,
        recipients: Sequence[str],
        least: Severity,
        *,
        context: ssl.SSLContext | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.least = least
        self._address = address
        self._recipients = list(recipients)
        self._context = context or ssl.create_default_context()
        self._clock = clock or WallClock()

    def deliver(self, alert: Alert, deadline: Deadline) -> None:
        """See :class:`analyzers.alerts.channel.Channel`. A picture that cannot be read is left out."""
        address = self._address
        was_sent = is_taken = False
        refused: Collection[str] = ()
        try:
            message = self._message(alert)
            with _Connection(address, self._context, deadline) as connection:
                self._greet(connection)
                was_sent = True
                refused = connection.send_message(message, address.sender, self._recipients)
                is_taken = True
        except (smtplib.SMTPException, OSError) as error:
            if not is_taken:  # a server that forgets to say goodbye has the message all the same
                raise _failure(error, address, deadline, may_have_arrived=was_sent) from None
        except ValueError as error:  # its own words may hold the password
            raise DeliveryError(
                f"nothing can be sent to {address.host} with these settings ({type(error).__name__})",
                is_final=True,
                remedy="write SMTP_URL, its user and password, and ALERT_EMAIL_TO in plain ASCII",
            ) from None
        if refused:
            raise DeliveryError(
                f"{address.host} takes no mail for {', '.join(sorted(refused))}",
                is_final=True,
                remedy="correct ALERT_EMAIL_TO",
            )

    def _greet(self, connection: smtplib.SMTP) -> None:
        """Turn to TLS where it is offered, and log in."""
        address = self._address
        connection.ehlo()
        if not address.is_tls and connection.has_extn("starttls"):
            connection.starttls(context=self._context)
            connection.ehlo()
        elif not address.is_tls and address.password and address.host not in _LOOPBACK:
            raise DeliveryError(
                f"{address.host} offers no TLS, and a password is not sent in the clear",
                is_final=True,
                remedy="use smtps:// in SMTP_URL, or another server",
            )
        if address.user and address.password:
            connection.login(address.user, address.password)

    def _message(self, alert: Alert) -> EmailMessage:
        message = EmailMessage()
        message["Subject"] = alert.title
        message["From"] = formataddr(("Muhurat", self._address.sender))
        message["To"] = ", ".join(self._recipients)
        message["Date"] = self._clock.now()
        message["Message-ID"] = make_msgid(domain=self._address.sender.rpartition("@")[2] or "localhost")
        message["Auto-Submitted"] = "auto-generated"
        if alert.severity == "critical":
            message["Importance"] = "high"
        message.set_content(f"{alert.words}\n")
        for file in alert.attachments:
            try:
                content = file.read_bytes()
            except OSError:
                continue
            message.add_attachment(content, maintype="image", subtype="png", filename=file.name)
        return message


class _Connection(smtplib.SMTP):
    """A connection that the deadline watches from its first byte on."""

    def __init__(self, address: SmtpAddress, context: ssl.SSLContext, deadline: Deadline) -> None:
        self._tls_from_start = context if address.is_tls else None
        self._deadline = deadline
        super().__init__(
            address.host, address.port, local_hostname=_OUR_NAME, timeout=deadline.remaining_seconds
        )

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:  # noqa: ANN401 # as in smtplib
        made = socket.create_connection((host, port), timeout)
        try:
            self._deadline.watch(made)
            if self._tls_from_start is None:
                return made
            return self._tls_from_start.wrap_socket(made, server_hostname=host)
        except OSError:
            made.close()
            raise


def _failure(
    error: Exception, address: SmtpAddress, deadline: Deadline, *, may_have_arrived: bool
) -> DeliveryError:
    host = f"{address.host}:{address.port}"
    refusal = _refusal(error, host)
    if refusal is not None:
        return refusal
    if deadline.is_over or isinstance(error, TimeoutError):
        return DeliveryError(
            f"no answer of {host} within {deadline.seconds:g} seconds", may_have_arrived=may_have_arrived
        )
    if isinstance(error, smtplib.SMTPException):
        return DeliveryError(f"{host} ended the connection", may_have_arrived=may_have_arrived)
    why = getattr(error, "strerror", None) or type(error).__name__
    return DeliveryError(f"no connection with {host} ({why})", may_have_arrived=may_have_arrived)


def _refusal(error: Exception, host: str) -> DeliveryError | None:
    """Return what an answer of the server means, None where there was none."""
    match error:
        case smtplib.SMTPAuthenticationError() if error.smtp_code >= 500:
            return DeliveryError(
                f"{host} refuses user and password ({error.smtp_code})", is_final=True,
                remedy="correct SMTP_URL; many providers want an app password",
            )  # fmt: skip
        case smtplib.SMTPSenderRefused() if error.smtp_code >= 500:
            return DeliveryError(
                f"{host} refuses the sender {error.sender} ({error.smtp_code})", is_final=True,
                remedy="add ?from=ADDRESS to SMTP_URL",
            )  # fmt: skip
        case smtplib.SMTPRecipientsRefused():
            codes = {code for code, _ in error.recipients.values()}
            is_final = all(code >= 500 for code in codes)
            return DeliveryError(
                f"{host} takes no mail for {', '.join(sorted(error.recipients))} ({min(codes)})",
                is_final=is_final, remedy="correct ALERT_EMAIL_TO" if is_final else "",
            )  # fmt: skip
        case smtplib.SMTPResponseException():
            said = error.smtp_error
            words = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
            text = f"{host} answered {error.smtp_code} ({' '.join(words.split())[:200]})"
            is_final = error.smtp_code >= 500
            return DeliveryError(text, is_final=is_final, remedy="see its words" if is_final else "")
        case smtplib.SMTPNotSupportedError():
            return DeliveryError(f"{host} knows no way to log in", is_final=True, remedy="correct SMTP_URL")
        case ssl.SSLCertVerificationError():
            return DeliveryError(f"the certificate of {host} is not accepted ({error.verify_message})")
    return None
