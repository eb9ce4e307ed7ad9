"""Push provider `fcm`: Firebase Cloud Messaging, by its HTTP API v1."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

from oneiric import component
from oneiric.adapters._common.api import Answer, Api, Deadline, Kinds, error_by_status
from oneiric.adapters._common.google import ProjectTokens
from oneiric.adapters._common.network import Faults
from oneiric.adapters.push import (
    Accepted,
    Device,
    DeviceGone,
    InvalidDevice,
    InvalidPush,
    Push,
    PushClosed,
    PushError,
    PushMisconfigured,
    PushRefused,
    PushUnavailable,
    RateLimited,
    TooLong,
    _apple,
    check_push,
    seconds_of,
)

_PROVIDER = "fcm"
_FAULTS = Faults(_PROVIDER, PushUnavailable, PushRefused, PushMisconfigured)
_KINDS = Kinds(InvalidPush, TooLong, RateLimited)
_DEVICE = re.compile(r"[\x21-\x7e]{1,4096}")


@component(
    "adapter",
    "push",
    provider="fcm",
    priority=0,
    stack_level=-20,
    capabilities=("notifications", "push"),
    port="oneiric.adapters.push:Pushes",
)
class FCMPushes:
    """Sends to apps on Android, iOS and the web that registered with Firebase; a device is its registration token.

    Needs a project of Firebase; the extra `push-fcm`.

    `project`: the project's id; without it the one that the credentials are of.
    `credentials_file`: the key of a service account; without it the credentials of the environment: of
        `GOOGLE_APPLICATION_CREDENTIALS`, of gcloud, of the machine or the workload.
    `url`: where the API is.
    `ca_file`: a file of certificates to trust, instead of those the system trusts; for the API, not for who gives
        tokens.
    `timeout`: seconds for one call, with a new token where that is needed, and to wait for a free connection.
    `healthcheck_timeout`: seconds for a health check, and for the first one at the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    def __init__(
        self,
        *,
        project: str | None = None,
        credentials_file: Path | None = None,
        url: str = "https://fcm.googleapis.com",
        ca_file: Path | None = None,
        timeout: float = 10.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 20,
    ) -> None:
        _FAULTS.check_above_zero(timeout=timeout, healthcheck_timeout=healthcheck_timeout)
        self._api = Api(
            _FAULTS,
            PushClosed,
            base_url=url,
            setting="url",
            ca_file=ca_file,
            max_connections=max_connections,
            quiet=True,
        )
        self._tokens = ProjectTokens(
            _FAULTS, project, credentials_file, "https://www.googleapis.com/auth/firebase.messaging"
        )
        self._timeout = timeout
        self._healthcheck_timeout = healthcheck_timeout

    async def start(self) -> None:
        await self._api.open()
        deadline = Deadline.within(self._healthcheck_timeout)
        await self._tokens.load(deadline)
        await self._ask_health(deadline)

    async def health(self) -> bool:
        try:
            await self._ask_health(Deadline.within(self._healthcheck_timeout))
        except PushError:
            return False
        return True

    async def aclose(self) -> None:
        await self._api.aclose()

    async def send(self, device: Device, push: Push) -> Accepted:
        self._api.check_open()
        check_push(push, _PROVIDER)
        if not isinstance(device, str) or not _DEVICE.fullmatch(device):
            raise InvalidDevice("it is not a registration token", provider=_PROVIDER)
        return Accepted(await self._ask({"message": _message(device, push)}, Deadline.within(self._timeout)))

    async def _ask_health(self, deadline: Deadline) -> None:
        """A message that is only looked at, with the rights that sending needs."""
        await self._ask({"validate_only": True, "message": {"topic": "health", "data": {"a": "b"}}}, deadline)

    async def _ask(self, body: object, deadline: Deadline) -> str:
        """The name of the message."""
        path = f"/v1/projects/{self._tokens.project}/messages:send"
        answer = await self._tokens.ask(self._api, "POST", path, body, deadline=deadline)
        match answer.status, answer.json():
            case 200, {"name": str(name)}:
                return name
            case _, {"error": {"details": [*details]}}:
                raise _error(answer, details)
            case _:
                raise _error(answer, [])


def _message(device: str, push: Push) -> dict[str, Any]:
    ttl = seconds_of(push)
    shown = {name: text for name, text in (("title", push.title), ("body", push.body)) if text}
    collapse = {} if push.collapse is None else {"collapse_key": push.collapse}
    topic = {} if push.collapse is None else {"Topic": push.collapse}
    urgency = {"TTL": str(ttl), "Urgency": "high" if push.urgent else "normal", **topic}
    android = {"ttl": f"{ttl}s", "priority": "HIGH" if push.urgent else "NORMAL", **collapse}
    apple = {"headers": _apple.headers_of(push), "payload": {"aps": _apple.aps_of(push)}}
    return {
        "token": device,
        **({"notification": shown} if shown else {}),
        "data": dict(push.data),
        "android": android,
        "apns": apple,
        "webpush": {"headers": urgency},
    }


def _error(answer: Answer, details: list[Any]) -> Exception:
    """What the code of FCM, or else the status, says went wrong."""
    told = [cast("dict[str, Any]", each) for each in details if isinstance(each, dict)]
    codes = [each["errorCode"] for each in told if "errorCode" in each]
    is_of_a_field = any("fieldViolations" in each for each in told)
    if "UNREGISTERED" in codes:
        return DeviceGone("the app is not registered any more", provider=_PROVIDER)
    if "SENDER_ID_MISMATCH" in codes:
        return InvalidDevice("the app is registered with another project", provider=_PROVIDER, setting="project")
    if answer.status == 400 and codes == ["INVALID_ARGUMENT"] and not is_of_a_field:
        return InvalidDevice("it is not a registration token", provider=_PROVIDER)
    setting = "credentials_file" if answer.status in (401, 403) else "project" if answer.status == 404 else "url"
    return error_by_status(_FAULTS, _KINDS, answer, setting)
