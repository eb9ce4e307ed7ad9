"""Email provider `sendgrid`: Twilio SendGrid, by its Web API v3."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import msgspec

from oneiric import Secret, component
from oneiric.adapters._common.api import Answer, Api, Deadline, Kinds, check_header, error_by_status
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
from oneiric.adapters.email._letters import Address, Letter, Letters
from oneiric.adapters.email._mime import encoded
from oneiric.errors import AdapterError

_PROVIDER = "sendgrid"
_FAULTS = Faults(_PROVIDER, EmailUnavailable, EmailRefused, EmailMisconfigured)
_KINDS = Kinds(InvalidEmail, EmailTooLarge, RateLimited)


@component(
    "adapter",
    "email",
    provider="sendgrid",
    priority=0,
    stack_level=-20,
    capabilities=("notifications", "email"),
    port="oneiric.adapters.email:Emails",
)
class SendGridEmails(Asking[Api]):
    """Hands emails to SendGrid.

    Needs an account of SendGrid: an API key with the scope `mail.send`, and a sender that is verified there.

    `sender`: the address of an email that names none.
    `api_key`: the API key, `SG.…`.
    `base_url`: where the API is; `https://api.eu.sendgrid.com/v3` in Europe.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds for one call, and to wait for a free connection.
    `healthcheck_timeout`: seconds for a health check, and for the first one at the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    def __init__(
        self,
        *,
        sender: str,
        api_key: Secret,
        base_url: str = "https://api.sendgrid.com/v3",
        ca_file: Path | None = None,
        timeout: float = 30.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 10,
    ) -> None:
        _FAULTS.check_above_zero(timeout=timeout, healthcheck_timeout=healthcheck_timeout)
        check_header(_FAULTS, api_key, "api_key")
        self._letters = Letters(_FAULTS, sender)
        self._timeout = timeout
        self._healthcheck_timeout = healthcheck_timeout
        self._api = Api(
            _FAULTS,
            EmailClosed,
            base_url=base_url,
            key=api_key,
            ca_file=ca_file,
            max_connections=max_connections,
            quiet=True,
        )

    async def send(self, email: Email) -> Sent:
        letter = self._letters.checked(email)
        self._api.check_open()
        deadline = Deadline.within(self._timeout)
        body = await letter.made(_body)
        headers = {"content-type": "application/json"}
        answer = await self._api.ask("POST", "/mail/send", body, deadline=deadline, headers=headers)
        if answer.status != 202:
            raise _error(answer)
        return Sent(answer.headers.get("x-message-id", ""))

    async def _ask_health(self) -> None:
        """What the key may do, of which sending is needed."""
        answer = await self._api.ask("GET", "/scopes", deadline=Deadline.within(self._healthcheck_timeout))
        match answer.status, answer.json():
            case 200, {"scopes": [*scopes]}:
                if "mail.send" not in scopes:
                    raise _FAULTS.no_entry("it has not the scope mail.send", "api_key")
            case 200, _:
                raise self._api.unusable(answer)
            case _:
                raise _error(answer)


def _error(answer: Answer) -> AdapterError:
    return error_by_status(_FAULTS, _KINDS, answer, "api_key" if answer.status in (401, 403) else "base_url")


def _body(letter: Letter) -> bytes:
    people = {"to": letter.to, "cc": letter.cc, "bcc": letter.bcc}
    contents = {"text/plain": letter.text, "text/html": letter.html}
    message: dict[str, Any] = {
        "personalizations": [{name: [_person(each) for each in told] for name, told in people.items() if told}],
        "from": _person(letter.sender),
        "subject": letter.subject,
        "content": [{"type": kind, "value": text} for kind, text in contents.items() if text],
    }
    if letter.reply_to is not None:
        message["reply_to"] = _person(letter.reply_to)
    if letter.headers:
        message["headers"] = {name: encoded(value, " ") for name, value in letter.headers.items()}
    if letter.attachments:
        message["attachments"] = [
            {"content": base64.b64encode(each.data).decode(), "type": each.media_type, "filename": each.name}
            for each in letter.attachments
        ]
    return msgspec.json.encode(message)


def _person(address: Address) -> dict[str, str]:
    return {"email": address.email, **({"name": address.name} if address.name else {})}
