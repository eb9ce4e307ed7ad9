"""The cache of this process: the contract, a model, and what is its own."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.adapters.cache import Cache, InvalidEntry, memory
from oneiric.adapters.cache.memory import MemoryCache
from oneiric.testing.contracts import CacheContract, started


class TestMemoryCache(CacheContract):
    def fresh(self) -> AbstractAsyncContextManager[Cache]:
        return started(MemoryCache())


class TestBoundedMemoryCache(CacheContract):
    def fresh(self) -> AbstractAsyncContextManager[Cache]:
        return started(MemoryCache(max_entries=100, default_ttl=3600.0))


class Clock:
    """Stands in for the monotonic clock."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(name="clock")
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(memory, "monotonic", clock)
    return clock


def held(cache: MemoryCache) -> int:
    """How many things the cache holds in memory, of any kind."""
    return sum(len(part) for part in vars(cache).values() if hasattr(part, "__len__"))


def test_an_entry_lives_exactly_its_ttl(clock: Clock) -> None:
    async def main() -> None:
        cache = MemoryCache()
        await cache.set("key", b"value", ttl=60)
        clock.now += 59.999
        assert await cache.get("key") == b"value"
        clock.now += 0.001
        assert await cache.get("key") is None

    asyncio.run(main())


def test_the_default_ttl_is_for_writers_that_say_none(clock: Clock) -> None:
    async def main() -> None:
        cache = MemoryCache(default_ttl=10)
        await cache.set("default", b"1")
        await cache.increment("counter")
        await cache.set("own", b"1", ttl=20)
        await cache.set("for ever", b"1", ttl=math.inf)
        clock.now += 10
        found = [await cache.exists(key) for key in ("default", "counter", "own", "for ever")]
        assert found == [False, False, True, True]

    asyncio.run(main())


def test_the_least_recently_used_entry_goes_first() -> None:
    async def main() -> None:
        cache = MemoryCache(max_entries=3)
        for key in ("a", "b", "c"):
            await cache.set(key, b"1")
        await cache.get("a")
        await cache.increment("b")
        await cache.set("d", b"1")
        assert [await cache.exists(key) for key in "abcd"] == [True, True, False, True]

    asyncio.run(main())


def test_looking_whether_an_entry_exists_is_no_use_of_it() -> None:
    async def main() -> None:
        cache = MemoryCache(max_entries=2)
        await cache.set("a", b"1")
        await cache.set("b", b"1")
        await cache.exists("a")
        await cache.set("c", b"1")
        assert [await cache.exists(key) for key in "abc"] == [False, True, True]

    asyncio.run(main())


def test_writing_to_a_full_cache_over_an_entry_evicts_nothing() -> None:
    async def main() -> None:
        cache = MemoryCache(max_entries=2)
        await cache.set("a", b"1")
        await cache.set("b", b"1")
        await cache.set("a", b"2")
        await cache.increment("b")
        assert (await cache.get("a"), await cache.get("b")) == (b"2", b"2")

    asyncio.run(main())


def test_expired_entries_do_not_count(clock: Clock) -> None:
    async def main() -> None:
        cache = MemoryCache(max_entries=2)
        await cache.set("lasting", b"1")
        await cache.set("short", b"1", ttl=1)
        await cache.get("short")
        clock.now += 1
        await cache.set("new", b"1")
        assert await cache.exists("lasting")

    asyncio.run(main())


def test_memory_stays_bounded_under_many_expired_keys(clock: Clock) -> None:
    async def main() -> None:
        cache = MemoryCache()
        for number in range(20_000):
            await cache.set(f"key{number}", b"value", ttl=5)
            clock.now += 1
        assert held(cache) < 100

    asyncio.run(main())


@pytest.mark.parametrize("settings", [{}, {"max_entries": 10}])
def test_memory_stays_bounded_under_many_writes_that_never_expire(settings: dict[str, int]) -> None:
    async def main() -> None:
        cache = MemoryCache(**settings, default_ttl=3600.0)
        for number in range(20_000):
            await cache.set(f"key{number % 10}" if not settings else f"key{number}", b"value")
        assert held(cache) < 200

    asyncio.run(main())


