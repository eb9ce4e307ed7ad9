"""Push provider `apns`: Apple's service, by HTTP/2 and tokens that a key signs."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from oneiric import Secret, component
from oneiric.adapters._common.api import Answer, Deadline, Kinds, check_url, error_by_status
from oneiric.adapters._common.asking import Asking
from oneiric.adapters._common.network import Faults
from oneiric.adapters.push import (
    Accepted,
    Device,
    DeviceGone,
    InvalidDevice,
    InvalidPush,
    Push,
    PushMisconfigured,
    PushRefused,
    PushUnavailable,
    RateLimited,
    TooLong,
    _apple,
    check_push,
)
from oneiric.adapters.push._es256 import key_of, signed
from oneiric.adapters.push._http2 import Http2

_PROVIDER = "apns"
_FAULTS = Faults(_PROVIDER, PushUnavailable, PushRefused, PushMisconfigured)
_KINDS = Kinds(InvalidPush, TooLong, RateLimited)
_DEVICE = re.compile(r"[0-9a-fA-F]{64,200}")
_RENEWED = 40 * 60  # seconds of a token: Apple takes it for 60 minutes, and another one every 20 at most
_OF_DEVICE = {"BadDeviceToken", "DeviceTokenNotForTopic"}
_OF_TOPIC = {"BadTopic", "MissingTopic", "TopicDisallowed"}


@component(
    "adapter",
    "push",
    provider="apns",
    priority=0,
    stack_level=-20,
    capabilities=("notifications", "push"),
    port="oneiric.adapters.push:Pushes",
)
class APNSPushes(Asking[Http2]):
    """Sends to apps on Apple's devices; a device is the token that the app registered, in hexadecimal digits.

    Needs a key for APNs of a developer account at Apple; the extra `push-apns`.

    `topic`: the app's bundle id.
    `team_id`: the id of the developer's team.
    `key_id`: the id of the key.
    `private_key`: the key, the text of its `.p8` file.
    `url`: where the service is; `https://api.sandbox.push.apple.com` for builds in development.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds for one call, also to connect.
    `healthcheck_timeout`: seconds for a health check, and for the first one at the start.
    """

    def __init__(
        self,
        *,
        topic: str,
        team_id: str,
        key_id: str,
        private_key: Secret,
        url: str = "https://api.push.apple.com",
        ca_file: Path | None = None,
        timeout: float = 10.0,
        healthcheck_timeout: float = 5.0,
    ) -> None:
        _FAULTS.check_text(topic=topic, team_id=team_id, key_id=key_id)
        _FAULTS.check_above_zero(timeout=timeout, healthcheck_timeout=healthcheck_timeout)
        if not re.fullmatch(r"[\x21-\x7e]+", topic):
            raise _FAULTS.no_sense("is not a bundle id", "topic")
        check_url(_FAULTS, url, "url")
        key = key_of(private_key)
        if key is None:
            raise _FAULTS.no_sense("is not a private key of the curve P-256", "private_key")
        self._api = Http2(_FAULTS, url, ca_file)
        self._topic = topic
        self._team_id = team_id
        self._key_id = key_id
        self._key = key
        self._token = ("", 0.0)  # and when it was made
        self._timeout = timeout
        self._healthcheck_timeout = healthcheck_timeout

    async def send(self, device: Device, push: Push) -> Accepted:
        self._api.check_open()
        check_push(push, _PROVIDER)
        if not isinstance(device, str) or not _DEVICE.fullmatch(device):
            raise InvalidDevice("it is not a device token", provider=_PROVIDER)
        id = str(uuid4())
        headers = {"apns-id": id, "apns-topic": self._topic, **_apple.headers_of(push)}
        deadline = Deadline.within(self._timeout)
        answer = await self._post(device, _payload(push), headers, deadline)
        if _reason(answer) == "ExpiredProviderToken":  # with which nothing was done
            self._token = ("", 0.0)
            answer = await self._post(device, _payload(push), headers, deadline)
        if answer.status != 200:
            raise _error(answer)
        return Accepted(id)

    async def _post(self, device: str, body: bytes, headers: dict[str, str], deadline: Deadline) -> Answer:
        headers = {**headers, "authorization": f"bearer {self._signed()}"}
        return await self._api.ask("POST", f"/3/device/{device}", body, deadline=deadline, headers=headers)

    async def _ask_health(self) -> None:
        """There is nothing to ask but to send, so an answer will do, by HTTP/2, that does not say that it failed."""
        answer = await self._api.ask("GET", "/", b"", deadline=Deadline.within(self._healthcheck_timeout))
        if answer.status >= 500:
            raise _error(answer)

    def _signed(self) -> str:
        token, made = self._token
        now = time.time()
        if not made <= now < made + _RENEWED or not token:
            token = signed({"kid": self._key_id}, {"iss": self._team_id, "iat": int(now)}, self._key)
            self._token = (token, now)
        return token


def _payload(push: Push) -> bytes:
    shown = {name: text for name, text in (("title", push.title), ("body", push.body)) if text}
    aps: dict[str, Any] = {**_apple.aps_of(push), **({"alert": shown} if shown else {})}
    return msgspec.json.encode({"aps": aps, **push.data})


def _reason(answer: Answer) -> str:
    """Apple's word for what went wrong."""
    match answer.json():
        case {"reason": str(reason)} if re.fullmatch(r"[A-Za-z]{1,64}", reason):
            return reason
        case _:
            return ""


def _error(answer: Answer) -> Exception:
    reason = _reason(answer)
    what = f"Apple says {reason}"
    if answer.status == 410:
        return DeviceGone("the app is not registered on it any more", provider=_PROVIDER)
    if reason in _OF_DEVICE:
        return InvalidDevice(f"{what}: it is of another app, or of the other `url`", provider=_PROVIDER)
    if reason in _OF_TOPIC:
        return _FAULTS.no_entry(what, "topic")
    return error_by_status(_FAULTS, _KINDS, answer, "private_key" if answer.status in (401, 403) else "url")
