"""Activations that hang, fail, come late or are cancelled: nothing leaks, nothing is closed twice."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from oneiric import ActivationError, Deadlines, Runtime, Secret
from oneiric.errors import MissingExtra

from tests.unit.runtime.making import Part, key, run, wiring_of

SHORT = Deadlines(secrets=0.05, factory=0.05, start=0.05, health=0.05, close=0.2, drain=0.2)


def all_closed_once(made: list[Part]) -> bool:
    return [part.closes for part in made] == [1] * len(made)


async def failing(wiring: type[Any], deadlines: Deadlines = SHORT, *, name: str = "part") -> ActivationError:
    """Activate once, expecting an error; the slot can be tried again."""
    async with Runtime(wiring, deadlines=deadlines) as runtime:
        slot = getattr(runtime.wiring.adapters, name)
        for _ in range(2):
            with pytest.raises(ActivationError) as caught:
                async with slot.lease():
                    pass
            assert slot.state == "inactive"
        return caught.value


class Odd(Part):
    """A component whose lifecycle methods do as they are told."""

    def __init__(self, made: list[Part], **methods: Callable[[], Any]) -> None:
        super().__init__(made)
        for name, method in methods.items():
            setattr(self, name, method)


async def hang() -> None:
    await asyncio.sleep(60)


async def stubborn() -> None:
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        await asyncio.sleep(0)


def block() -> None:
    time.sleep(0.3)


def explode() -> None:
    raise OSError("pw=hunter2")


async def explode_async() -> None:
    raise OSError("pw=hunter2")


async def cancel_itself() -> None:
    raise asyncio.CancelledError


def leave_the_process() -> None:
    raise SystemExit(3)


@pytest.mark.parametrize("step", ["start", "health"])
@pytest.mark.parametrize("fault", [hang, stubborn, block, explode, explode_async, cancel_itself, leave_the_process])
def test_a_step_that_goes_wrong_closes_what_was_made(step: str, fault: Callable[[], Any]) -> None:
    made: list[Part] = []
    error = run(failing(wiring_of(part=key(lambda _: Odd(made, **{step: fault})))))
    assert (error.domain, error.key, error.provider, error.step) == ("adapter", "part", "test", step)
    assert error.__cause__ is not None
    assert "hunter2" not in str(error)
    assert len(made) == 2
    assert all_closed_once(made)


def test_health_answering_false_is_an_error() -> None:
    made: list[Part] = []
    error = run(failing(wiring_of(part=key(lambda _: Odd(made, health=lambda: False)))))
    assert error.step == "health"
    assert all_closed_once(made)


def stop_iterating() -> None:
    next(iter(()))


@pytest.mark.parametrize("fault", [explode, leave_the_process, stop_iterating])
def test_a_factory_that_raises(fault: Callable[[], None]) -> None:
    error = run(failing(wiring_of(part=key(lambda _: fault()))))
    assert error.step == "factory"
    assert error.__cause__ is not None


@pytest.mark.parametrize("fault", [explode_async, cancel_itself, hang, stubborn])
def test_an_async_factory_that_goes_wrong(fault: Callable[[], Coroutine[Any, Any, None]]) -> None:
    made: list[Part] = []

    async def build(_: object) -> Part:
        await fault()
        return Part(made)

    error = run(failing(wiring_of(part=key(build))))
    assert error.step == "factory"
    assert len(made) == (2 if fault is stubborn else 0)
    assert all_closed_once(made)


def test_an_async_factory_that_blocks_the_loop_is_late_but_right() -> None:
    made: list[Part] = []

    async def build(_: object) -> Part:
        block()
        return Part(made)

    async def story() -> None:
        async with Runtime(wiring_of(part=key(build)), deadlines=SHORT) as runtime:
            slot = runtime.wiring.adapters.part
            try:
                async with slot.lease() as part:
                    assert part is slot.current is made[-1]
            except ActivationError as error:
                assert error.step == "factory"
                assert slot.state == "inactive"

    run(story())
    assert len(made) == 1
    assert all_closed_once(made)


def test_a_late_factory_thread_is_closed_while_the_loop_runs() -> None:
    made: list[Part] = []
    go = threading.Event()

    def build(_: object) -> Part:
        go.wait(10)
        return Part(made)

    async def story() -> None:
        await failing(wiring_of(part=key(build)))
        go.set()
        while len(made) < 2 or not all_closed_once(made):
            await asyncio.sleep(0.01)

    run(story())
    assert all_closed_once(made)


class AsyncPart(Part):
    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.closes += 1


@pytest.mark.parametrize("kind", [Part, AsyncPart])
def test_a_late_factory_thread_is_closed_after_the_loop_ended(kind: type[Part]) -> None:
    made: list[Part] = []
    go = threading.Event()

    def build(_: object) -> Part:
        go.wait(10)
        return kind(made)

    run(failing(wiring_of(part=key(build))))
    go.set()
    for thread in threading.enumerate():
        if thread.name.startswith("oneiric"):
            thread.join(10)
    assert len(made) == 2
    assert all_closed_once(made)


def test_fifty_concurrent_activations_share_one_attempt() -> None:
    made: list[Part] = []

    async def build(_: object) -> Part:
        await asyncio.sleep(0.01)
        return Part(made)

    async def story() -> None:
        async with Runtime(wiring_of(part=key(build, port="tests.unit.runtime.making:Part"))) as runtime:
            live = runtime.wiring.adapters.part.live
            assert await asyncio.gather(*(live.ping(number) for number in range(50))) == list(range(50))

    run(story())
    assert len(made) == 1
    assert all_closed_once(made)


def test_a_waiter_that_gives_up_leaves_the_others_their_attempt() -> None:
    made: list[Part] = []

    async def build(_: object) -> Part:
        await asyncio.sleep(0.02)
        return Part(made)

    async def story() -> None:
        async with Runtime(wiring_of(part=key(build, port="tests.unit.runtime.making:Part"))) as runtime:
            live = runtime.wiring.adapters.part.live
            first, second = (asyncio.ensure_future(live.ping(number)) for number in (1, 2))
            await asyncio.sleep(0)
            first.cancel()
            assert await second == 2

    run(story())
    assert len(made) == 1


class Slow(Part):
    """Awaits in every step."""

    async def start(self) -> None:
        await asyncio.sleep(0)

    async def health(self) -> bool:
        await asyncio.sleep(0)
        return True

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.closes += 1


class Vault(Slow):
    async def get(self, name: str) -> Secret:
        await asyncio.sleep(0)
        return Secret(name)


def _slow_wiring(made: list[Part]) -> type[Any]:
    async def vault(_: object) -> Part:
        await asyncio.sleep(0)
        return Vault(made)

    async def slow(_: object) -> Part:
        await asyncio.sleep(0)
        return Slow(made)

    return wiring_of(
        part=key(slow, needs=("adapter:database",), secrets=("PW",), port="tests.unit.runtime.making:Part"),
        database=key(slow),
        secrets=key(vault),
    )


async def _shut_down_after(steps: int, made: list[Part]) -> bool:
    runtime = Runtime(_slow_wiring(made))
    async with runtime:
        call = asyncio.ensure_future(runtime.wiring.adapters.part.live.ping(7))
        for _ in range(steps):
            await asyncio.sleep(0)
        over: bool = call.done()
    await asyncio.wait((call,))
    return over


def test_a_shutdown_at_any_step_of_an_activation_leaks_nothing() -> None:
    for steps in range(200):
        made: list[Part] = []
        over = run(_shut_down_after(steps, made))
        assert all_closed_once(made), steps
        if over:
            break
    assert 10 < steps < 199


def test_an_eager_component_that_fails_closes_what_was_started() -> None:
    made: list[Part] = []
    wiring = wiring_of(
        good=key(lambda _: Part(made), eager=True),
        bad=key(lambda _: Odd(made, start=explode), eager=True, needs=("adapter:good",)),
    )

    async def story() -> None:
        with pytest.raises(ActivationError, match="adapter:bad"):
            async with Runtime(wiring):
                pytest.fail("entered")

    run(story())
    assert len(made) == 2
    assert all_closed_once(made)


def test_a_failing_need_names_both() -> None:
    def broken(_: object) -> Part:
        raise OSError

    error = run(failing(wiring_of(part=key(lambda _: Part([]), needs=("adapter:low",)), low=key(broken))))
    assert error.step == "needs"
    assert "adapter:part (test): needs adapter:low (test): factory raised OSError" in str(error)


def test_needs_that_form_a_cycle_or_do_not_exist_are_errors() -> None:
    wiring = wiring_of(
        part=key(lambda _: None, needs=("adapter:other",)),
        other=key(lambda _: None, needs=("adapter:part",)),
        lost=key(lambda _: None, needs=("adapter:prt",)),
    )
    assert "adapter:part -> adapter:other -> adapter:part" in str(run(failing(wiring)))
    assert "did you mean adapter:part" in str(run(failing(wiring, name="lost")))


class BadVault:
    def __init__(self, get: Callable[[str], Coroutine[Any, Any, Any]]) -> None:
        self.get = get


@pytest.mark.parametrize("fault", [explode_async, hang, cancel_itself])
def test_secrets_that_cannot_be_had(fault: Callable[[], Coroutine[Any, Any, None]]) -> None:
    made: list[Part] = []

    async def get(name: str) -> Any:
        await fault()

    wiring = wiring_of(part=key(lambda _: Part(made), secrets=("PW",)), secrets=key(lambda _: BadVault(get)))
    assert run(failing(wiring)).step == "secrets"
    assert made == []


def test_a_secret_must_be_a_secret() -> None:
    async def get(name: str) -> str:
        return "hunter2"

    wiring = wiring_of(part=key(lambda _: Part([]), secrets=("PW",)), secrets=key(lambda _: BadVault(get)))
    error = run(failing(wiring))
    assert "gave a str for PW" in str(error)
    assert "hunter2" not in str(error)


def test_python_and_system_are_checked_at_activation() -> None:
    wiring = wiring_of(
        part=key(lambda _: None, python="<3"),
        other=key(lambda _: None, os=("beos",)),
        fine=key(lambda _: 0, python=">=3.11"),
    )
    assert run(failing(wiring)).step == "python"
    assert run(failing(wiring, name="other")).step == "os"

    async def story() -> None:
        async with Runtime(wiring) as runtime, runtime.wiring.adapters.fine.lease() as fine:
            assert fine == 0

    run(story())


def test_a_builtin_without_its_sdk_names_the_extra() -> None:
    def builtin(_: object) -> object:
        exec("import no_such_sdk", {"__name__": "oneiric.adapters.part.test"})
        return None

    error = run(failing(wiring_of(part=key(builtin))))
    assert isinstance(error, MissingExtra)
    assert error.extra == "part-test"
    assert "no_such_sdk" in str(error)
    assert "pip" not in str(error)

    def own(_: object) -> object:
        import no_such_module  # type: ignore[import-not-found]

        return no_such_module

    error = run(failing(wiring_of(part=key(own))))
    assert not isinstance(error, MissingExtra)
    assert "no_such_module" in str(error)
