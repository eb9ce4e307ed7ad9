"""What sends texts to phones: the contracts, and what is its own, on a service that is written here."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, cast
from urllib.parse import parse_qsl

import pytest
from oneiric import Secret
from oneiric.adapters.sms import (
    InvalidNumber,
    RateLimited,
    Sms,
    SmsError,
    SmsMisconfigured,
    SmsRefused,
    SmsUnavailable,
    Texts,
    TooLong,
)
from oneiric.adapters.sms.twilio import TwilioTexts
from oneiric.testing.contracts import NetworkedSmsContract, ServiceSmsContract, started
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.running import run
from oneiric.testing.contracts.sms import CANARY, NUMBER

from tests.backends.activation import Provider, UnreachableCases
from tests.backends.harness.receivers import Answering, HTTPReceiver
from tests.backends.harness.servers import Address

Answer: TypeAlias = tuple[int, bytes, Mapping[str, str]]
ACCOUNT, SERVICE = f"AC{'0a' * 16}", f"MG{'0b' * 16}"
LIMITS = {"timeout": TIMEOUT, "healthcheck_timeout": TIMEOUT, "max_connections": CONNECTIONS}


def says(status: int, code: int, **headers: str) -> Answer:
    """An error of Twilio's, as its documentation has it."""
    more = f"https://www.twilio.com/docs/errors/{code}"
    told = {"code": code, "message": f"{CANARY} {NUMBER}", "more_info": more, "status": status}
    return status, json.dumps(told).encode(), headers


class Handler(Answering):
    def do_GET(self) -> None:
        twilio = cast("Twilio", self.server.receiver)
        assert self.path == f"/2010-04-01/Accounts/{ACCOUNT}.json"
        account = json.dumps({"sid": ACCOUNT, "status": twilio.status}).encode()
        self.say(*((200, account, {}) if twilio.is_by_account(self.headers) else says(401, 20003)))

    def do_POST(self) -> None:
        twilio = cast("Twilio", self.server.receiver)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        assert self.headers["Content-Type"] == "application/x-www-form-urlencoded"
        twilio.attempts += 1
        answer = twilio.faults.pop(0) if twilio.faults else twilio.take(self.headers, body)
        if answer is None:
            self.hang_up()
        else:
            self.say(*answer)


class Twilio(HTTPReceiver):
    """The API for an account of tests; `senders` are what texts came from."""

    handler = Handler
    token = "t0ken"

    def __init__(self) -> None:
        super().__init__()
        self.status = "active"
        self.arrived: list[Sms] = []
        self.senders: list[tuple[str, str]] = []
        self.attempts = 0
        self.faults: list[Answer | None] = []

    def is_by_account(self, headers: Mapping[str, str]) -> bool:
        wanted = base64.b64encode(f"{ACCOUNT}:{self.token}".encode()).decode()
        return headers.get("authorization") == f"Basic {wanted}"

    def take(self, headers: Mapping[str, str], body: bytes) -> Answer:
        if not self.is_by_account(headers):
            return says(401, 20003)
        told = dict(parse_qsl(body.decode("ascii"), strict_parsing=True))
        sms = Sms(told.pop("To"), told.pop("Body"))
        assert re.fullmatch(r"\+\d{7,15}", sms.to)
        [sender] = told.items()
        assert sender[0] in ("From", "MessagingServiceSid")
        self.senders.append(sender)
        self.arrived.append(sms)
        return 201, json.dumps({"sid": f"SM{len(self.arrived):032x}", "status": "queued"}).encode(), {}


def named(**settings: Any) -> dict[str, Any]:
    return settings


def twilio(of: Twilio, **settings: Any) -> TwilioTexts:
    given = named(account_sid=ACCOUNT, auth_token=Secret(of.token), from_number="+15005550006", base_url=of.url)
    return TwilioTexts(**given | settings)


class OnTwilio:
    """What the cases of all contracts need of the service."""

    @pytest.fixture(autouse=True)
    def server(self) -> Generator[None, None, None]:
        with Twilio() as self.there:
            yield

    def fresh(self) -> AbstractAsyncContextManager[Texts]:
        return started(twilio(self.there))

    def received(self) -> list[Sms]:
        return self.there.arrived

    def answer_with(self, fault: Any) -> None:
        self.there.faults.append(fault)

    def attempts(self) -> int:
        return self.there.attempts


class TestTwilio(OnTwilio, ServiceSmsContract):
    faults: ClassVar[Mapping[str, Answer | None]] = {
        "limited": says(429, 20429, **{"Retry-After": "7"}),
        "failing": says(500, 20500),
        "moved": (302, CANARY.encode(), {"Location": f"/{CANARY}"}),
        "dropped": None,
        "refused": says(400, 21606),
        "number": says(400, 21211),
        "unsubscribed": says(400, 21610),
        "too long": says(400, 21617),
        "not taken": says(400, 21602),
    }


