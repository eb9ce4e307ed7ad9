"""What type checkers see of a wiring; checked, never run."""

from typing import assert_type

from oneiric import Emitted, Runtime, Slot
from oneiric.declared import TopicSlot
from oneiric.flows.model import Run

from tests.unit.runtime.orders.parts import Order, OrderPlaced
from tests.unit.runtime.orders.wiring import Wiring as Orders
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


async def run(runtime: Runtime[Orders]) -> None:
    fulfil = runtime.wiring.workflows.fulfil
    result = await fulfil.live(Order("o1", 2))
    assert_type(result["labels"], list[str])
    assert_type((await fulfil.inline(Order("o1", 2)))["labels"], list[str])
    handle = await fulfil.start(Order("o1", 2), id="o1", queue="orders")
    assert_type((await handle.result())["labels"], list[str])
    assert_type(await handle.cancel(), bool)
    assert_type(await handle.status(), Run)
    assert_type(runtime.wiring.topics.order_placed, TopicSlot[OrderPlaced])
    assert_type(await runtime.wiring.topics.order_placed.emit({"customer": "c", "cents": 1}), Emitted)
    await fulfil.start({"id": "o1"})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await fulfil.live(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await runtime.wiring.topics.order_placed.emit({"customer": 1})  # type: ignore[typeddict-item]  # pyright: ignore[reportArgumentType]
