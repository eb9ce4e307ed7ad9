"""The contract of the port `cache`."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from oneiric.adapters.cache import (
    MAX_KEY,
    MAX_TTL,
    MAX_VALUE,
    MIN_TTL,
    Cache,
    CacheError,
    CacheMisconfigured,
    CacheRefused,
    CacheUnavailable,
    InvalidEntry,
    NotAnInteger,
)
from oneiric.testing.contracts.networked import NetworkedContract
from oneiric.testing.contracts.running import Contract, cancelled_at_every_step, close, health

LONG = 3600.0


class CacheContract(Contract[Cache]):
    """Cases for a cache: subclass it and override `fresh`."""

    def test_a_fresh_cache_is_healthy_and_empty(self) -> None:
        async def case(cache: Cache) -> None:
            assert await health(cache)
            assert await cache.get("key") is None
            assert not await cache.exists("key")
            assert not await cache.delete("key")

        self.check(case)

    def test_a_value_is_got_as_it_was_set(self) -> None:
        async def case(cache: Cache) -> None:
            await cache.set("key", b"value")
            assert await cache.get("key") == b"value"
            assert await cache.exists("key")

        self.check(case)

    def test_the_last_value_set_is_the_one(self) -> None:
        async def case(cache: Cache) -> None:
            await cache.set("key", b"first", ttl=LONG)
            await cache.set("key", b"second")
            assert await cache.get("key") == b"second"

        self.check(case)

    @pytest.mark.parametrize("value", [b"", b"\0", bytes(range(256)), "héllo \N{SNOWMAN}".encode(), b"\r\n"])
    def test_every_byte_survives(self, value: bytes) -> None:
        async def case(cache: Cache) -> None:
            await cache.set("key", value)
            got = await cache.get("key")
            assert got == value
            assert type(got) is bytes
            assert await cache.exists("key")

        self.check(case)

    def test_a_value_as_big_as_may_be(self) -> None:
        async def case(cache: Cache) -> None:
            value = bytes(range(256)) * (MAX_VALUE // 256)
            await cache.set("key", value)
            assert await cache.get("key") == value

        self.check(case)

    @pytest.mark.parametrize(
        "key", ["k", " ", "a b", "a:b/c*?[x]", "ключ", "\N{SNOWMAN}", "line\nend", "\0", "k" * MAX_KEY]
    )
    def test_every_text_can_be_a_key(self, key: str) -> None:
        async def case(cache: Cache) -> None:
            await cache.set(key, b"value")
            await cache.set(f"{key}x"[-MAX_KEY:], b"another")
            assert await cache.get(key) == b"value"
            assert await cache.delete(key)
            assert await cache.get(key) is None

        self.check(case)

    @pytest.mark.parametrize("key", ["", "k" * (MAX_KEY + 1), "é" * (MAX_KEY // 2 + 1), "\ud800", b"key", None])
    def test_what_is_no_key_is_refused(self, key: Any) -> None:
        async def case(cache: Cache) -> None:
            for attempt in (
                cache.get(key),
                cache.set(key, b"value"),
                cache.delete(key),
                cache.exists(key),
                cache.increment(key),
                cache.add(key, b"value"),
                cache.get_many(["other", key]),
                cache.set_many({"other": b"value", key: b"value"}),
                cache.delete_prefix(key),
            ):
                with pytest.raises(InvalidEntry):
                    await attempt
            assert not await cache.exists("other")

        self.check(case)

    @pytest.mark.parametrize("value", ["text", None, 1, bytearray(b"x"), memoryview(b"x"), bytes(MAX_VALUE + 1)])
    def test_what_is_no_value_is_refused_and_the_old_one_stays(self, value: Any) -> None:
        async def case(cache: Cache) -> None:
            await cache.set("key", b"old")
            for attempt in (
                cache.set("key", value),
                cache.add("other", value),
                cache.set_many({"other": b"new", "key": value}),
            ):
                with pytest.raises(InvalidEntry):
                    await attempt
            assert await cache.get_many(["key", "other"]) == {"key": b"old"}

        self.check(case)

    @pytest.mark.parametrize(
        "ttl", [0, -1, 0.0, MIN_TTL / 2, MAX_TTL + 1, pytest.param(10**400, id="huge"), math.nan, -math.inf, "1", True]
    )
    def test_what_is_no_ttl_is_refused_and_the_old_value_stays(self, ttl: Any) -> None:
        async def case(cache: Cache) -> None:
            await cache.set("key", b"1")
            for attempt in (
                cache.set("key", b"2", ttl=ttl),
                cache.increment("key", ttl=ttl),
                cache.add("other", b"2", ttl=ttl),
                cache.set_many({"key": b"2"}, ttl=ttl),
            ):
                with pytest.raises(InvalidEntry):
                    await attempt
            assert await cache.get_many(["key", "other"]) == {"key": b"1"}

        self.check(case)

    def test_an_entry_expires(self) -> None:
        async def case(cache: Cache) -> None:
            await cache.set("short", b"value", ttl=0.02)
            await cache.set("long", b"value", ttl=LONG)
            await cache.set("for ever", b"value", ttl=math.inf)
            while await cache.exists("short"):
                await asyncio.sleep(0.005)
            assert await cache.get("short") is None
            assert not await cache.delete("short")
            assert await cache.get("long") == b"value"
            assert await cache.get("for ever") == b"value"

        self.check(case)

    def test_set_renews_the_ttl(self) -> None:
        async def case(cache: Cache) -> None:
            await cache.set("witness", b"value", ttl=0.05)
            await cache.set("renewed", b"value", ttl=0.02)
            await cache.set("renewed", b"value", ttl=LONG)
            while await cache.exists("witness"):
                await asyncio.sleep(0.005)
            assert await cache.exists("renewed")

        self.check(case)

    def test_delete_says_whether_there_was_an_entry(self) -> None:
        async def case(cache: Cache) -> None:
            await cache.set("key", b"value")
            assert await cache.delete("key") is True
            assert await cache.delete("key") is False
            assert await cache.get("key") is None

        self.check(case)

    def test_clear_forgets_everything(self) -> None:
        async def case(cache: Cache) -> None:
            for number in range(20):
                await cache.set(f"key{number}", b"value")
            await cache.clear()
            assert [await cache.get(f"key{number}") for number in range(20)] == [None] * 20
            await cache.clear()

        self.check(case)

    def test_many_are_set_and_got_at_once(self) -> None:
        async def case(cache: Cache) -> None:
            entries = {f"key{number}": f"value{number}".encode() for number in range(60)}
            await cache.set_many(entries)
            asked = ["key7", "missing", "key3", "key7", "key59"]
            got = await cache.get_many(asked)
            assert list(got.items()) == [("key7", b"value7"), ("key3", b"value3"), ("key59", b"value59")]
            assert await cache.get_many(entries.keys()) == entries
            await cache.set_many({})
            assert await cache.get_many([]) == {}

        self.check(case)

    def test_many_that_are_large_are_kept(self) -> None:
        async def case(cache: Cache) -> None:
            entries = {f"key{number}": bytes([number]) * 3_000_000 for number in range(4)}
            await cache.set_many(entries, ttl=LONG)
            assert await cache.get_many(tuple(entries)) == entries

        self.check(case)

    def test_many_expire_together(self) -> None:
        async def case(cache: Cache) -> None:
            await cache.set_many({"one": b"1", "two": b"2"}, ttl=0.02)
            await cache.set_many({"three": b"3"})
            while await cache.exists("one") or await cache.exists("two"):
                await asyncio.sleep(0.005)
            assert await cache.get_many(["one", "two", "three"]) == {"three": b"3"}

        self.check(case)

    @pytest.mark.parametrize("keys", ["key", b"key"])
    def test_a_text_is_not_several_keys(self, keys: Any) -> None:
        async def case(cache: Cache) -> None:
            with pytest.raises(InvalidEntry):
                await cache.get_many(keys)
            with pytest.raises(InvalidEntry):
                await cache.set_many(keys)

        self.check(case)

    def test_add_keeps_what_is_there(self) -> None:
        async def case(cache: Cache) -> None:
            assert await cache.add("key", b"first", ttl=LONG) is True
            assert await cache.add("key", b"second") is False
            assert await cache.get("key") == b"first"
            await cache.delete("key")
            assert await cache.add("key", b"third", ttl=0.02) is True
            while not await cache.add("key", b"fourth"):
                await asyncio.sleep(0.005)
            assert await cache.get("key") == b"fourth"

        self.check(case)

    def test_one_of_fifty_that_add_at_once_has_its_way(self) -> None:
        async def case(cache: Cache) -> None:
            added = await asyncio.gather(*(cache.add("key", str(number).encode()) for number in range(50)))
            assert added.count(True) == 1
            assert await cache.get("key") == str(added.index(True)).encode()

        self.check(case)

    @pytest.mark.parametrize("prefix", ["user:", "a*", "[x]", "\\", "é"])
    def test_delete_prefix_forgets_those_that_start_so_and_no_others(self, prefix: str) -> None:
        async def case(cache: Cache) -> None:
            doomed = {f"{prefix}{number}": b"value" for number in range(3)} | {prefix: b"value"}
            kept = {f"x{prefix}": b"value", "x": b"value", "ab": b"value", "USER:1": b"value"}
            await cache.set_many(doomed | kept)
            assert await cache.delete_prefix(prefix) == 4
            assert await cache.get_many([*doomed, *kept]) == kept
            assert await cache.delete_prefix(prefix) == 0

        self.check(case)

    def test_increment_counts_from_zero(self) -> None:
        async def case(cache: Cache) -> None:
            assert await cache.increment("hits") == 1
            assert await cache.increment("hits", 41) == 42
            assert await cache.get("hits") == b"42"
            assert await cache.increment("hits", -50) == -8
            assert await cache.increment("hits", 0) == -8
            assert await cache.get("hits") == b"-8"

        self.check(case)

    def test_increment_takes_up_what_was_set(self) -> None:
        async def case(cache: Cache) -> None:
            await cache.set("hits", b"41", ttl=LONG)
            assert await cache.increment("hits") == 42

        self.check(case)

    def test_increment_gives_a_ttl_only_to_what_it_creates(self) -> None:
        async def case(cache: Cache) -> None:
            await cache.increment("window", ttl=0.05)
            await cache.increment("window", ttl=LONG)
            await cache.set("lasting", b"1", ttl=LONG)
            await cache.increment("lasting", ttl=0.02)
            while await cache.exists("window"):
                await asyncio.sleep(0.005)
            assert await cache.increment("window") == 1
            assert await cache.get("lasting") == b"2"

        self.check(case)

    @pytest.mark.parametrize(
        "value", [b"", b"x", b"1.0", b"+1", b" 1", b"1_0", b"007", b"-0", "٣".encode(), b"9" * 5000]
    )
    def test_increment_refuses_what_is_no_integer(self, value: bytes) -> None:
        async def case(cache: Cache) -> None:
            await cache.set("key", value)
            with pytest.raises(NotAnInteger):
                await cache.increment("key")
            assert await cache.get("key") == value

        self.check(case)

    def test_increment_refuses_to_leave_64_bits(self) -> None:
        async def case(cache: Cache) -> None:
            assert await cache.increment("key", 2**63 - 1) == 2**63 - 1
            with pytest.raises(NotAnInteger):
                await cache.increment("key")
            assert await cache.get("key") == str(2**63 - 1).encode()
            with pytest.raises(NotAnInteger):
                await cache.increment("missing", 2**63)
            assert not await cache.exists("missing")

        self.check(case)

    @pytest.mark.parametrize("amount", [1.0, "1", None, True])
    def test_increment_refuses_another_amount(self, amount: Any) -> None:
        async def case(cache: Cache) -> None:
            with pytest.raises(InvalidEntry):
                await cache.increment("key", amount)

        self.check(case)

    def test_no_increment_of_fifty_at_once_is_lost(self) -> None:
        async def case(cache: Cache) -> None:
            sums = await asyncio.gather(*(cache.increment("hits") for _ in range(50)))
            assert sorted(sums) == list(range(1, 51))

        self.check(case)

    def test_fifty_at_once_do_not_mix_up_their_values(self) -> None:
        async def turn(cache: Cache, number: int) -> None:
            value = f"value{number}".encode() * 100
            await cache.set(f"key{number}", value)
            assert await cache.get(f"key{number}") == value
            assert await cache.delete(f"key{number}")

        async def case(cache: Cache) -> None:
            await asyncio.gather(*(turn(cache, number) for number in range(50)))

        self.check(case)

    def test_a_cancelled_call_leaves_a_cache_that_works(self) -> None:
        async def work(cache: Cache) -> None:
            await cache.set("key", b"new")
            await cache.get("key")
            await cache.increment("hits")
            await cache.set_many({"key": b"new"})
            await cache.get_many(["key", "hits"])
            await cache.add("key", b"other")
            await cache.delete_prefix("key")

        async def case(cache: Cache) -> None:
            async for _ in cancelled_at_every_step(lambda: work(cache)):
                assert await cache.get("key") in (None, b"new")
                await cache.delete("key")

        self.check(case)

    def test_closing_twice_is_fine(self) -> None:
        async def case(cache: Cache) -> None:
            await close(cache)
            await close(cache)

        self.check(case)

    def test_a_closed_cache_refuses_every_call(self) -> None:
        async def case(cache: Cache) -> None:
            await close(cache)
            for attempt in (
                cache.get("key"),
                cache.set("key", b"value"),
                cache.delete("key"),
                cache.exists("key"),
                cache.increment("key"),
                cache.add("key", b"value"),
                cache.get_many(["key"]),
                cache.set_many({"key": b"value"}),
                cache.delete_prefix("key"),
                cache.clear(),
            ):
                with pytest.raises(CacheError):
                    await attempt

        self.check(case)


class NetworkedCacheContract(NetworkedContract[Cache]):
    """Cases for a cache behind a network, besides those of `CacheContract`."""

    base = CacheError
    unavailable = CacheUnavailable
    refusal = CacheRefused
    misconfigured = CacheMisconfigured

    async def use(self, component: Cache, number: int = 0) -> None:
        value = f"value {number} ".encode() * 50
        await component.set(f"key {number}", value)
        assert await component.get(f"key {number}") == value