def test_deleted_entries_leave_nothing_behind() -> None:
    async def main() -> None:
        cache = MemoryCache(default_ttl=3600.0)
        for number in range(20_000):
            await cache.set(f"key{number}", b"value")
            await cache.delete(f"key{number}")
        assert held(cache) < 100
        await cache.set("key", b"value")
        await cache.clear()
        assert held(cache) == 0

    asyncio.run(main())


@pytest.mark.parametrize("limit", [0, -1])
def test_a_cache_without_room_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="max_entries"):
        MemoryCache(max_entries=limit)


@pytest.mark.parametrize("ttl", [0, -1.0, math.nan])
def test_a_default_ttl_out_of_bounds_is_refused(ttl: float) -> None:
    with pytest.raises(InvalidEntry):
        MemoryCache(default_ttl=ttl)


KEYS = st.sampled_from(["a", "b", "c", "d"])
TTLS = st.sampled_from([None, 1.0, 2.0, 5.0, math.inf])
STEPS = st.one_of(
    st.tuples(st.just("get"), KEYS),
    st.tuples(st.just("exists"), KEYS),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("set"), KEYS, st.sampled_from([b"1", b"22", b""]), TTLS),
    st.tuples(st.just("increment"), KEYS, st.integers(-3, 3), TTLS),
    st.tuples(st.just("clear")),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 1.0, 3.0])),
)


class Model:
    """The cache as plainly as it can be said: a dictionary looked through at every step."""

    def __init__(self, max_entries: int | None, default_ttl: float | None, clock: Clock) -> None:
        self.max_entries, self.default_ttl, self.clock = max_entries, default_ttl, clock
        self.entries: dict[str, tuple[bytes, float]] = {}
        self.used: dict[str, int] = {}
        self.ticks: Iterator[int] = count()

    def step(self, name: str, *arguments: object) -> object:
        self.entries = {key: entry for key, entry in self.entries.items() if entry[1] > self.clock.now}
        result = getattr(self, name)(*arguments)
        while self.max_entries is not None and len(self.entries) > self.max_entries:
            del self.entries[min(self.entries, key=self.used.__getitem__)]
        return result

    def get(self, key: str) -> bytes | None:
        self.used[key] = next(self.ticks)
        return self.entries.get(key, (None, 0.0))[0]

    def exists(self, key: str) -> bool:
        return key in self.entries

    def delete(self, key: str) -> bool:
        return self.entries.pop(key, None) is not None

    def set(self, key: str, value: bytes, ttl: float | None) -> None:
        self.used[key] = next(self.ticks)
        lasts = self.default_ttl if ttl is None else ttl
        self.entries[key] = (value, math.inf if lasts is None else self.clock.now + lasts)

    def increment(self, key: str, amount: int, ttl: float | None) -> int | str:
        before = self.entries.get(key)
        if before and before[0] == b"":
            return "NotAnInteger"
        total = int(before[0] if before else 0) + amount
        self.set(key, str(total).encode(), ttl)
        if before:
            self.entries[key] = (self.entries[key][0], before[1])
        return total

    def clear(self) -> None:
        self.entries.clear()


async def step(cache: MemoryCache, name: str, *arguments: object) -> object:
    ttl = {"ttl": arguments[2]} if len(arguments) == 3 else {}
    try:
        return await getattr(cache, name)(*arguments[:2], **ttl)
    except Exception as error:
        return type(error).__name__


@given(
    st.lists(STEPS, max_size=40),
    st.sampled_from([None, 1, 2, 3]),
    st.sampled_from([None, 2.0]),
)
def test_it_behaves_like_a_dictionary(
    steps: list[tuple[str, *tuple[object, ...]]], max_entries: int | None, default_ttl: float | None
) -> None:
    async def main() -> None:
        cache = MemoryCache(max_entries=max_entries, default_ttl=default_ttl)
        model = Model(max_entries, default_ttl, clock)
        for name, *arguments in steps:
            if name == "wait":
                clock.now += float(str(arguments[0]))
            else:
                assert await step(cache, name, *arguments) == model.step(name, *arguments)

    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "monotonic", clock)
        asyncio.run(main())
