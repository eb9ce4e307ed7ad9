"""SMS provider `twilio`: Twilio Programmable Messaging, by its HTTP API of 2010-04-01."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from oneiric import Secret, component
from oneiric.adapters._common.api import Answer, Api, Deadline, Kinds, basic, check_header, error_by_status
from oneiric.adapters._common.asking import Asking
from oneiric.adapters._common.network import Faults
from oneiric.adapters.sms import (
    NUMBER,
    Accepted,
    InvalidNumber,
    InvalidText,
    RateLimited,
    SmsClosed,
    SmsMisconfigured,
    SmsRefused,
    SmsUnavailable,
    TooLong,
    Unsubscribed,
    checked_sms,
)
from oneiric.errors import AdapterError

_PROVIDER = "twilio"
_FAULTS = Faults(_PROVIDER, SmsUnavailable, SmsRefused, SmsMisconfigured)
_KINDS = Kinds(InvalidText, TooLong, RateLimited)
_NUMBER = {21211, 21214, 21217, 21265, 21266, 21408, 21608, 21612, 21614, 21635}
"""What is wrong with `To`: no number, out of reach, not allowed for the account, no mobile phone."""
_SENDER = {21212, 21603, 21606, 21607, 21659, 21660, 21661, 21701, 21703, 21704, 21705}
"""What is wrong with `From`, or the messaging service."""
_LONG = {21605, 21617, 21658}
_LIMITED = {14107, 20429, 21611}
_UNSUBSCRIBED = 21610
_SHORT = re.compile(r"[0-9]{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")


@component(
    "adapter",
    "sms",
    provider="twilio",
    priority=0,
    stack_level=-20,
    capabilities=("notifications", "sms"),
    port="oneiric.adapters.sms:Texts",
)
class TwilioTexts(Asking[Api]):
    """Hands texts to Twilio, which sends them from one number or by a messaging service.

    Needs an account of Twilio, with a number that sends texts or a messaging service.

    `account_sid`: the account's id, `AC…`.
    `auth_token`: the account's token.
    `from_number`: the number that texts come from as E.164 has it, a short code, or a name of letters and digits.
    `messaging_service_sid`: instead of a number: the id of the messaging service, `MG…`, which chooses one.
    `base_url`: where the API is.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds for one call, and to wait for a free connection.
    `healthcheck_timeout`: seconds for a health check, and for the first one at the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: Secret,
        from_number: str | None = None,
        messaging_service_sid: str | None = None,
        base_url: str = "https://api.twilio.com",
        ca_file: Path | None = None,
        timeout: float = 10.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 10,
    ) -> None:
        _FAULTS.check_above_zero(timeout=timeout, healthcheck_timeout=healthcheck_timeout)
        check_header(_FAULTS, auth_token, "auth_token")
        if not re.fullmatch(r"AC[0-9a-fA-F]{32}", account_sid):
            raise _FAULTS.no_sense("is not `AC` and 32 hexadecimal digits", "account_sid")
        self._sender, self._setting = _sender(from_number, messaging_service_sid)
        self._path = f"/2010-04-01/Accounts/{account_sid}"
        self._timeout = timeout
        self._healthcheck_timeout = healthcheck_timeout
        self._api = Api(
            _FAULTS,
            SmsClosed,
            base_url=base_url,
            key=basic(account_sid, auth_token),
            key_header=("authorization", "Basic "),
            ca_file=ca_file,
            max_connections=max_connections,
            quiet=True,
        )

    async def send(self, to: str, text: str) -> Accepted:
        sms = checked_sms(to, text, _PROVIDER)
        form = urlencode({"To": sms.to, "Body": sms.text, **self._sender}).encode()
        headers = {"content-type": "application/x-www-form-urlencoded"}
        deadline = Deadline.within(self._timeout)
        answer = await self._api.ask("POST", f"{self._path}/Messages.json", form, deadline=deadline, headers=headers)
        match answer.status, answer.json():
            case 201, {"sid": str(sid)}:
                return Accepted(sid)
            case _, {"code": int(code)}:
                raise self._error(answer, code)
            case _:
                raise self._error(answer, 0)

    async def _ask_health(self) -> None:
        """What the account is, of which it has to be active."""
        answer = await self._api.ask("GET", f"{self._path}.json", deadline=Deadline.within(self._healthcheck_timeout))
        match answer.status, answer.json():
            case 200, {"status": "active"}:
                return
            case 200, {"status": str()}:
                raise _FAULTS.no_entry("the account is not active", "account_sid")
            case 200, _:
                raise self._api.unusable(answer)
            case _:
                raise self._error(answer, 0)

    def _error(self, answer: Answer, code: int) -> AdapterError:
        """What a code of Twilio's, or else the status, says went wrong."""
        what = f"Twilio says {code}"
        if code == _UNSUBSCRIBED:
            return Unsubscribed(what, provider=_PROVIDER)
        if code in _NUMBER:
            return InvalidNumber(what, provider=_PROVIDER)
        if code in _LONG:
            return TooLong(what, provider=_PROVIDER)
        if code in _SENDER:
            return _FAULTS.no_entry(what, self._setting)
        if code in _LIMITED or answer.status == 429:
            return error_by_status(_FAULTS, _KINDS, answer._replace(status=429), "account_sid")
        setting = {401: "auth_token", 403: "account_sid", 404: "account_sid"}.get(answer.status, "base_url")
        return error_by_status(_FAULTS, _KINDS, answer, setting)


def _sender(from_number: str | None, messaging_service_sid: str | None) -> tuple[dict[str, Any], str]:
    """The parameter that says who sends, and the setting it is of."""
    if messaging_service_sid is not None:
        if from_number is not None:
            raise _FAULTS.no_sense("and from_number exclude each other", "messaging_service_sid")
        if not re.fullmatch(r"MG[0-9a-fA-F]{32}", messaging_service_sid):
            raise _FAULTS.no_sense("is not `MG` and 32 hexadecimal digits", "messaging_service_sid")
        return {"MessagingServiceSid": messaging_service_sid}, "messaging_service_sid"
    if from_number is None:
        raise _FAULTS.no_sense("is missing, and so is messaging_service_sid", "from_number")
    if not NUMBER.fullmatch(from_number) and not _SHORT.fullmatch(from_number):
        raise _FAULTS.no_sense("is neither a number of E.164, a short code nor a name", "from_number")
    return {"From": from_number}, "from_number"
