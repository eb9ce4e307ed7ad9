"""Everything that a shutdown closes is closed once and after its users, whatever comes between."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from oneiric import CloseError, Deadlines, Runtime, ShutdownError
from oneiric.runtime import host_of

from tests.unit.runtime.making import key, run, wiring_of


class Noting:
    """Notes its close in `order` when it is over."""

    def __init__(self, order: list[str], name: str) -> None:
        self.order, self.name = order, name

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.order.append(self.name)


class CancelsAll(Noting):
    spared: Any = None

    async def aclose(self) -> None:
        self.order.append(self.name)
        for task in asyncio.all_tasks() - {self.spared}:
            task.cancel()
        await asyncio.sleep(0)


class Leaves(Noting):
    runtime: Any = None

    async def aclose(self) -> None:
        self.order.append(self.name)
        await self.runtime.__aexit__(None, None, None)


def around(order: list[str], bad: Noting) -> type[Any]:
    """`user` needs `bad`, which needs `base`."""
    return wiring_of(
        base=key(lambda _: Noting(order, "base")),
        bad=key(lambda _: bad, needs=("adapter:base",)),
        user=key(lambda _: Noting(order, "user"), needs=("adapter:bad",), eager=True),
    )


@pytest.mark.parametrize("kind", [CancelsAll, Leaves])
def test_a_close_that_disturbs_the_shutdown_does_not_change_the_order(kind: type[Any]) -> None:
    order: list[str] = []
    bad = kind(order, "bad")

    async def story() -> None:
        runtime = Runtime(around(order, bad), deadlines=Deadlines(close=0.2))
        CancelsAll.spared, Leaves.runtime = asyncio.current_task(), runtime
        await runtime.__aenter__()
        with pytest.raises(ShutdownError) as caught:
            await runtime.__aexit__(None, None, None)
        assert [type(each) for each in caught.value.exceptions] == [CloseError]
        assert order == ["user", "bad", "base"]
        assert host_of(runtime).status == "closed"

    run(story())


def test_what_a_thread_still_makes_is_closed_before_what_it_needs() -> None:
    order: list[str] = []
    begun = threading.Event()

    def late(_: object) -> Noting:
        begun.set()
        time.sleep(0.2)
        return Noting(order, "late")

    wiring = wiring_of(base=key(lambda _: Noting(order, "base")), late=key(late, needs=("adapter:base",), eager=True))

    async def story() -> None:
        entering = asyncio.ensure_future(Runtime(wiring).__aenter__())
        await asyncio.to_thread(begun.wait, 10)
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        assert order == ["late", "base"]

    run(story())


def test_a_thread_that_makes_nothing_in_time_does_not_hold_a_shutdown_up() -> None:
    order: list[str] = []
    wiring = wiring_of(
        base=key(lambda _: Noting(order, "base")),
        hung=key(lambda _: time.sleep(3), needs=("adapter:base",), eager=True),
    )

    async def story() -> None:
        entering = asyncio.ensure_future(Runtime(wiring, deadlines=Deadlines(close=0.1)).__aenter__())
        await asyncio.sleep(0.1)
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        assert order == ["base"]

    run(story(), within=2)
