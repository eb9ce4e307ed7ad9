"""Email provider `smtp`: any mail server, by SMTP. Needs the extra `email-smtp`."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar, cast

import aiosmtplib
from aiosmtplib import SMTP

from oneiric import Secret, component
from oneiric.adapters._common.network import Faults, is_about_certificates
from oneiric.adapters._common.pool import Limits, Link, Pool
from oneiric.adapters.email import (
    Email,
    EmailClosed,
    EmailMisconfigured,
    EmailRefused,
    EmailTooLarge,
    EmailUnavailable,
    InvalidEmail,
    RateLimited,
    RecipientsRefused,
    Sent,
)
from oneiric.adapters.email._letters import Address, Letters
from oneiric.adapters.email._mime import message_of
from oneiric.errors import AdapterError

Result = TypeVar("Result")
_PROVIDER = "smtp"
_FAULTS = Faults(_PROVIDER, EmailUnavailable, EmailRefused, EmailMisconfigured)
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?!\S)")
_HOST = re.compile(r"[\x21-\x7e]+")
_TOLD = 300  # characters of what a server says of a recipient


@component(
    "adapter",
    "email",
    provider="smtp",
    priority=0,
    stack_level=-20,
    capabilities=("notifications", "email", "recipients"),
    port="oneiric.adapters.email:Emails",
)
class SMTPEmails(Pool["_Link"]):
    """Hands emails to a mail server, over connections that are kept.

    Needs a mail server that takes emails from this machine or this user; the extra `email-smtp`.

    `sender`: the address of an email that names none.
    `host`: the server's name or address.
    `port`: the server's port.
    `user`: the user name; without it nobody logs in.
    `password`: the password of that user.
    `tls`: encrypt, and check the server's certificate and name.
    `starttls`: with `tls`: begin in clear and encrypt by STARTTLS, as at port 587; else from the first byte, as at 465.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `client_name`: the name that the server is told; without it the machine's.
    `timeout`: seconds for one call.
    `connect_timeout`: seconds to connect and log in, and to wait for a free connection.
    `healthcheck_timeout`: seconds for a health check, and for the first one at the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    def __init__(
        self,
        *,
        sender: str,
        host: str = "localhost",
        port: int = 587,
        user: str | None = None,
        password: Secret | None = None,
        tls: bool = True,
        starttls: bool = True,
        ca_file: Path | None = None,
        client_name: str | None = None,
        timeout: float = 30.0,
        connect_timeout: float = 10.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 5,
    ) -> None:
        _FAULTS.check_text(host=host, user=user, client_name=client_name)
        if not 0 < port < 65536:
            raise _FAULTS.no_sense(f"{port} is not a valid port", "port")
        for setting, name in (("host", host), ("client_name", client_name or "localhost")):
            if not _HOST.fullmatch(name):
                raise _FAULTS.no_sense("is not the name or address of a host", setting)
        if (user is None) != (password is None):
            raise _FAULTS.no_sense("and user go together", "password")
        if password is not None:
            _FAULTS.check_text(password=password.reveal())
        self._letters = Letters(_FAULTS, sender)
        limits = Limits(0, max_connections, connect_timeout, timeout, healthcheck_timeout)
        super().__init__(_FAULTS, limits, f"{host}:{port}", "host")
        self._host, self._port = host, port
        self._user, self._password = user, password
        self._context = _FAULTS.trusting_if(tls, ca_file)
        self._starttls = starttls
        self._client_name = client_name or _machine()

    async def send(self, email: Email) -> Sent:
        letter = self._letters.checked(email)
        if not self._opened:
            raise self.closed()
        id, message = await letter.made(message_of)
        link = await self._take()
        try:
            return Sent(id, await link.deliver(letter.sender.email, letter.recipients, message))
        finally:
            await self._give_back(link)

    def closed(self) -> AdapterError:
        return EmailClosed("it is not open", provider=_PROVIDER)

    async def _look(self) -> None:
        link = await self._take()
        try:
            await link.look()
        finally:
            await self._give_back(link)

    async def _connect(self) -> _Link:
        client = SMTP(
            hostname=self._host,
            port=self._port,
            local_hostname=self._client_name,
            timeout=None,
            use_tls=self._context is not None and not self._starttls,
            start_tls=False,
            tls_context=self._context,
        )
        try:
            await self._talk_first(client)
        except BaseException as error:
            _cut(client)
            if isinstance(error, Exception):
                raise _translated(error) from None
            raise
        return _Link(self, client)

    async def _talk_first(self, client: SMTP) -> None:
        await client.connect()
        if self._context is not None and self._starttls:
            await client.ehlo()
            if not client.supports_extension("starttls"):
                raise _FAULTS.no_entry("the server has no STARTTLS", "starttls")
            await client.starttls()
        await client.ehlo()
        if self._user is None or self._password is None:
            return
        if not client.supported_auth_methods:
            raise _FAULTS.no_entry("the server has no way to log in that is known here", "user")
        await client.login(self._user, self._password.reveal())


