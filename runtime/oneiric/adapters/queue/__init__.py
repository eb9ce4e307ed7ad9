"""The port `queue`: messages for workers, each done by one of them, at least once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from oneiric.errors import AdapterError, Closed, Misconfigured, Refused, Unavailable

MAX_BODY = 512 * 1024
"""Bytes of a message's body, at most."""
MAX_HEADERS = 4096
"""Bytes of all names and values of a message's headers in UTF-8, at most."""
MAX_WAIT = 3600.0
"""Seconds `consume` waits for a message, at most."""
MAX_ACK_WAIT = 30 * 86400.0
"""Seconds a consumer has for a message, at most, where a server counts them."""


class QueueError(AdapterError):
    """Anything a queue raises."""

    key = "queue"


class QueueClosed(QueueError, Closed):
    """The queue was closed, or not started yet."""


class QueueUnavailable(QueueError, Unavailable):
    """The server behind the queue does not answer, or not in time; trying again later may help.

    A message whose `publish` raised this may be in the queue or not; one whose acknowledgement did comes again.
    """


class QueueRefused(QueueError, Refused):
    """The server turns this component away: its credentials, its certificate or what it may do."""


class QueueMisconfigured(QueueError, Misconfigured, ValueError):
    """Settings that are malformed or contradict each other; `setting` is one of them."""


class InvalidMessage(QueueError):
    """A body, header or waiting time of a wrong type or outside the limits of the port."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message as its consumer gets it.

    `id` is the queue's name for it; `attempt` is 1 the first time it is delivered, 2 the second.
    """

    id: str
    body: bytes
    headers: Mapping[str, str] = field(hash=False)
    attempt: int


class Queue(Protocol):
    """Keeps messages until a consumer has done them. Every message goes to one consumer at a time.

    Messages come in the order they were published, except those that come again. A message comes again when its
    consumer failed, or did not finish within the `ack_wait` of the component; after `max_deliveries` attempts it
    is a dead letter. So a message may be done more than once: consumers have to bear that. A queue has one name,
    which is a setting; an application with two queues declares two keys.
    """

    async def publish(self, body: bytes, *, headers: Mapping[str, str] | None = None) -> str:
        """Keep a message; its id. When this returns, the server has the message.

        A body is `bytes` of at most `MAX_BODY`. Names of headers are lower-case identifiers that may have `-`,
        values printable text, together at most `MAX_HEADERS` bytes.
        """
        ...

    def consume(self, *, wait: float = 10.0, dead: bool = False) -> AbstractAsyncContextManager[Message | None]:
        """The next message, for an `async with` block: acknowledged at its end, and gone.

        An error in the block, or its cancellation, gives the message back at once. None when no message came for
        `wait` seconds (0 to `MAX_WAIT`; 0 does not wait). With `dead` it is a dead letter: one that is given back
        stays one.
        """
        ...


class Listener(Protocol):
    """Whoever listens to what is broadcast by a queue."""

    async def next(self, *, wait: float = 10.0) -> Message | None:
        """The next message; None when none came for `wait` seconds. Raises `QueueUnavailable` where the connection
        broke: messages may have been missed, listen again."""
        ...


class Fanout(Protocol):
    """What a queue of the capability `fanout` has as well: messages to everybody who listens just then. They are not
    kept, and apart from those of `publish`."""

    async def broadcast(self, body: bytes, *, headers: Mapping[str, str] | None = None) -> None:
        """Tell all who listen, in this process and in others; a message is what it is for `publish`, without an id."""
        ...

    def listen(self) -> AbstractAsyncContextManager[Listener]:
        """Hear what is broadcast from the beginning of an `async with` block to its end, in the order of each sender.
        Of messages that nobody takes for long the oldest are dropped."""
        ...


_HEADER = re.compile(r"[a-z][a-z0-9_-]*")


def check_message(body: bytes, headers: Mapping[str, str]) -> None:
    """Raise `InvalidMessage` unless these can be a message. For providers, like `check_wait`."""
    if not isinstance(body, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidMessage(f"a body is bytes, not {type(body).__name__}")
    if len(body) > MAX_BODY:
        raise InvalidMessage(f"a body has at most {MAX_BODY} bytes, this one has {len(body)}")
    if headers:
        _check_headers(headers)


def check_wait(wait: float) -> None:
    """Raise `InvalidMessage` unless `wait` is a number of seconds within the limits."""
    if isinstance(wait, bool) or not isinstance(wait, int | float):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidMessage(f"a waiting time is a number of seconds, not {type(wait).__name__}")
    if not 0 <= wait <= MAX_WAIT:
        raise InvalidMessage(f"a waiting time is 0 to {MAX_WAIT:g} seconds")


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not isinstance(name, str) or not _HEADER.fullmatch(name):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidMessage(f"{name!r} is not a valid header name: a lower-case identifier is expected")
        if not isinstance(value, str) or not value.isprintable():  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidMessage(f"the header {name} is not printable text")
    if sum(len(name) + len(value.encode()) for name, value in headers.items()) > MAX_HEADERS:
        raise InvalidMessage(f"headers have at most {MAX_HEADERS} bytes of UTF-8")
