"""Email provider `mailgun`: Mailgun, by its HTTP API."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

from oneiric import Secret, component
from oneiric.adapters._common.api import Answer, Api, Deadline, Kinds, basic, check_header, error_by_status
from oneiric.adapters._common.asking import Asking
from oneiric.adapters._common.network import Faults
from oneiric.adapters.email import (
    Email,
    EmailClosed,
    EmailMisconfigured,
    EmailRefused,
    EmailTooLarge,
    EmailUnavailable,
    InvalidEmail,
    RateLimited,
    Sent,
)
from oneiric.adapters.email._letters import Letter, Letters
from oneiric.adapters.email._mime import message_of
from oneiric.errors import AdapterError

_PROVIDER = "mailgun"
_FAULTS = Faults(_PROVIDER, EmailUnavailable, EmailRefused, EmailMisconfigured)
_KINDS = Kinds(InvalidEmail, EmailTooLarge, RateLimited)


@component(
    "adapter",
    "email",
    provider="mailgun",
    priority=0,
    stack_level=-20,
    capabilities=("notifications", "email"),
    port="oneiric.adapters.email:Emails",
)
class MailgunEmails(Asking[Api]):
    """Hands emails to Mailgun, as whole messages.

    Needs an account of Mailgun with a domain, and an API key of it or a sending key of the domain.

    `sender`: the address of an email that names none.
    `domain`: the domain that sends.
    `api_key`: the key.
    `base_url`: where the API is; `https://api.eu.mailgun.net/v3` for domains in Europe.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds for one call, and to wait for a free connection.
    `healthcheck_timeout`: seconds for a health check, and for the first one at the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    def __init__(
        self,
        *,
        sender: str,
        domain: str,
        api_key: Secret,
        base_url: str = "https://api.mailgun.net/v3",
        ca_file: Path | None = None,
        timeout: float = 30.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 10,
    ) -> None:
        _FAULTS.check_above_zero(timeout=timeout, healthcheck_timeout=healthcheck_timeout)
        check_header(_FAULTS, api_key, "api_key")
        if not re.fullmatch(r"[A-Za-z0-9.-]+", domain):
            raise _FAULTS.no_sense("is not the name of a domain", "domain")
        self._letters = Letters(_FAULTS, sender)
        self._path = f"/{domain}/messages.mime"
        self._timeout = timeout
        self._healthcheck_timeout = healthcheck_timeout
        self._api = Api(
            _FAULTS,
            EmailClosed,
            base_url=base_url,
            key=basic("api", api_key),
            key_header=("authorization", "Basic "),
            ca_file=ca_file,
            max_connections=max_connections,
            quiet=True,
        )

    async def send(self, email: Email) -> Sent:
        letter = self._letters.checked(email)
        self._api.check_open()
        deadline = Deadline.within(self._timeout)
        answer = await self._post(*await letter.made(_parts), deadline)
        match answer.status, answer.json():
            case 200, {"id": str(id)}:
                return Sent(id)
            case 200, _:
                raise self._api.unusable(answer)
            case _:
                raise _error(answer)

    async def _ask_health(self) -> None:
        """A message without recipients: who may send is told that it has none. A sending key may ask nothing else."""
        answer = await self._post(b"", uuid4().hex, Deadline.within(self._healthcheck_timeout))
        if answer.status != 400:
            raise _error(answer)

    async def _post(self, parts: bytes, boundary: str, deadline: Deadline) -> Answer:
        headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
        form = parts + f"--{boundary}--\r\n".encode()
        return await self._api.ask("POST", self._path, form, deadline=deadline, headers=headers)


def _error(answer: Answer) -> AdapterError:
    setting = {401: "api_key", 403: "api_key", 404: "domain"}.get(answer.status, "base_url")
    return error_by_status(_FAULTS, _KINDS, answer, setting)


def _parts(letter: Letter) -> tuple[bytes, str]:
    """The parts of a form and their boundary: to whom it goes, and the message, in which `bcc` is not."""
    boundary = uuid4().hex
    to = ", ".join(each.email for each in letter.recipients)
    begin = f"--{boundary}\r\nContent-Disposition: form-data; name="
    fields = f'{begin}"to"\r\n\r\n{to}\r\n{begin}"message"; filename="message.eml"\r\n\r\n'
    _, message = message_of(letter)
    return fields.encode() + message + b"\r\n", boundary
