"""The port `push`: notifications to apps and browsers on devices."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import msgspec

from oneiric.adapters._common.accepted import Accepted as Accepted
from oneiric.errors import AdapterError, Closed, Misconfigured, Refused, Unavailable

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Device: TypeAlias = "str | Mapping[str, Json]"
"""The token that an app registered, or the subscription of a browser, as it is or as its JSON."""

MAX_SIZE = 3800
"""Bytes of title, body and data as JSON: services take 4096, encrypted and with what is around them."""
MAX_TTL = 28 * 86400.0
"""Seconds that a service keeps what it cannot deliver yet."""
_NAME = re.compile(r"(?!(?:aps|from|message_type|gcm.*|google.*)\Z)[A-Za-z0-9_.-]{1,64}")
_COLLAPSE = re.compile(r"[A-Za-z0-9_-]{1,32}")


class PushError(AdapterError):
    """Anything a push adapter raises. It shows nothing of a device or of what was sent."""

    key = "push"


class PushClosed(PushError, Closed):
    """It was closed, or not started yet."""


class PushUnavailable(PushError, Unavailable):
    """The service does not answer, or not in time, or says that it failed; the push may have been taken or not."""


class RateLimited(PushUnavailable):
    """The service takes no more for now, or not for this device; `retry_after`: the seconds it asks to wait, if it
    says so."""

    retry_after: float | None = None


class PushRefused(PushError, Refused):
    """The service turns this component away: its key, its certificate or what it may do."""


class PushMisconfigured(PushError, Misconfigured, ValueError):
    """Settings that are malformed or contradict each other; `setting` is one of them."""


class InvalidDevice(PushError, ValueError):
    """It is not a device that this component can send to: malformed, or registered with another app or key."""


class DeviceGone(InvalidDevice):
    """The device was one and is not any more, for good: forget it."""


class InvalidPush(PushError, ValueError):
    """A push outside the limits of the port, or that the service does not take."""


class TooLong(InvalidPush):
    """Title, body and data are longer than services take. Nothing is cut."""


@dataclass(frozen=True, slots=True)
class Push:
    """What a device is told. With neither `title` nor `body` nothing is shown: the app alone gets the `data`.

    `ttl`: seconds that it is kept for a device that is away, at most `MAX_TTL`; with 0 it is delivered now or never.
    `urgent`: whether it may wake the device. `collapse`: takes the place of one with the same text that was not
    delivered yet: 1 to 32 ASCII letters, digits, `_` and `-`.
    """

    title: str = ""
    body: str = ""
    data: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    ttl: float = 86400.0
    urgent: bool = False
    collapse: str | None = None


class Pushes(Protocol):
    """Sends to one device at a time, once: what fails is not tried again, as it may have been taken."""

    async def send(self, device: Device, push: Push) -> Accepted:
        """Hand a push to the service of a device.

        Raises `InvalidPush`, `TooLong`, `InvalidDevice`, `DeviceGone`, `RateLimited`, `PushUnavailable`, `PushRefused`.
        """
        ...


def check_push(push: Push, provider: str) -> None:
    """Raise `InvalidPush` or `TooLong`. For providers."""

    def wrong(what: str) -> InvalidPush:
        return InvalidPush(what, provider=provider)

    if not isinstance(push.data, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise wrong("data is a mapping of names to texts")
    for name in push.data:
        if not isinstance(name, str) or not _NAME.fullmatch(name):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise wrong("a name of data is 1 to 64 ASCII letters, digits, `_`, `.` and `-`, and none that services use")
    for text in (push.title, push.body, *push.data.values()):
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise wrong("title, body and data are texts")
    if not (push.title or push.body or push.data):
        raise wrong("title, body and data are empty")
    if not isinstance(push.ttl, int | float) or not 0 <= push.ttl <= MAX_TTL:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise wrong(f"a ttl is 0 to {MAX_TTL:g} seconds")
    if push.collapse is not None and not (isinstance(push.collapse, str) and _COLLAPSE.fullmatch(push.collapse)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise wrong("a collapse is 1 to 32 ASCII letters, digits, `_` and `-`")
    try:
        size = len(payload_of(push))
    except ValueError:
        raise wrong("a text has a lone surrogate") from None
    if size > MAX_SIZE:
        raise TooLong(f"title, body and data have {size} bytes as JSON, of at most {MAX_SIZE}", provider=provider)


def payload_of(push: Push) -> bytes:
    """Title, body and data as JSON, which is what a browser gets."""
    return msgspec.json.encode({"title": push.title, "body": push.body, "data": dict(push.data)})


def seconds_of(push: Push) -> int:
    """The ttl in whole seconds, of which none is none."""
    return math.ceil(push.ttl)
