"""Shutdowns that meet leases, hanging and failing closes, cancellation: everything is closed once, in order."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from oneiric import CloseError, Deadlines, DrainExpired, Runtime, RuntimeClosed, ShutdownError
from oneiric.runtime import host_of

from tests.unit.runtime.making import Part, key, run, wiring_of

SHORT = Deadlines(close=0.1, drain=0.1)


class Closing(Part):
    """A component whose close does as it is told, and notes when."""

    def __init__(self, made: list[Part], order: list[str], name: str, how: str = "fine") -> None:
        super().__init__(made)
        self.order, self.name, self.how = order, name, how

    async def aclose(self) -> None:
        self.closes += 1
        self.order.append(self.name)
        if self.how == "raise":
            raise OSError("pw=hunter2")
        if self.how == "hang":
            await asyncio.sleep(60)


class Blocking(Part):
    def close(self) -> None:
        super().close()
        time.sleep(0.4)


async def activate(runtime: Runtime[Any], *names: str) -> None:
    for name in names:
        async with getattr(runtime.wiring.adapters, name).lease():
            pass


def _chain(made: list[Part], order: list[str], how: str) -> type[Any]:
    """front needs middle needs back; side stands alone."""

    def part(name: str) -> Any:
        return lambda _: Closing(made, order, name, how)

    return wiring_of(
        back=key(part("back")),
        front=key(part("front"), needs=("adapter:middle",)),
        middle=key(part("middle"), needs=("adapter:back",)),
        side=key(part("side")),
    )


def test_dependents_are_closed_before_what_they_need() -> None:
    made: list[Part] = []
    order: list[str] = []

    async def story() -> None:
        async with Runtime(_chain(made, order, "fine")) as runtime:
            await activate(runtime, "side", "front")

    run(story())
    assert [name for name in order if name != "side"] == ["front", "middle", "back"]
    assert order.index("side") < 2
    assert [part.closes for part in made] == [1] * 4


@pytest.mark.parametrize("how", ["raise", "hang"])
def test_closes_that_fail_are_all_reported_and_stop_nothing(how: str) -> None:
    made: list[Part] = []

    async def story() -> None:
        with pytest.raises(ShutdownError) as caught:
            async with Runtime(_chain(made, [], how), deadlines=SHORT) as runtime:
                await activate(runtime, "front", "side")
        errors = caught.value.exceptions
        assert sorted(str(error).split()[0] for error in errors) == [
            "adapter:back", "adapter:front", "adapter:middle", "adapter:side"
        ]  # fmt: skip
        assert all(isinstance(error, CloseError) and error.__cause__ is not None for error in errors)
        assert "hunter2" not in "".join(map(str, errors))
        assert host_of(runtime).status == "closed"

    run(story())
    assert [part.closes for part in made] == [1] * 4


def test_a_close_that_blocks_its_thread_is_left_behind() -> None:
    made: list[Part] = []

    async def story() -> None:
        with pytest.raises(ShutdownError) as caught:
            async with Runtime(wiring_of(part=key(lambda _: Blocking(made))), deadlines=SHORT) as runtime:
                await activate(runtime, "part")
        assert "took longer than 0.1 seconds" in str(caught.value.exceptions[0])

    run(story())
    assert [part.closes for part in made] == [1]


def test_an_error_of_the_block_is_not_hidden_by_one_of_the_close() -> None:
    made: list[Part] = []
    reported: list[Any] = []

    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
        with pytest.raises(KeyError):
            async with Runtime(_chain(made, [], "raise")) as runtime:
                await activate(runtime, "side")
                raise KeyError("mine")

    run(story())
    (failure,) = reported
    assert isinstance(failure, ShutdownError)
    assert isinstance(failure.exceptions[0], CloseError)


def test_a_lease_held_too_long_is_reported_and_the_instance_closed() -> None:
    made: list[Part] = []

    async def story() -> None:
        runtime = Runtime(wiring_of(part=key(lambda _: Part(made))), deadlines=SHORT)
        await runtime.__aenter__()
        async with runtime.wiring.adapters.part.lease():
            with pytest.raises(ShutdownError) as caught:
                await runtime.__aexit__(None, None, None)
            (error,) = caught.value.exceptions
            assert isinstance(error, DrainExpired)
            assert error.leases == 1
            assert made[0].closes == 1
        assert made[0].closes == 1

    run(story())


def test_a_cancelled_exit_hurries_and_closes_everything_all_the_same() -> None:
    made: list[Part] = []
    reported: list[Any] = []

    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
        runtime = Runtime(wiring_of(part=key(lambda _: Part(made))))
        await runtime.__aenter__()
        async with runtime.wiring.adapters.part.lease():
            leaving = asyncio.ensure_future(runtime.__aexit__(None, None, None))
            await asyncio.sleep(0.01)
            leaving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leaving
            assert isinstance(reported[0].exceptions[0], DrainExpired)
            assert made[0].closes == 1
            assert host_of(runtime).status == "closed"

    run(story())


def test_a_component_being_closed_can_still_call_what_it_needs() -> None:
    made: list[Part] = []
    said: list[int] = []

    class Front(Part):
        def __init__(self, back: Any) -> None:
            super().__init__(made)
            self.back = back

        async def aclose(self) -> None:
            said.append(await self.back.ping(5))
            self.closes += 1

    wiring = wiring_of(
        back=key(lambda _: Part(made), port="tests.unit.runtime.making:Part"),
        front=key(lambda domain: Front(domain._wiring.adapters.back.live), needs=("adapter:back",)),
    )

    async def story() -> None:
        async with Runtime(wiring) as runtime:
            await activate(runtime, "front")

    run(story())
    assert said == [5]
    assert [part.closes for part in made] == [1, 1]


def test_an_activation_that_hangs_does_not_hold_a_shutdown_up() -> None:
    async def build(_: object) -> None:
        await asyncio.sleep(60)

    async def story() -> None:
        async with Runtime(wiring_of(part=key(build))) as runtime:
            waiting = asyncio.ensure_future(activate(runtime, "part"))
            await asyncio.sleep(0.01)
        with pytest.raises(RuntimeClosed):
            await waiting

    run(story(), within=5)
