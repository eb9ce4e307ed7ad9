"""Push provider `webpush`: browsers, by the push service of each (RFC 8030, 8291 and 8292)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from oneiric import Secret, component
from oneiric.adapters._common.api import Answer, Api, Deadline, Kinds, error_by_status
from oneiric.adapters._common.network import Faults
from oneiric.adapters.push import (
    Accepted,
    Device,
    DeviceGone,
    InvalidDevice,
    InvalidPush,
    Push,
    PushClosed,
    PushMisconfigured,
    PushRefused,
    PushUnavailable,
    RateLimited,
    TooLong,
    check_push,
    payload_of,
    seconds_of,
)
from oneiric.adapters.push._es256 import encoded, key_of, public_bytes, signed
from oneiric.adapters.push._webpush import Subscription, encrypted

_PROVIDER = "webpush"
_FAULTS = Faults(_PROVIDER, PushUnavailable, PushRefused, PushMisconfigured)
_KINDS = Kinds(InvalidPush, TooLong, RateLimited)
_LIFETIME = 12 * 3600  # seconds of a token of VAPID, which may have 24 hours


@component(
    "adapter",
    "push",
    provider="webpush",
    priority=0,
    stack_level=-15,
    capabilities=("notifications", "push"),
    port="oneiric.adapters.push:Pushes",
)
class WebPushPushes:
    """Sends to browsers, encrypted for each, by the push service that a subscription names.

    Needs a key of your own and no account; the extra `push-webpush`.

    `private_key`: the private key of VAPID: PEM, or its 32 bytes in base64 for URLs, as tools for Web Push make it.
    `subject`: whom a push service writes to: `mailto:…` or `https://…`.
    `services`: hosts of push services that a subscription may name, `*.` for all below; else whoever subscribes could
        have any server called. `http://HOST` is one without TLS.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds for one call, and to wait for a free connection.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    def __init__(
        self,
        *,
        private_key: Secret,
        subject: str,
        services: Sequence[str] = (
            "fcm.googleapis.com",
            "*.push.services.mozilla.com",
            "web.push.apple.com",
            "*.notify.windows.com",
        ),
        ca_file: Path | None = None,
        timeout: float = 10.0,
        max_connections: int = 20,
    ) -> None:
        _FAULTS.check_above_zero(timeout=timeout)
        if not subject.startswith(("mailto:", "https://")) or subject in ("mailto:", "https://"):
            raise _FAULTS.no_sense("is neither mailto:… nor https://…", "subject")
        if isinstance(services, str) or not services or not all(services):
            raise _FAULTS.no_sense("is not a list of hosts", "services")
        self._key = _checked(private_key)
        self._subject = subject
        self._services = tuple(services)
        self._timeout = timeout
        self._api = Api(
            _FAULTS,
            PushClosed,
            base_url=None,
            setting="services",
            ca_file=ca_file,
            max_connections=max_connections,
            quiet=True,
        )

    async def start(self) -> None:
        await self._api.open()

    async def health(self) -> bool:
        """Whether it is open: which servers there are is known by devices alone."""
        return self._api.is_open

    async def aclose(self) -> None:
        await self._api.aclose()

    async def send(self, device: Device, push: Push) -> Accepted:
        self._api.check_open()
        check_push(push, _PROVIDER)
        to = Subscription.of(device)
        if isinstance(to, str):
            raise InvalidDevice(f"it is not a subscription: {to}", provider=_PROVIDER)
        if not any(_is_at(to, service) for service in self._services):
            raise InvalidDevice("its push service is not one of these", provider=_PROVIDER, setting="services")
        body = encrypted(payload_of(push), to)
        deadline = Deadline.within(self._timeout)
        answer = await self._api.ask("POST", to.endpoint, body, deadline=deadline, headers=self._headers(to, push))
        if answer.status not in (200, 201, 202):
            raise _error(answer)
        return Accepted(answer.headers.get("location", ""))

    def _headers(self, to: Subscription, push: Push) -> dict[str, str]:
        claims = {"aud": to.origin, "exp": int(time.time()) + _LIFETIME, "sub": self._subject}
        token = signed({"typ": "JWT"}, claims, self._key)
        return {
            "authorization": f"vapid t={token}, k={encoded(public_bytes(self._key))}",
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "ttl": str(seconds_of(push)),
            "urgency": "high" if push.urgent else "normal",
            **({} if push.collapse is None else {"topic": push.collapse}),
        }


def application_server_key(private_key: Secret) -> str:
    """The public key that pages subscribe with, `applicationServerKey`. Raises `PushMisconfigured`."""
    return encoded(public_bytes(_checked(private_key)))


def _checked(secret: Secret) -> ec.EllipticCurvePrivateKey:
    key = key_of(secret)
    if key is None:
        raise _FAULTS.no_sense("is not a private key of the curve P-256", "private_key")
    return key


def _is_at(to: Subscription, service: str) -> bool:
    host = service.removeprefix("http://")
    if to.origin.startswith("https://") == service.startswith("http://"):
        return False
    return to.host.endswith(host[1:]) if host.startswith("*.") else to.host == host


def _error(answer: Answer) -> Exception:
    if answer.status in (404, 410):
        return DeviceGone("the subscription is over", provider=_PROVIDER)
    return error_by_status(_FAULTS, _KINDS, answer, "private_key" if answer.status in (401, 403) else "services")
