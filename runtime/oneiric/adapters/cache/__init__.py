"""The port `cache`: values that may be forgotten."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import inf
from typing import Protocol

from oneiric.errors import AdapterError, Closed, Misconfigured, Refused, Unavailable

MAX_KEY = 512
"""Bytes of a key in UTF-8, at most."""
MAX_VALUE = 16 * 1024 * 1024
"""Bytes of a value, at most."""
MIN_TTL = 0.001
"""Seconds an entry lives, at least."""
MAX_TTL = 10 * 365 * 24 * 3600
"""Seconds an entry lives, at most, unless it is for ever (`math.inf`)."""


class CacheError(AdapterError):
    """Anything a cache raises."""

    key = "cache"


class CacheClosed(CacheError, Closed):
    """The cache was closed, or not started yet."""


class CacheUnavailable(CacheError, Unavailable):
    """The store behind the cache does not answer, or not in time; trying again later may help.

    A change that was under way may have happened or not.
    """


class CacheRefused(CacheError, Refused):
    """The store turns this component away: its credentials, its certificate or what it may do."""


class CacheMisconfigured(CacheError, Misconfigured, ValueError):
    """Settings that are malformed or contradict each other; `setting` is one of them."""


class InvalidEntry(CacheError):
    """A key, value, amount or ttl of a wrong type or outside the limits of the port."""


class NotAnInteger(CacheError):
    """`increment` met a value that is not an integer, or would leave the signed 64-bit range."""


class Cache(Protocol):
    """Keeps bytes under text keys, for a time. An entry may be gone at any moment: a cache is not storage.

    Keys are 1 to `MAX_KEY` bytes of UTF-8, values `bytes` of at most `MAX_VALUE`. A ttl is in seconds, at
    least `MIN_TTL` and at most `MAX_TTL`; `None` means the `default_ttl` of the component, `math.inf` never
    expires.
    """

    async def get(self, key: str) -> bytes | None:
        """The value, or None when there is none (any more)."""
        ...

    async def set(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        """Keep `value` under `key` for `ttl` seconds, in place of what was there."""
        ...

    async def delete(self, key: str) -> bool:
        """Forget one entry; whether there was one."""
        ...

    async def exists(self, key: str) -> bool:
        """Whether `get` would find a value."""
        ...

    async def increment(self, key: str, amount: int = 1, *, ttl: float | None = None) -> int:
        """Add `amount` to an integer in one atomic step and return the sum; a missing entry counts as 0.

        The value is its decimal text (`b"42"`). `ttl` is for the entry this call creates; an existing one
        keeps its expiry. Raises `NotAnInteger`.
        """
        ...

    async def add(self, key: str, value: bytes, *, ttl: float | None = None) -> bool:
        """Keep `value` unless there is an entry, in one atomic step; whether it was kept."""
        ...

    async def get_many(self, keys: Collection[str]) -> dict[str, bytes]:
        """The values there are, by their keys, in the order that was asked."""
        ...

    async def set_many(self, entries: Mapping[str, bytes], *, ttl: float | None = None) -> None:
        """Keep all of these for `ttl` seconds, and nothing where one of them is invalid. Others may see a part of
        them before the rest."""
        ...

    async def delete_prefix(self, prefix: str) -> int:
        """Forget the entries whose keys start with `prefix`; how many there were. One set meanwhile may stay."""
        ...

    async def clear(self) -> None:
        """Forget all entries of this cache."""
        ...


def check_key(key: str) -> None:
    """Raise `InvalidEntry` unless `key` is one. For providers, like the other checks."""
    if not isinstance(key, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidEntry(f"a key is text, not {type(key).__name__}")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise InvalidEntry("a key is text that UTF-8 can encode; this one has a lone surrogate") from None
    if not 1 <= size <= MAX_KEY:
        raise InvalidEntry(f"a key has 1 to {MAX_KEY} bytes of UTF-8, this one has {size}")


def check_keys(keys: Collection[str]) -> None:
    """Raise `InvalidEntry` unless all of them are keys; a single text is not several."""
    if isinstance(keys, str | bytes):
        raise InvalidEntry(f"several keys are a list or the like, not {type(keys).__name__}")
    for key in keys:
        check_key(key)


def check_entries(entries: Mapping[str, bytes]) -> None:
    """Raise `InvalidEntry` unless all of them are entries."""
    if not isinstance(entries, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidEntry(f"several entries are a mapping, not {type(entries).__name__}")
    for key, value in entries.items():
        check_key(key)
        check_value(value)


def check_value(value: bytes) -> None:
    """Raise `InvalidEntry` unless `value` is `bytes` within the limit."""
    if not isinstance(value, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidEntry(f"a value is bytes, not {type(value).__name__}")
    if len(value) > MAX_VALUE:
        raise InvalidEntry(f"a value has at most {MAX_VALUE} bytes, this one has {len(value)}")


def check_ttl(ttl: float) -> None:
    """Raise `InvalidEntry` unless `ttl` is a time to live in seconds (`math.inf` is one)."""
    if isinstance(ttl, bool) or not isinstance(ttl, int | float):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidEntry(f"a ttl is a number of seconds, not {type(ttl).__name__}")
    if not (MIN_TTL <= ttl <= MAX_TTL or ttl == inf):
        raise InvalidEntry(f"a ttl is {MIN_TTL} to {MAX_TTL} seconds, or math.inf")


def integer(value: bytes) -> int:
    """The integer of an entry; raises `NotAnInteger` for all but canonical decimal text."""
    digits = value[1:] if value[:1] == b"-" else value
    if len(digits) > 19 or not digits.isdigit() or str(int(value)).encode() != value:
        raise NotAnInteger("the value is not an integer")
    return within_64_bits(int(value))


def within_64_bits(number: int) -> int:
    """`number` itself; raises `NotAnInteger` outside the signed 64-bit range."""
    if not -(2**63) <= number < 2**63:
        raise NotAnInteger("the number leaves the signed 64-bit range")
    return number


def check_amount(amount: int) -> None:
    """Raise `InvalidEntry` unless `amount` is an integer, `NotAnInteger` outside the signed 64-bit range."""
    if isinstance(amount, bool) or not isinstance(amount, int):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidEntry(f"an amount is an integer, not {type(amount).__name__}")
    within_64_bits(amount)
