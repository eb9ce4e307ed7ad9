"""`override`: other instances in a running runtime for a while, in the base or for a tenant; then all is as it was."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from oneiric import ReplacementError, Runtime, UnknownKey, UnknownTenant
from oneiric.testing.overriding import override

from tests.unit.runtime.making import Part, key, run, wiring_of
from tests.unit.runtime.shop.wiring import Wiring

pytestmark = pytest.mark.usefixtures("nothing_leaks")


class Fake:
    def __init__(self, value: bytes) -> None:
        self.value = value

    async def get(self, key: str) -> bytes:
        return self.value

    async def set(self, key: str, value: bytes, *, ttl: float | None = None) -> None: ...


def test_who_holds_a_handle_calls_the_other_instance_and_then_the_one_before() -> None:
    async def story() -> None:
        async with Runtime(Wiring) as runtime:
            cache, till = runtime.wiring.adapters.cache, runtime.wiring.services.check_out.live
            await cache.live.set("basket", b"xy")
            before = cache.current
            with override(runtime, {"adapter:cache": Fake(b"xyz")}):
                assert await till.total("basket") == 3
                with override(runtime, {"adapter:cache": Fake(b"x")}):
                    assert await till.total("basket") == 1
                assert await till.total("basket") == 3
            assert await till.total("basket") == 2
            assert cache.current is before

    run(story())


def test_a_call_under_way_ends_on_what_it_began_with() -> None:
    began, go = asyncio.Event(), asyncio.Event()

    class Slow(Part):
        async def ping(self, value: int = 1) -> int:
            began.set()
            await go.wait()
            return value + self.closes

    async def story() -> None:
        made: list[Part] = []
        port = f"{__name__}:Ping"
        async with Runtime(wiring_of(part=key(lambda _: Slow(made), port=port))) as runtime:
            part = runtime.wiring.adapters.part.live
            under_way = asyncio.create_task(part.ping(5))
            await began.wait()
            with override(runtime, {"adapter:part": Part([])}):
                go.set()
                assert await part.ping(2) == 2
                assert await under_way == 5
        assert [each.closes for each in made] == [1]

    run(story())


class Ping:
    async def ping(self, value: int = 1) -> int: ...


def test_what_was_not_active_is_not_afterwards() -> None:
    async def story() -> None:
        async with Runtime(Wiring) as runtime:
            cache = runtime.wiring.adapters.cache
            with override(runtime, {"adapter:cache": Fake(b"x")}):
                assert await cache.live.get("k") == b"x"
            assert cache.state == "inactive"
            assert await cache.live.get("k") is None

    run(story())


@pytest.mark.parametrize("tenant", ["acme", "plain"])
def test_a_tenant_sees_its_own_whether_it_had_one_or_not(tenant: str) -> None:
    async def story() -> None:
        async with Runtime(Wiring) as runtime:
            wiring = runtime.tenant(tenant)
            early = wiring.adapters.cache.live
            await early.set("k", b"before")
            with override(runtime, {"adapter:cache": Fake(b"other")}, tenant=tenant):
                late = wiring.adapters.cache.live
                assert [await each.get("k") for each in (early, late)] == [b"other", b"other"]
                assert await runtime.wiring.adapters.cache.live.get("k") != b"other"
                assert await runtime.tenant("zoo").adapters.cache.live.get("k") != b"other"
            assert [await each.get("k") for each in (early, late)] == [b"before", b"before"]
            assert wiring.adapters.cache.home is (wiring if tenant == "acme" else runtime.wiring).adapters.cache

    run(story())


def test_a_tenant_that_has_its_own_keeps_it_where_the_base_has_another() -> None:
    async def story() -> None:
        async with Runtime(Wiring) as runtime:
            with override(runtime, {"adapter:cache": Fake(b"other")}):
                assert await runtime.tenant("acme").adapters.cache.live.get("k") is None
                assert await runtime.tenant("plain").adapters.cache.live.get("k") == b"other"

    run(story())


def test_it_is_put_in_from_any_thread(wired: Any) -> None:
    portal = wired(Wiring, tenants={"acme": {"adapter:cache": Fake(b"acme's")}})
    with override(portal.runtime, {"adapter:cache": Fake(b"base's")}):
        for wiring, said in ((portal.runtime.wiring, b"base's"), (portal.runtime.tenant("acme"), b"acme's")):
            assert portal.call(wiring.adapters.cache.live.get, "k") == said
    assert portal.call(portal.runtime.wiring.adapters.cache.live.get, "k") is None


def test_what_does_not_fit_or_is_not_there_changes_nothing() -> None:
    async def story() -> None:
        async with Runtime(Wiring) as runtime:
            for error, replace, tenant in (
                (ReplacementError, {"adapter:cache": Fake(b"x"), "adapter:database": Fake(b"x")}, None),
                (UnknownKey, {"adapter:cache": Fake(b"x"), "adapter:nothing": Fake(b"x")}, None),
                (UnknownTenant, {"adapter:cache": Fake(b"x")}, "nobody"),
            ):
                with pytest.raises(error), override(runtime, replace, tenant=tenant):
                    raise AssertionError("it was put in")
            assert runtime.wiring.adapters.cache.state == "inactive"

    run(story())
