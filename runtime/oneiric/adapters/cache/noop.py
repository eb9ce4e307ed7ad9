"""Cache provider `noop`: keeps nothing, for where nothing is to be cached."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from oneiric import component
from oneiric.adapters.cache import (
    CacheClosed,
    check_amount,
    check_entries,
    check_key,
    check_keys,
    check_ttl,
    check_value,
)


@component(
    "adapter",
    "cache",
    provider="noop",
    priority=0,
    stack_level=-15,
    port="oneiric.adapters.cache:Cache",
)
class NoopCache:
    """Keeps nothing: each entry is gone as soon as it was set, and each `increment` counts from 0.

    What is wrong with a call is told as by every other cache.
    """

    def __init__(self) -> None:
        self._closed = False

    async def health(self) -> bool:
        return not self._closed

    async def aclose(self) -> None:
        self._closed = True

    async def get(self, key: str) -> bytes | None:
        self._check_open()
        check_key(key)
        return None

    async def get_many(self, keys: Collection[str]) -> dict[str, bytes]:
        self._check_open()
        check_keys(keys)
        return {}

    async def set(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        await self.set_many({key: value}, ttl=ttl)

    async def set_many(self, entries: Mapping[str, bytes], *, ttl: float | None = None) -> None:
        self._check_open(ttl)
        check_entries(entries)

    async def add(self, key: str, value: bytes, *, ttl: float | None = None) -> bool:
        self._check_open(ttl)
        check_key(key)
        check_value(value)
        return True

    async def delete(self, key: str) -> bool:
        self._check_open()
        check_key(key)
        return False

    async def delete_prefix(self, prefix: str) -> int:
        self._check_open()
        check_key(prefix)
        return 0

    async def exists(self, key: str) -> bool:
        self._check_open()
        check_key(key)
        return False

    async def increment(self, key: str, amount: int = 1, *, ttl: float | None = None) -> int:
        self._check_open(ttl)
        check_key(key)
        check_amount(amount)
        return amount

    async def clear(self) -> None:
        self._check_open()

    def _check_open(self, ttl: float | None = None) -> None:
        if self._closed:
            raise CacheClosed("the cache is closed", provider="noop")
        if ttl is not None:
            check_ttl(ttl)
