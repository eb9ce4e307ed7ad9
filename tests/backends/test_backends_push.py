"""What sends pushes: the contracts, and what is each one's own, on services that are written here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import RSAKey
from oneiric import Secret
from oneiric.adapters.push import Device, InvalidDevice, Push, PushError, Pushes, PushRefused, PushUnavailable
from oneiric.adapters.push._es256 import key_of
from oneiric.adapters.push._webpush import Subscription, encrypted
from oneiric.adapters.push.apns import APNSPushes
from oneiric.adapters.push.fcm import FCMPushes
from oneiric.adapters.push.webpush import WebPushPushes, application_server_key
from oneiric.testing.contracts import NetworkedPushContract, ServicePushContract, started
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.push import CANARY, WHOLE
from oneiric.testing.contracts.running import run

from tests.backends.activation import ActivationCases, Provider
from tests.backends.google import PROJECT
from tests.backends.harness.certificates import Authority
from tests.backends.harness.servers import Address
from tests.backends.pushes import CURVE, Answer, Apns, Fcm, PushService, decoded, encoded, pem_of, point_of

SAYS = CANARY.encode()
STATUSES: dict[str, Answer | None] = {
    "limited": (429, SAYS, {"Retry-After": "7"}),
    "failing": (500, SAYS, {}),
    "moved": (302, SAYS, {"Location": "/" + CANARY}),
    "dropped": None,
    "refused": (403, SAYS, {}),
    "gone": (410, SAYS, {}),
    "too long": (413, SAYS, {}),
    "not taken": (400, SAYS, {}),
}
TIMES = {"timeout": TIMEOUT, "healthcheck_timeout": TIMEOUT}
OTHER = ec.generate_private_key(CURVE)


class Service(ServicePushContract):
    """The contract on a service of tests, `self.service`."""

    service: Any

    def received(self) -> list[tuple[Device, Push]]:
        found: list[tuple[Device, Push]] = self.service.arrived
        return found

    def answer_with(self, fault: Any) -> None:
        self.service.faults.append(fault)

    def attempts(self) -> int:
        return int(self.service.attempts)


class Faults(NetworkedPushContract):
    """The cases of a network on a service of tests, `self.service`."""

    service: Any

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(Address(self.service.host, self.service.port))

    @contextmanager
    def private(self) -> Generator[Any, None, None]:
        yield self.service

    def received(self) -> list[tuple[Device, Push]]:
        found: list[tuple[Device, Push]] = self.service.arrived
        return found


# browsers


def webpush(of: PushService, **settings: Any) -> WebPushPushes:
    given = {"private_key": Secret(pem_of(of.application)), "subject": of.subject, "services": ["http://127.0.0.1"]}
    return WebPushPushes(**{**given, **settings})


class Asking(WebPushPushes):
    """Sends at its start, and as its health, where others ask their server."""

    def __init__(self, device: Device, **settings: Any) -> None:
        super().__init__(**settings)
        self._device = device

    async def start(self) -> None:
        await super().start()
        await self.send(self._device, Push("start"))

    async def health(self) -> bool:
        try:
            await self.send(self._device, Push("health"))
        except PushError:
            return False
        return True


class TestWebPush(Service):
    faults = STATUSES

    @pytest.fixture(autouse=True)
    def server(self) -> Generator[None, None, None]:
        with PushService() as self.service:
            yield

    def fresh(self) -> AbstractAsyncContextManager[Pushes]:
        return started(webpush(self.service))

    def device(self, number: int = 0) -> Device:
        found: Device = self.service.browsers[number].device
        return found


class TestWebPushFaults(Faults):
    at = ""

    @pytest.fixture(autouse=True)
    def server(self) -> Generator[None, None, None]:
        with PushService() as self.service:
            yield

    def device(self) -> Device:
        browser = self.service.browsers[0]
        return {**browser.device, "endpoint": f"http://{self.at}{browser.path}"}

    def component(self, host: str, port: int) -> Pushes:
        self.at = f"{host}:{port}"
        settings = {"private_key": Secret(pem_of(self.service.application)), "subject": self.service.subject}
        times = {"timeout": TIMEOUT, "max_connections": CONNECTIONS}
        return Asking(self.device(), services=[f"http://{host}"], **settings, **times)

    @contextmanager
    def refused(self) -> Generator[Pushes, None, None]:
        self.at = f"{self.service.host}:{self.service.port}"
        yield webpush(self.service, private_key=Secret(pem_of(OTHER)))

    def senseless(self) -> Sequence[tuple[str, Callable[[], Pushes]]]:
        rsa = RSAKey.generate_key(2048).as_pem(private=True).decode()
        given: list[tuple[str, Any]] = [
            *(("private_key", Secret(text)) for text in ("", SECRET, rsa, encoded(bytes(32)), encoded(b"x" * 31))),
            *(("subject", text) for text in ("", "ops@shop.example", "mailto:", "http://shop.example")),
            *(("services", hosts) for hosts in ((), "fcm.googleapis.com", ("",))),
            ("ca_file", Path("/no/such/ca.pem")),
            ("timeout", 0),
            ("max_connections", 0),
        ]
        return [(name, partial(webpush, self.service, **{name: value})) for name, value in given]


def test_what_a_browser_gets_is_what_the_example_of_rfc_8291_has() -> None:
    keys = {
        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    }
    to = Subscription.of({"endpoint": "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV", "keys": keys})
    assert isinstance(to, Subscription)
    body = encrypted(
        b"When I grow up, I want to be a watermelon",
        to,
        key=key_of(Secret("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")),
        salt=decoded("DGv6ra1nlYgDCS1FRnbzlw"),
    )
    assert encoded(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
        "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


def test_a_key_as_tools_make_it_and_a_subscription_as_text() -> None:
    async def main() -> None:
        with PushService() as service:
            raw = service.application.private_numbers().private_value.to_bytes(32, "big")
            assert application_server_key(Secret(encoded(raw))) == encoded(point_of(service.application))
            async with started(webpush(service, private_key=Secret(encoded(raw)))) as pushes:
                accepted = await pushes.send(json.dumps(service.browsers[1].device), WHOLE)
            assert accepted.id == f"{service.url}/message/1"
            assert service.arrived[0][0] is service.browsers[1].device

    run(main())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("endpoint", url)
            for url in ("", "/push", "ftp://x", "http://[::1", "http://u:p@127.0.0.1/", "http://127.0.0.1/ü")
        ),
        *(("endpoint", url) for url in ("http://127.0.0.1.evil.example/", "https://127.0.0.1/", "http://localhost/")),
        ("endpoint", "http://127.0.0.1/" + "x" * 2048),
        ("p256dh", ""),
        ("p256dh", encoded(bytes(65))),
        ("p256dh", encoded(b"\4" + bytes(64))),
        ("p256dh", "*"),
        ("auth", encoded(bytes(15))),
    ],
)
def test_what_is_no_subscription_is_not_sent_to(name: str, value: str) -> None:
    async def main() -> None:
        with PushService() as service:
            device = service.browsers[0].device
            wrong = (
                {**device, name: value} if name == "endpoint" else {**device, "keys": {**device["keys"], name: value}}
            )
            async with started(webpush(service)) as pushes:
                for form in (wrong, json.dumps(wrong)):
                    with pytest.raises(InvalidDevice):
                        await pushes.send(form, WHOLE)
            assert service.attempts == 0

    run(main())


@pytest.mark.parametrize(
    ("host", "is_known"),
    [
        ("one.invalid", True),
        ("a.push.invalid", True),
        ("a.b.push.invalid", True),
        ("push.invalid", False),
        ("xpush.invalid", False),
        ("x.one.invalid", False),
        ("a.push.invalid.evil.invalid", False),
        ("127.0.0.1", False),
    ],
)
def test_services_that_a_subscription_may_name(host: str, is_known: bool) -> None:
    async def main() -> None:
        service = PushService()
        device = {**service.browsers[0].device, "endpoint": f"https://{host}/push/0"}
        async with started(webpush(service, services=["one.invalid", "*.push.invalid"])) as pushes:
            with pytest.raises(PushUnavailable if is_known else InvalidDevice):
                await pushes.send(device, WHOLE)

    run(main())


# Firebase


def fcm(of: Fcm, folder: Path, **settings: Any) -> FCMPushes:
    return FCMPushes(**{"credentials_file": of.credentials(folder), "url": of.url, **settings})


FCM = Fcm()  # for the answers that it has


class TestFcm(Service):
    faults: ClassVar[dict[str, Answer | None]] = {
        **STATUSES,
        "limited": FCM.error(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", wait="7"),
        "failing": FCM.error(503, "UNAVAILABLE", "UNAVAILABLE"),
        "refused": FCM.error(403, "PERMISSION_DENIED"),
        "gone": FCM.error(404, "NOT_FOUND", "UNREGISTERED"),
        "unknown": FCM.error(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"),
        "not taken": FCM.error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", field="message.android.ttl"),
    }

    @pytest.fixture(autouse=True)
    def server(self, tmp_path: Path) -> Generator[None, None, None]:
        with Fcm() as self.service:
            self.folder = tmp_path
            yield

    def fresh(self) -> AbstractAsyncContextManager[Pushes]:
        return started(fcm(self.service, self.folder))

    def device(self, number: int = 0) -> Device:
        return f"device-{number}:x"


class TestFcmFaults(Faults):
    @pytest.fixture(autouse=True)
    def server(self, tmp_path: Path) -> Generator[None, None, None]:
        with Fcm() as self.service:
            self.folder = tmp_path
            yield

    def device(self) -> Device:
        return "device-0:x"

    def component(self, host: str, port: int) -> Pushes:
        return fcm(self.service, self.folder, url=f"http://{host}:{port}", max_connections=CONNECTIONS, **TIMES)

    @contextmanager
    def refused(self) -> Generator[Pushes, None, None]:
        other = self.service.credentials(self.folder, RSAKey.generate_key(2048))
        yield fcm(self.service, self.folder, credentials_file=other)

    def senseless(self) -> Sequence[tuple[str, Callable[[], Pushes]]]:
        given: list[tuple[str, Any]] = [
            ("project", ""),
            ("project", f"a/{SECRET}"),
            ("credentials_file", Path("/no/such/key.json")),
            ("url", ""),
            ("url", f"http://u:{SECRET}@x"),
            ("ca_file", Path("/no/such/ca.pem")),
            ("timeout", 0),
            ("healthcheck_timeout", float("nan")),
            ("max_connections", 0),
        ]
        return [(name, partial(fcm, self.service, self.folder, **{name: value})) for name, value in given]


class TestFcmActivation(ActivationCases):
    @pytest.fixture(autouse=True)
    def server(self, tmp_path: Path) -> Generator[None, None, None]:
        with Fcm() as service:
            credentials = str(service.credentials(tmp_path))
            self.provider = Provider(
                "push", "fcm", "google", "url", {"url": "http://127.0.0.1:PORT", "credentials_file": credentials}
            )
            yield


@pytest.mark.parametrize(
    ("answer", "error", "blamed"),
    [
        (FCM.error(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"), PushRefused, "credentials_file"),
        (FCM.error(404, "NOT_FOUND"), PushRefused, "project"),
        (FCM.error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"), InvalidDevice, None),
        (FCM.error(500, "INTERNAL", "INTERNAL"), PushUnavailable, "url"),
        ((200, b"<html>", {}), PushUnavailable, "url"),
        ((404, b'{"error": {"details": [7, "x"]}}', {}), PushRefused, "project"),
    ],
)
def test_what_firebase_says(tmp_path: Path, answer: Answer, error: type[PushError], blamed: str | None) -> None:
    async def main() -> None:
        with Fcm() as service:
            async with started(fcm(service, tmp_path, project=PROJECT)) as pushes:
                service.faults += [answer, answer]  # a token that is refused is tried once more with another
                with pytest.raises(error) as caught:
                    await pushes.send("device-0:x", WHOLE)
                assert caught.value.setting == blamed
                service.faults.clear()
                assert (await pushes.send("device-0:x", WHOLE)).id == f"projects/{PROJECT}/messages/1"

    run(main())


# Apple


def apns(of: Apns, **settings: Any) -> APNSPushes:
    names = {"topic": of.topic, "team_id": of.team_id, "key_id": of.key_id}
    return APNSPushes(**{**names, "private_key": Secret(pem_of(of.key)), "url": of.url, **settings})


def says(status: int, reason: str, **headers: str) -> Answer:
    return status, json.dumps({"reason": reason, "more": CANARY}).encode(), headers


class TestApns(Service):
    faults: ClassVar[dict[str, Answer | None]] = {
        "limited": says(429, "TooManyRequests", **{"retry-after": "7"}),
        "failing": says(500, "InternalServerError"),
        "moved": (302, SAYS, {"location": "/"}),  # of headers hpack has a log
        "dropped": None,
        "refused": says(403, "InvalidProviderToken"),
        "gone": says(410, "Unregistered"),
        "unknown": says(400, "DeviceTokenNotForTopic"),
        "too long": says(413, "PayloadTooLarge"),
        "not taken": says(400, CANARY),
    }

    @pytest.fixture(autouse=True)
    def server(self) -> Generator[None, None, None]:
        with Apns() as self.service:
            yield

    def fresh(self) -> AbstractAsyncContextManager[Pushes]:
        return started(apns(self.service))

    def device(self, number: int = 0) -> Device:
        return str(self.service.device(number))


class TestApnsFaults(Faults):
    @pytest.fixture(autouse=True)
    def server(self) -> Generator[None, None, None]:
        with Apns() as self.service:
            yield

    def device(self) -> Device:
        return str(self.service.device(0))

    async def patiently(self, component: Pushes, number: int) -> None:
        """All of them share a connection: on a busy machine the last may need more than `TIMEOUT`."""
        await self.recovers(component, number)

    def component(self, host: str, port: int) -> Pushes:
        return apns(self.service, url=f"http://{host}:{port}", **TIMES)

    @contextmanager
    def refused(self) -> Generator[Pushes, None, None]:
        yield apns(self.service, private_key=Secret(pem_of(OTHER)))

    def senseless(self) -> Sequence[tuple[str, Callable[[], Pushes]]]:
        given: list[tuple[str, Any]] = [
            ("topic", ""),
            ("topic", "a b"),
            ("team_id", ""),
            ("key_id", ""),
            ("private_key", Secret(SECRET)),
            ("url", ""),
            ("url", f"http://u:{SECRET}@x"),
            ("ca_file", Path("/no/such/ca.pem")),
            ("timeout", 0),
            ("healthcheck_timeout", float("nan")),
        ]
        return [(name, partial(apns, self.service, **{name: value})) for name, value in given]


class TestApnsActivation(ActivationCases):
    provider = Provider(
        "push",
        "apns",
        "h2",
        "url",
        {"url": "http://127.0.0.1:PORT", "topic": "a", "team_id": "b", "key_id": "c", "private_key": "${PROBE_SECRET}"},
        pem_of(OTHER),
    )


def test_one_token_does_for_all_and_another_is_made_of_one_that_is_too_old() -> None:
    async def main() -> None:
        with Apns() as service:
            async with started(apns(service)) as pushes:
                await asyncio.gather(*(pushes.send(service.device(0), WHOLE) for _ in range(10)))
                assert len(service.tokens) == 1
                service.voided |= service.tokens
                await pushes.send(service.device(0), WHOLE)
                assert (len(service.arrived), len(service.connections)) == (11, 1)

    run(main())


@pytest.mark.parametrize(
    ("answer", "error", "blamed"),
    [
        (says(400, "BadDeviceToken"), InvalidDevice, None),
        (says(400, "TopicDisallowed"), PushRefused, "topic"),
        (says(403, "ExpiredProviderToken"), PushRefused, "private_key"),
        (says(503, "Shutdown"), PushUnavailable, "url"),
        ((404, b"<html>", {}), PushRefused, "url"),
    ],
)
def test_what_apple_says(answer: Answer, error: type[PushError], blamed: str | None) -> None:
    async def main() -> None:
        with Apns() as service:
            async with started(apns(service)) as pushes:
                service.faults += [answer, answer]
                with pytest.raises(error) as caught:
                    await pushes.send(service.device(0), WHOLE)
                assert caught.value.setting == blamed

    run(main())


def test_what_only_the_app_gets_is_never_urgent_at_apple() -> None:
    async def main() -> None:
        with Apns() as service:
            async with started(apns(service)) as pushes:
                await pushes.send(service.device(0), Push(data={"sync": "now"}, urgent=True))
            assert not service.arrived[0][1].urgent  # Apple would refuse it

    run(main())


def test_http2_is_agreed_on_by_tls_with_a_certificate_that_is_trusted(tmp_path: Path) -> None:
    authority = Authority()
    certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
    authority.write_for("127.0.0.1", certificate, key)

    async def main() -> None:
        with Apns(certificate=(certificate, key)) as service:
            async with started(apns(service, ca_file=authority.write(tmp_path / "ca.pem"))) as pushes:
                await pushes.send(service.device(0), WHOLE)
            assert len(service.arrived) == 1
            with pytest.raises(PushRefused, match=r"\(setting ca_file\)"):
                async with started(apns(service)):
                    pass

    run(main())
