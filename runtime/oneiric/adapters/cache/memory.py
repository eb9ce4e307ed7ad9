"""Cache provider `memory`: a dictionary of this process."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from heapq import heapify, heappop, heappush
from math import inf
from time import monotonic

from oneiric import component
from oneiric.adapters.cache import (
    CacheClosed,
    check_amount,
    check_entries,
    check_key,
    check_keys,
    check_ttl,
    check_value,
    integer,
    within_64_bits,
)


@component(
    "adapter",
    "cache",
    provider="memory",
    priority=0,
    stack_level=-10,
    capabilities=("kv", "ttl"),
    port="oneiric.adapters.cache:Cache",
)
class MemoryCache:
    """Keeps entries in memory, least recently used last to stay.

    `default_ttl`: seconds an entry lives when its writer does not say; for ever by default.
    `max_entries`: how many entries stay; the least recently read or written one goes first. No limit by default.

    No method suspends, so each is atomic for the tasks of its loop. Time is monotonic: a changed wall clock
    expires nothing. Expired entries are dropped by the next call of any method.
    """

    def __init__(self, *, default_ttl: float | None = None, max_entries: int | None = None) -> None:
        if default_ttl is not None:
            check_ttl(default_ttl)
        if max_entries is not None and max_entries < 1:
            raise ValueError("max_entries is at least 1, or None for no limit")
        self._default_ttl = inf if default_ttl is None else default_ttl
        self._max_entries = inf if max_entries is None else max_entries
        self._entries: dict[str, tuple[bytes, float]] = {}  # value and deadline, least recently used first
        self._deadlines: list[tuple[float, str]] = []  # a heap; some may be gone
        self._closed = False

    async def health(self) -> bool:
        return not self._closed

    async def aclose(self) -> None:
        self._closed = True
        self._forget_all()

    async def get(self, key: str) -> bytes | None:
        check_key(key)
        return self._used(self._live(), key)

    async def get_many(self, keys: Collection[str]) -> dict[str, bytes]:
        check_keys(keys)
        entries = self._live()
        found = ((key, self._used(entries, key)) for key in keys)
        return {key: value for key, value in found if value is not None}

    async def set(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        check_key(key)
        check_value(value)
        self._put({key: value}, ttl)

    async def set_many(self, entries: Mapping[str, bytes], *, ttl: float | None = None) -> None:
        check_entries(entries)
        self._put(entries, ttl)

    def _put(self, entries: Mapping[str, bytes], ttl: float | None) -> None:
        deadline = self._deadline(ttl)
        there = self._live()
        for key, value in entries.items():
            there.pop(key, None)
            self._keep(key, value, deadline)

    async def add(self, key: str, value: bytes, *, ttl: float | None = None) -> bool:
        check_key(key)
        check_value(value)
        deadline = self._deadline(ttl)
        if key in self._live():
            return False
        self._keep(key, value, deadline)
        return True

    async def delete(self, key: str) -> bool:
        check_key(key)
        return self._live().pop(key, None) is not None

    async def delete_prefix(self, prefix: str) -> int:
        check_key(prefix)
        entries = self._live()
        doomed = [key for key in entries if key.startswith(prefix)]
        for key in doomed:
            del entries[key]
        return len(doomed)

    async def exists(self, key: str) -> bool:
        check_key(key)
        return key in self._live()

    async def increment(self, key: str, amount: int = 1, *, ttl: float | None = None) -> int:
        check_key(key)
        check_amount(amount)
        deadline = self._deadline(ttl)
        entries = self._live()
        before = 0
        if key in entries:
            before, deadline = integer(entries[key][0]), entries[key][1]
        total = within_64_bits(before + amount)
        renewed = entries.pop(key, None) is not None
        self._keep(key, str(total).encode(), deadline, noted=renewed)
        return total

    async def clear(self) -> None:
        self._live()
        self._forget_all()

    def _live(self) -> dict[str, tuple[bytes, float]]:
        """The entries, now that the expired ones are dropped."""
        if self._closed:
            raise CacheClosed("the cache is closed")
        now = monotonic()
        while self._deadlines and self._deadlines[0][0] <= now:
            deadline, expired = heappop(self._deadlines)
            if expired in self._entries and self._entries[expired][1] == deadline:
                del self._entries[expired]
        return self._entries

    @staticmethod
    def _used(entries: dict[str, tuple[bytes, float]], key: str) -> bytes | None:
        if key not in entries:
            return None
        entries[key] = entry = entries.pop(key)
        return entry[0]

    def _deadline(self, ttl: float | None) -> float:
        if ttl is None:
            return monotonic() + self._default_ttl
        check_ttl(ttl)
        return monotonic() + ttl

    def _keep(self, key: str, value: bytes, deadline: float, *, noted: bool = False) -> None:
        self._entries[key] = (value, deadline)
        if len(self._entries) > self._max_entries:
            del self._entries[next(iter(self._entries))]
        if deadline < inf and not noted:
            heappush(self._deadlines, (deadline, key))
        if len(self._deadlines) > 2 * len(self._entries) + 64:
            self._deadlines = [(until, name) for name, (_, until) in self._entries.items() if until < inf]
            heapify(self._deadlines)

    def _forget_all(self) -> None:
        self._entries.clear()
        self._deadlines.clear()
