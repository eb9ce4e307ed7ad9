"""What type checkers see of a wiring; checked, never run."""

from typing import assert_type

from oneiric import Runtime, Slot

from tests.unit.runtime.shop.parts import Cache, Checkout
from tests.unit.runtime.shop.wiring import Wiring


async def use(runtime: Runtime[Wiring]) -> None:
    assert_type(runtime.wiring.adapters.cache, Slot[Cache])
    assert_type(runtime.wiring.services.check_out, Slot[Checkout])
    assert_type(runtime.wiring.adapters.cache.current, Cache)
    assert_type(runtime.wiring.adapters.cache.live, Cache)
    assert_type(runtime.tenant("a"), Wiring)
    assert_type(runtime.snapshot()[runtime.wiring.adapters.cache], Cache)
    assert_type(await runtime.wiring.adapters.cache.live.get("k"), bytes | None)
    async with runtime.wiring.adapters.cache.lease() as cache:
        assert_type(cache, Cache)
    async with Runtime(Wiring, replace={}) as entered:
        assert_type(entered, Runtime[Wiring])
    with Runtime(Wiring).portal() as portal:
        assert_type(portal.call(portal.runtime.wiring.services.check_out.live.total, "basket"), int)
