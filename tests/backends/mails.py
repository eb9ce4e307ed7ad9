"""Servers of emails: a mail server of aiosmtpd, and services by their documentation. They check what they are sent, and
hand it on as its readers would see it.

`faults` are answers to the next emails instead: of services a status, a body and headers, of the mail server a command
and its reply; None for a connection that is closed.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
import ssl
import threading
from collections.abc import Collection, Iterable, Mapping
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser
from email.policy import SMTP, compat32
from email.utils import getaddresses
from typing import Any, TypeAlias, cast

from aiosmtpd.smtp import SMTP as SMTPServer
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from oneiric.adapters.email import Attachment, Email

from tests.backends.harness.receivers import Answering, HTTPReceiver, Receiver

Answer: TypeAlias = tuple[int, bytes, Mapping[str, str]]
Reply: TypeAlias = tuple[str, str | None]
OWN = {"from", "to", "cc", "reply-to", "subject", "date", "message-id", "mime-version"}

logging.getLogger("mail.log").disabled = True  # what the server has to say of its clients


def read(raw: bytes, recipients: Collection[str]) -> Email:
    """A message as it was delivered to these addresses, which it may be to any server: of ASCII, in short lines."""
    assert raw.isascii() and b"\0" not in raw
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw)
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    message = cast("EmailMessage", BytesParser(policy=SMTP).parsebytes(raw))
    assert not message.defects and not any(part.defects for part in message.walk())
    assert message["Date"].datetime and re.fullmatch(r"<\w+@[\w.-]+>", message["Message-ID"])
    plain = BytesHeaderParser(policy=compat32).parsebytes(raw)
    people = {name: people_of(plain.get(name, "")) for name in ("From", "To", "Cc", "Reply-To")}
    seen = [each.addr_spec for name in ("To", "Cc") if name in message for each in message[name].addresses]
    bcc = tuple(each for each in recipients if each not in seen)
    assert not any(each.encode() in raw for each in bcc)
    parts = {kind: message.get_body((kind,)) for kind in ("plain", "html")}
    text, html = (part.get_content() if part else "" for part in parts.values())
    return Email(
        people["To"],
        message["Subject"],
        text,
        html,
        *people["From"],
        people["Cc"],
        bcc,
        *(people["Reply-To"] or (None,)),
        {name: value for name, value in message.items() if name.lower() not in OWN and not name.startswith("Content-")},
        tuple(map(attached, message.iter_attachments())),
    )


def people_of(header: str) -> tuple[str, ...]:
    """The addresses of a header; `EmailMessage` keeps the spaces between the encoded words of a name."""
    told = getaddresses([header.replace("\r\n", "")])
    names = [str(make_header(decode_header(name))) for name, _ in told]
    return tuple(f"{name} <{address}>" if name else address for name, (_, address) in zip(names, told, strict=True))


def attached(part: Any) -> Attachment:
    data = part.get_payload(decode=True)
    assert part["Content-Disposition"].content_disposition == "attachment"
    return Attachment(part.get_filename(), data, part.get_content_type())


# a mail server


class Mailbox(Receiver):
    """A mail server in a loop and a thread of its own; `wants` is the password of the user `shop`, if it has one.

    With a certificate it encrypts: from the first byte where it is `implicit`, else by STARTTLS, before which nothing
    else is taken.
    """

    def __init__(
        self, *, wants: str = "", certificate: tuple[Any, Any] | None = None, implicit: bool = False, limit: int = 2**25
    ) -> None:
        super().__init__(wanted=wants, certificate=certificate)
        self.implicit = implicit
        self.limit = limit
        self.arrived: list[Email] = []
        self.attempts = 0
        self.connections = 0
        self.serving: set[Serving] = set()
        self.faults: list[Reply] = []
        self.refused: set[str] = set()

    def start(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="receiver", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def kill(self) -> None:
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        context = None
        if self.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)

        def served() -> SMTPServer:
            return Serving(
                self,
                hostname="mail.example.org",
                data_size_limit=self.limit,
                tls_context=None if self.implicit else context,
                require_starttls=not self.implicit,
                auth_require_tls=False,
                authenticator=self.authenticated,
                loop=self._loop,
            )

        self._server = await self._loop.create_server(
            served, self.host, self.port, ssl=context if self.implicit else None, backlog=128
        )

    async def _close(self) -> None:
        self._server.close()
        for each in list(self.serving):
            each.cut()
        while self.serving or len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0.001)

    def authenticated(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        return AuthResult(success=(data.login, data.password) == (b"shop", self.wanted.encode()), handled=False)

    def fault(self, command: str) -> str | None:
        """The reply to a command instead of the usual one; the empty one is a connection that is closed."""
        if self.faults and self.faults[0][0] == command:
            return self.faults.pop(0)[1] or ""
        return None

    async def handle_MAIL(
        self, server: Serving, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        self.attempts += 1
        if self.wanted and not session.authenticated:
            return "530 5.7.0 Authentication required"
        if (reply := self.fault("MAIL")) is not None:
            return server.ends(reply)
        envelope.mail_from = address
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: Serving, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        if (reply := self.fault("RCPT")) is not None:
            return server.ends(reply)
        if address in self.refused:
            return f"550 5.1.1 <{address}> has no mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Serving, session: Session, envelope: Envelope) -> str:
        if (reply := self.fault("DATA")) is not None:
            return server.ends(reply)
        email = read(cast("bytes", envelope.original_content), envelope.rcpt_tos)
        assert email.sender is not None and envelope.mail_from in email.sender
        self.arrived.append(email)
        return "250 2.0.0 queued"


class Serving(SMTPServer):
    """One connection, which the server knows."""

    def __init__(self, mailbox: Mailbox, **settings: Any) -> None:
        super().__init__(mailbox, **settings)
        self.mailbox = mailbox

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self.transport is None:
            self.mailbox.connections += 1
            self.mailbox.serving.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.mailbox.serving.discard(self)
        super().connection_lost(error)

    def cut(self) -> None:
        cast("asyncio.Transport", self._original_transport or self.transport).abort()

    def ends(self, reply: str) -> str:
        """The reply, or the end of the connection without one."""
        if not reply:
            self.cut()
        return reply or "421 gone"


# services


class Handler(Answering):
    def do_GET(self) -> None:
        service = cast("Service", self.server.receiver)
        self.say(*service.asked(self.path, self.headers))

    def do_POST(self) -> None:
        service = cast("Service", self.server.receiver)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if service.is_health(body):
            self.say(*service.asked(self.path, self.headers))
            return
        service.attempts += 1
        answer = service.faults.pop(0) if service.faults else service.take(self.path, self.headers, body)
        if answer is None:
            self.hang_up()
        else:
            self.say(*answer)


class Service(HTTPReceiver):
    handler = Handler
    key = "key-tests"

    def __init__(self) -> None:
        super().__init__()
        self.arrived: list[Email] = []
        self.attempts = 0
        self.faults: list[Answer | None] = []

    def is_health(self, body: bytes) -> bool:
        """Whether what is posted is no email."""
        return False

    def asked(self, path: str, headers: Mapping[str, str]) -> Answer:
        """The answer to what is no email."""
        raise NotImplementedError

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        raise NotImplementedError


def told(status: int, document: object, **headers: str) -> Answer:
    return status, json.dumps(document).encode(), headers


class SendGrid(Service):
    """`scopes` are those of the key."""

    key = "SG.tests"
    scopes: Iterable[str] = ("mail.send", "sender_verification_eligible")

    def asked(self, path: str, headers: Mapping[str, str]) -> Answer:
        assert path == "/v3/scopes"
        return told(200, {"scopes": [*self.scopes]}) if self.is_by_key(headers) else self.refusal()

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        assert path == "/v3/mail/send" and headers["Content-Type"] == "application/json"
        if not self.is_by_key(headers):
            return self.refusal()
        message = json.loads(body)
        if wrong := wrong_with(message):
            return told(400, {"errors": [{"message": wrong, "field": None, "help": None}]})
        self.arrived.append(of_json(message))
        return 202, b"", {"X-Message-Id": f"14c5d75ce93.dfd.64b469.{len(self.arrived)}"}

    def is_by_key(self, headers: Mapping[str, str]) -> bool:
        return headers.get("authorization") == f"Bearer {self.key}"

    def refusal(self) -> Answer:
        return told(401, {"errors": [{"message": "The provided authorization grant is invalid", "field": None}]})


def wrong_with(message: Any) -> str:
    """What SendGrid finds wrong, by its list of errors."""
    assert set(message) <= {"personalizations", "from", "reply_to", "subject", "content", "headers", "attachments"}
    [personalization] = message["personalizations"]
    everybody = [each["email"] for told in personalization.values() for each in told]
    if not personalization.get("to") or not all(personalization.values()):
        return "The to array is required for all personalization objects, and must have at least one email object"
    if len(set(everybody)) < len(everybody):
        return "Each email address in the personalization block should be unique between to, cc, and bcc."
    kinds = [each["type"] for each in message["content"]]
    if kinds not in (["text/plain"], ["text/html"], ["text/plain", "text/html"]):
        return "If present, text/plain and text/html may only be provided once, text/plain first."
    if not all(each["value"] for each in message["content"]) or not message["subject"]:
        return "The content value must be a string at least one character in length."
    if not all(value.isascii() and "\n" not in value for value in message.get("headers", {}).values()):
        return "You must ensure headers are properly encoded if they contain unicode characters."
    return ""


def of_json(message: Any) -> Email:
    def people(name: str) -> tuple[str, ...]:
        return tuple(map(person, message["personalizations"][0].get(name, ())))

    contents = {each["type"]: each["value"] for each in message["content"]}
    return Email(
        people("to"),
        message["subject"],
        contents.get("text/plain", ""),
        contents.get("text/html", ""),
        person(message["from"]),
        people("cc"),
        people("bcc"),
        person(message["reply_to"]) if "reply_to" in message else None,
        {name: str(make_header(decode_header(value))) for name, value in message.get("headers", {}).items()},
        tuple(
            Attachment(each["filename"], base64.b64decode(each["content"], validate=True), each["type"])
            for each in message.get("attachments", ())
        ),
    )


def person(told: Mapping[str, str]) -> str:
    return f"{told['name']} <{told['email']}>" if "name" in told else told["email"]


class Mailgun(Service):
    """Sends from the domain `mg.example.org`; `to` has all recipients of a message."""

    def is_health(self, body: bytes) -> bool:
        return b"name=" not in body

    def asked(self, path: str, headers: Mapping[str, str]) -> Answer:
        return self.refusal(path, headers) or told(400, {"message": "to parameter is missing"})

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if refusal := self.refusal(path, headers):
            return refusal
        parts = of_form(headers["Content-Type"], body)
        assert set(parts) == {"to", "message"}
        self.arrived.append(read(parts["message"], parts["to"].decode().split(", ")))
        return told(200, {"id": f"<20261128.{len(self.arrived)}@mg.example.org>", "message": "Queued. Thank you."})

    def refusal(self, path: str, headers: Mapping[str, str]) -> Answer | None:
        wanted = base64.b64encode(f"api:{self.key}".encode()).decode()
        if headers.get("authorization") != f"Basic {wanted}":
            return 401, b"Forbidden", {}
        return None if path == "/v3/mg.example.org/messages.mime" else told(404, {"message": "Domain not found"})


def of_form(content_type: str, body: bytes) -> dict[str, bytes]:
    """The fields of a form of several parts."""
    boundary = re.fullmatch(r"multipart/form-data; boundary=(\w+)", content_type)
    assert boundary is not None
    mark = f"--{boundary[1]}".encode()
    assert body.endswith(mark + b"--\r\n")
    fields: dict[str, bytes] = {}
    for part in body.removesuffix(mark + b"--\r\n").split(mark + b"\r\n")[1:]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = re.match(rb'Content-Disposition: form-data; name="(\w+)"', head)
        assert name is not None and value.endswith(b"\r\n")
        fields[name[1].decode()] = value.removesuffix(b"\r\n")
    return fields