class TestTwilioFaults(OnTwilio, NetworkedSmsContract):
    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(Address(self.there.host, self.there.port))

    @contextmanager
    def private(self) -> Generator[Twilio, None, None]:
        yield self.there

    def component(self, host: str, port: int) -> Texts:
        return twilio(self.there, base_url=f"http://{host}:{port}", **LIMITS)

    @contextmanager
    def refused(self) -> Generator[Texts, None, None]:
        yield twilio(self.there, auth_token=Secret(SECRET))

    def senseless(self) -> Sequence[tuple[str, Callable[[], Texts]]]:
        given: list[tuple[str, dict[str, Any]]] = [
            *(("account_sid", {"account_sid": sid}) for sid in ("", "AC1", SERVICE, f"{ACCOUNT}/../{SECRET}")),
            *(("auth_token", {"auth_token": Secret(token)}) for token in ("", f"{SECRET}\n")),
            *(("from_number", {"from_number": number}) for number in (None, "", "12", "+12 3", "name too long", "x&y")),
            ("messaging_service_sid", {"messaging_service_sid": SERVICE}),
            ("messaging_service_sid", {"messaging_service_sid": "MG1", "from_number": None}),
            *(("base_url", {"base_url": url}) for url in ("", "api.example", f"http://u:{SECRET}@x")),
            ("ca_file", {"ca_file": Path("/no/such/ca.pem")}),
            ("timeout", {"timeout": 0}),
            ("healthcheck_timeout", {"healthcheck_timeout": float("nan")}),
            ("max_connections", {"max_connections": 0}),
        ]
        return [(name, partial(twilio, self.there, **settings)) for name, settings in given]


class TestTwilioActivation(UnreachableCases):
    provider = Provider(
        "sms",
        "twilio",
        "",
        "base_url",
        {
            "account_sid": ACCOUNT,
            "auth_token": "${PROBE_SECRET}",
            "messaging_service_sid": SERVICE,
            "base_url": "http://127.0.0.1:PORT",
        },
        "t0ken",
    )


@pytest.mark.parametrize(
    ("answer", "error", "setting"),
    [
        (says(400, 21614), InvalidNumber, None),
        (says(400, 21608), InvalidNumber, None),
        (says(400, 21658), TooLong, None),
        (says(400, 21611), RateLimited, "account_sid"),
        (says(403, 20003), SmsRefused, "account_sid"),
        (says(404, 20404), SmsRefused, "account_sid"),
        (says(401, 20003), SmsRefused, "auth_token"),
        (says(400, 21703), SmsRefused, "from_number"),
        ((201, b"{}", {}), SmsUnavailable, "base_url"),
        ((200, b"<html>", {}), SmsUnavailable, "base_url"),
        ((503, b"", {}), SmsUnavailable, "base_url"),
    ],
)
def test_what_twilio_says(answer: Answer, error: type[SmsError], setting: str | None) -> None:
    async def main() -> None:
        with Twilio() as service:
            async with started(twilio(service)) as texts:
                service.faults.append(answer)
                with pytest.raises(SmsError) as caught:
                    await texts.send(NUMBER, "Hello.")
                assert (type(caught.value), caught.value.setting) == (error, setting)

    run(main())


def test_texts_come_from_a_number_a_name_or_a_messaging_service() -> None:
    async def main() -> None:
        with Twilio() as service:
            for settings in ({}, {"from_number": "12345"}, {"from_number": "Shop 7"}):
                async with started(twilio(service, **settings)) as texts:
                    await texts.send(NUMBER, "Hello.")
            by_service = twilio(service, from_number=None, messaging_service_sid=SERVICE)
            async with started(by_service) as texts:
                assert (await texts.send(NUMBER, "Hello.")).id == f"SM{4:032x}"
            senders = [
                ("From", "+15005550006"),
                ("From", "12345"),
                ("From", "Shop 7"),
                ("MessagingServiceSid", SERVICE),
            ]
            assert service.senders == senders

    run(main())


def test_an_account_that_is_suspended_is_told_at_the_start() -> None:
    async def main() -> None:
        with Twilio() as service:
            service.status = "suspended"
            with pytest.raises(SmsRefused, match="not active"):
                async with started(twilio(service)):
                    pass

    run(main())


def test_settings_that_exclude_each_other() -> None:
    with pytest.raises(SmsMisconfigured, match="exclude each other"):
        TwilioTexts(
            account_sid=ACCOUNT, auth_token=Secret("x"), from_number="+4915112345", messaging_service_sid=SERVICE
        )
