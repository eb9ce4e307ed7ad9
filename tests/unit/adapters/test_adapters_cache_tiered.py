"""The layer of the cache that keeps copies: the contract around a cache, and what is its own."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import oneiric
import pytest
from oneiric import Runtime
from oneiric.adapters.cache import Cache, CacheMisconfigured, CacheUnavailable, memory, tiered
from oneiric.adapters.cache.memory import MemoryCache
from oneiric.adapters.cache.tiered import TieredCache
from oneiric.testing.contracts import CacheContract, started

from tests.unit.runtime.projects import compiled

LONG = 3600.0


@asynccontextmanager
async def around_memory() -> AsyncGenerator[Cache, None]:
    async with started(MemoryCache()) as inner, started(TieredCache(inner=inner, ttl=LONG)) as layer:
        yield layer


class TestTieredCache(CacheContract):
    def fresh(self) -> AbstractAsyncContextManager[Cache]:
        return around_memory()


class Clock:
    """Stands in for the monotonic clock of both."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Wrapped(MemoryCache):
    """A cache that others use too; its reads can be held up, and its changes fail after they are made."""

    def __init__(self) -> None:
        super().__init__(default_ttl=1000.0)
        self.asked: list[str] = []
        self.meanwhile: Callable[[], Awaitable[object]] | None = None
        self.breaks = False

    async def get(self, key: str) -> bytes | None:
        self.asked.append(key)
        value = await super().get(key)
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        return value

    async def get_many(self, keys: Any) -> dict[str, bytes]:
        return {key: value for key in keys if (value := await self.get(key)) is not None}

    async def set(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        await super().set(key, value, ttl=ttl)
        if self.breaks:
            raise CacheUnavailable("it is gone")


@pytest.fixture(name="clock")
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(memory, "monotonic", clock)
    monkeypatch.setattr(tiered, "monotonic", clock)
    return clock


def held(cache: TieredCache) -> int:
    """How many things it holds in memory, of any kind."""
    return sum(len(part) for part in vars(cache).values() if hasattr(part, "__len__"))


def through(story: Callable[[TieredCache, Wrapped], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        inner = Wrapped()
        given: dict[str, Any] = {"ttl": 5.0, **settings}
        await story(TieredCache(inner=inner, **given), inner)

    asyncio.run(main())


def test_what_others_change_is_seen_within_the_ttl_and_not_before(clock: Clock) -> None:
    async def story(cache: TieredCache, inner: Wrapped) -> None:
        await inner.set("key", b"old")
        assert await cache.get("key") == b"old"
        await inner.set("key", b"new")
        clock.now += 4.999
        assert await cache.get("key") == b"old"
        assert await cache.get_many(["key", "none"]) == {"key": b"old"}
        assert await cache.exists("key")
        clock.now += 0.001
        assert await cache.get("key") == b"new"
        await inner.delete("key")
        clock.now += 5
        assert not await cache.exists("key")
        assert await cache.get_many(["key"]) == {}
        assert inner.asked == ["key", "none", "key", "key"]

    through(story)


def test_the_time_of_a_copy_begins_when_it_was_asked_for(clock: Clock) -> None:
    async def slow() -> None:
        clock.now += 4

    async def story(cache: TieredCache, inner: Wrapped) -> None:
        await inner.set("key", b"old")
        inner.meanwhile = slow
        await cache.get("key")
        await inner.set("key", b"new")
        clock.now += 1
        assert await cache.get("key") == b"new"

    through(story)


def test_that_nothing_is_there_is_not_kept(clock: Clock) -> None:
    async def story(cache: TieredCache, inner: Wrapped) -> None:
        assert await cache.get("key") is None
        await inner.set("key", b"value")
        assert await cache.get("key") == b"value"

    through(story)


CHANGES: dict[str, Callable[[Cache], Awaitable[Any]]] = {
    "set": lambda cache: cache.set("key", b"7"),
    "set_many": lambda cache: cache.set_many({"other": b"1", "key": b"7"}),
    "increment": lambda cache: cache.increment("key"),
    "delete": lambda cache: cache.delete("key"),
    "delete_prefix": lambda cache: cache.delete_prefix("k"),
    "clear": lambda cache: cache.clear(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("many", [False, True])
def test_a_change_is_seen_at_once_and_no_read_that_it_overtook_is_kept(change: Any, many: bool, clock: Clock) -> None:
    async def story(cache: TieredCache, inner: Wrapped) -> None:
        async def read() -> bytes | None:
            return (await cache.get_many(["key"])).get("key") if many else await cache.get("key")

        await inner.set("key", b"6")
        assert await read() == b"6"
        await change(cache)
        assert await read() == await inner.get("key") != b"6"
        await cache.set("key", b"6")
        inner.meanwhile = lambda: change(cache)
        assert await read() == b"6", "it was asked for before"
        assert await read() == await inner.get("key") != b"6"

    through(story)


def test_what_is_added_in_place_of_what_expired_is_seen_at_once(clock: Clock) -> None:
    async def story(cache: TieredCache, inner: Wrapped) -> None:
        await inner.set("key", b"old", ttl=1)
        assert await cache.get("key") == b"old"
        clock.now += 2
        assert await cache.add("key", b"new")
        assert await cache.get("key") == b"new"

    through(story)


def test_a_change_that_fails_may_have_happened(clock: Clock) -> None:
    async def story(cache: TieredCache, inner: Wrapped) -> None:
        await cache.set("key", b"old")
        assert await cache.get("key") == b"old"
        inner.breaks = True
        with pytest.raises(CacheUnavailable):
            await cache.set("key", b"new", ttl=1)
        assert await cache.get("key") == b"new"
        clock.now += 1
        assert await cache.get("key") is None

    through(story)


WRITES: dict[str, Callable[[Cache], Awaitable[Any]]] = {
    "set": lambda cache: cache.set("key", b"1", ttl=1),
    "set_many": lambda cache: cache.set_many({"key": b"1"}, ttl=1),
    "add": lambda cache: cache.add("key", b"1", ttl=1),
    "increment": lambda cache: cache.increment("key", ttl=1),
    "increment twice": lambda cache: counted_twice(cache),
}


async def counted_twice(cache: Cache) -> None:
    await cache.set("key", b"0", ttl=1)
    await cache.increment("key", ttl=LONG)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_no_copy_outlives_an_entry_that_was_written_through_it(write: Any, clock: Clock) -> None:
    async def story(cache: TieredCache, inner: Wrapped) -> None:
        for _ in range(2):
            await write(cache)
            for _ in range(4):
                assert await cache.get("key") == b"1"
                clock.now += 0.25
            assert await cache.get("key") is None
        await inner.set("key", b"another's", ttl=LONG)
        assert await cache.get("key") == b"another's"
        asked = len(inner.asked)
        assert await cache.get("key") == b"another's"
        assert len(inner.asked) == asked, "a copy of that is kept"

    through(story)


def test_an_entry_for_ever_is_kept_like_others(clock: Clock) -> None:
    async def story(cache: TieredCache, inner: Wrapped) -> None:
        await cache.set("key", b"1", ttl=1)
        await cache.set("key", b"1", ttl=math.inf)
        await cache.get("key")
        clock.now += 4
        await cache.get("key")
        assert inner.asked == ["key"]

    through(story)


def test_so_many_are_kept_and_the_least_recently_read_goes_first(clock: Clock) -> None:
    async def story(cache: TieredCache, inner: Wrapped) -> None:
        for key in "abc":
            await inner.set(key, key.encode())
        for key in "abaca":
            await cache.get(key)
        assert inner.asked == ["a", "b", "c"]
        await cache.get("b")
        assert inner.asked == ["a", "b", "c", "b"]
        for number in range(50):
            await cache.set(f"{number}", b"x", ttl=LONG)
            await cache.get(f"{number}")
        assert held(cache) <= 4

    through(story, max_entries=2)


def test_what_a_caller_does_with_a_result_is_not_what_is_kept(clock: Clock) -> None:
    async def story(cache: TieredCache, inner: Wrapped) -> None:
        await cache.set_many({"a": b"1", "b": b"2"})
        for _ in range(2):
            found = await cache.get_many(["a", "b"])
            found["a"] = b"changed"
            del found["b"]
        assert await cache.get_many(["a", "b"]) == {"a": b"1", "b": b"2"}

    through(story)


def test_one_that_is_closed_keeps_nothing(clock: Clock) -> None:
    async def story(cache: TieredCache, inner: Wrapped) -> None:
        await inner.set("key", b"value")
        inner.meanwhile = cache.aclose
        await cache.get("key")
        assert held(cache) == 0

    through(story)


async def nothing(cache: TieredCache, inner: Wrapped) -> None:
    pass


@pytest.mark.parametrize(
    ("setting", "value"), [("ttl", 0), ("ttl", -1), ("ttl", math.nan), ("ttl", math.inf), ("max_entries", 0)]
)
def test_settings_that_make_no_sense_are_refused(setting: str, value: float) -> None:
    with pytest.raises(CacheMisconfigured) as caught:
        through(nothing, **{setting: value})
    assert (caught.value.provider, caught.value.setting) == ("tiered", setting)


ADAPTERS = "layers: {cache: [tiered]}\nprovider_settings: {tiered: {ttl: 3600}}\n"
ACME = "adapters: {provider_settings: {cache/memory: {max_entries: 5}}}\n"


def test_where_settings_place_it_tenants_with_a_cache_of_their_own_are_apart(tmp_path: Path) -> None:
    (tmp_path / "settings/tenants").mkdir(parents=True)
    compiled(tmp_path, **{"app": "name: shop\n", "adapters": ADAPTERS, "tenants/acme": ACME})

    async def main() -> None:
        wiring: Any = oneiric.load(tmp_path / "generated/wiring.py")
        async with Runtime(wiring) as runtime:
            ours: Cache = runtime.wiring.adapters.cache.live
            theirs: Cache = runtime.tenant("acme").adapters.cache.live
            await ours.set("key", b"ours")
            assert (await ours.get("key"), await theirs.get("key")) == (b"ours", None)
            await theirs.set("key", b"theirs")
            for _ in range(2):
                assert (await ours.get("key"), await theirs.get("key")) == (b"ours", b"theirs")
            await theirs.clear()
            assert (await ours.get("key"), await theirs.get("key")) == (b"ours", None)

    asyncio.run(main())
