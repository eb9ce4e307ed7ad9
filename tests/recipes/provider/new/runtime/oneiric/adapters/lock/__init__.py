"""The port `lock`: names that one holder has at a time."""

from __future__ import annotations

from typing import Protocol

from oneiric.errors import AdapterError, Closed, Misconfigured, Refused, Unavailable

MAX_TTL = 24 * 3600.0
"""Seconds a lock is held, at most."""


class LockError(AdapterError):
    """Anything a lock raises."""

    key = "lock"


class LockClosed(LockError, Closed):
    """It was closed, or not started yet."""


class LockUnavailable(LockError, Unavailable):
    """The server does not answer, or not in time. What was under way may have happened or not."""


class LockRefused(LockError, Refused):
    """The server turns this component away: its credentials, its certificate or what it may do."""


class LockMisconfigured(LockError, Misconfigured, ValueError):
    """Settings that are malformed or contradict each other; `setting` is one of them."""


class InvalidLock(LockError):
    """A name or ttl of a wrong type or outside the limits of the port."""


class Lock(Protocol):
    """Names that one holder has at a time. Who holds one longer than its `ttl` has lost it."""

    async def acquire(self, name: str, *, ttl: float) -> str | None:
        """Take a name for `ttl` seconds: a token for `release`, or None while another has it."""
        ...

    async def release(self, name: str, token: str) -> bool:
        """Give a name back; whether it was still held by this token."""
        ...


def check_lock(name: str, ttl: float) -> None:
    """Raise `InvalidLock` unless they are a name and a time to hold it. For providers."""
    if not name or "\0" in name or not name.isprintable():
        raise InvalidLock("a name is printable text")
    if not 0 < ttl <= MAX_TTL:
        raise InvalidLock(f"a ttl is above 0 and at most {MAX_TTL:g} seconds")