class _Link(Link):
    """A connection that is logged in. One on which something failed is not used again."""

    def __init__(self, emails: SMTPEmails, client: SMTP) -> None:
        super().__init__(emails)
        self._emails = emails
        self._client = client

    @property
    def is_open(self) -> bool:
        return self._client.is_connected

    @property
    def in_transaction(self) -> bool:
        return False

    async def deliver(self, sender: str, recipients: Sequence[Address], message: bytes) -> Mapping[str, str]:
        """The recipients that are refused, as they are written, with the reasons; raises the error where all are."""
        written = {each.email: each.written for each in recipients}

        async def delivered() -> Mapping[str, str]:
            try:
                refused, _ = await self._client.sendmail(sender, list(written), message)
            except aiosmtplib.SMTPRecipientsRefused as error:
                raise _all_refused({written[each.recipient]: each for each in error.recipients}) from None
            return {written[email]: _reason(*said) for email, said in refused.items()}

        return await self._asked(delivered)

    async def look(self) -> None:
        await self._asked(self._client.noop)

    async def _asked(self, work: Callable[[], Awaitable[Result]]) -> Result:
        async with self._turn:
            if self._is_given_up:
                raise self._emails.closed()
            self.is_touched = True
            result = await self._in_time(self._translated(work))
            self.is_touched = False
            return result

    async def _translated(self, work: Callable[[], Awaitable[Result]]) -> Result:
        try:
            return await work()
        except Exception as error:
            raise _translated(error) from None

    async def _close(self) -> None:
        with suppress(aiosmtplib.SMTPException):
            await self._client.quit()

    async def _abandon(self) -> None:
        """A server forgets an email whose connection ends before the email does."""

    def cut(self) -> None:
        _cut(self._client)


def _cut(client: SMTP) -> None:
    """Drop the connection with what was not sent yet."""
    if client.transport is not None:
        cast("asyncio.WriteTransport", client.transport).abort()
    client.close()


def _machine() -> str:
    """The machine's name where that is whole, else what stands for one (RFC 5321, 4.1.4)."""
    name = socket.gethostname()
    return name if "." in name and _HOST.fullmatch(name) else "[127.0.0.1]"


def _codes(code: int, message: str) -> str:
    """What a server says in numbers, as `550 5.1.1`."""
    enhanced = _ENHANCED.match(message)
    return f"{code} {enhanced[0]}" if enhanced else str(code)


def _reason(code: int, message: str) -> str:
    return " ".join(f"{code} {message}".split())[:_TOLD]


def _all_refused(said: Mapping[str, aiosmtplib.SMTPRecipientRefused]) -> AdapterError:
    codes = ", ".join(sorted({_codes(each.code, each.message) for each in said.values()}))
    if all(each.code < 500 for each in said.values()):
        return _FAULTS.no_answer(f"it takes none of the recipients for now: {codes}", "host")
    error = RecipientsRefused(f"the server takes none of the recipients: {codes}", provider=_PROVIDER)
    error.refused = {written: _reason(each.code, each.message) for written, each in said.items()}
    return error


def _translated(error: Exception) -> AdapterError:
    """The port's error for what the SDK raised, without any text of the server."""
    match error:
        case AdapterError():
            return error
        case aiosmtplib.SMTPResponseException() if 400 <= error.code < 600:
            return _said(error)
        case aiosmtplib.SMTPServerDisconnected():
            return _FAULTS.no_answer("it closed the connection", "host")
        case _ if is_about_certificates(error):
            return _FAULTS.no_entry("its certificate is not trusted, or it has no TLS", "ca_file")
        case OSError():
            cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
            return _FAULTS.no_answer(f"it cannot be reached: {cause.strerror or type(cause).__name__}", "host")
        case _:
            return _FAULTS.no_answer(f"it talks badly: {type(error).__name__}", "host")


def _said(error: aiosmtplib.SMTPResponseException) -> AdapterError:
    """What a code from 400 on says went wrong."""
    codes = _codes(error.code, error.message)
    what = f"the server answers {codes}"
    if error.code < 500:
        kind = RateLimited if " 4.7." in codes else EmailUnavailable
        return kind(what, provider=_PROVIDER, setting="host")
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return _FAULTS.no_entry(what, "password")
    if error.code == 530:
        return _FAULTS.no_entry(f"{what}: who logs in may send", "user")
    if error.code == 552 or " 5.3.4" in codes:
        return EmailTooLarge(what, provider=_PROVIDER)
    if isinstance(error, aiosmtplib.SMTPSenderRefused):
        return _FAULTS.no_entry(f"{what} to the sender", "sender")
    if isinstance(error, aiosmtplib.SMTPDataError):
        return InvalidEmail(what, provider=_PROVIDER)
    return _FAULTS.no_entry(what, "host")
