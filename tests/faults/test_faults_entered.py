"""Factories that are entered: whatever is cancelled, hangs or fails on the way in or out, what was entered is left,
once, in the order of needs, in the task or context that entered it."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

import anyio
import pytest
from oneiric import ActivationError, CloseError, Deadlines, Runtime, ShutdownError
from oneiric.runtime import host_of

from tests.faults.reloading import until
from tests.faults.suspending import Act, When, cancelled_everywhere
from tests.unit.runtime.making import key, run, wiring_of

SHORT = Deadlines(factory=0.1, health=0.1, close=0.1, drain=0.2)
PINGING = "tests.faults.reloading:Pinging"
VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="outside")


class Ledger:
    """What was entered and left, in order. `open` is what still is."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.open: list[str] = []

    def enter(self, name: str) -> Entered:
        self.steps.append(f"enter {name}")
        self.open.append(name)
        return Entered(self, name)

    def leave(self, name: str) -> None:
        self.steps.append(f"leave {name}")
        self.open.remove(name)


class Entered:
    """Notes what it must never be asked: who enters it starts and closes it."""

    def __init__(self, ledger: Ledger, name: str) -> None:
        self.ledger, self.name = ledger, name

    async def ping(self) -> str:
        await asyncio.sleep(0)
        assert self.name in self.ledger.open
        return self.name

    def start(self) -> None:
        self.ledger.steps.append("started")

    def close(self) -> None:
        self.ledger.steps.append("closed")


async def enter_async(ledger: Ledger, name: str = "part") -> AsyncIterator[Entered]:
    """One that suspends on both ways."""
    await asyncio.sleep(0)
    entered = ledger.enter(name)
    try:
        await asyncio.sleep(0)
        yield entered
    finally:
        try:
            await asyncio.sleep(0)
        finally:
            ledger.leave(name)


def enter(ledger: Ledger, name: str = "part") -> Iterator[Entered]:
    entered = ledger.enter(name)
    try:
        yield entered
    finally:
        ledger.leave(name)


def entering(make: Callable[[], Any], **options: Any) -> Any:
    """A key whose block enters what `make` gives, as generated ones do."""
    return key(lambda domain: domain._enter(make()), port=PINGING, **options)


def entering_async(make: Callable[[], Any], **options: Any) -> Any:
    async def block(domain: Any) -> Any:
        return await domain._enter_async(make())

    return key(block, port=PINGING, **options)


def both(ledger: Ledger) -> type[Any]:
    """`part` in a task needs `low` in threads."""
    return wiring_of(
        part=entering_async(lambda: enter_async(ledger), needs=("adapter:low",)),
        low=entering(lambda: enter(ledger, "low")),
    )


ORDER = ["enter low", "enter part", "leave part", "leave low"]


@pytest.fixture(params=["at once", "when idle"])
def when(request: pytest.FixtureRequest) -> When:
    """When a thread that was started comes to its end."""
    found: When = request.param
    return found


def test_what_was_entered_is_left_in_the_order_of_needs() -> None:
    ledger = Ledger()

    async def story() -> None:
        async with Runtime(both(ledger)) as runtime:
            assert await runtime.wiring.adapters.part.live.ping() == "part"
            assert ledger.open == ["low", "part"]
            assert [each.ok for each in await runtime.health()] == [True, True]
        assert ledger.steps == ORDER

    run(story())


def test_an_activation_cancelled_at_every_suspension(when: When, monkeypatch: pytest.MonkeyPatch) -> None:
    ledgers: list[Ledger] = []

    async def story(act: Act) -> None:
        ledgers.append(ledger := Ledger())
        async with Runtime(both(ledger)) as runtime:
            live = runtime.wiring.adapters.part.live
            await act(live.ping())
            await until(lambda: not host_of(runtime).tasks)
            active = {held.instance.name for held in host_of(runtime).active.values()}
            assert set(ledger.open) == active
            assert await live.ping() == "part"
        assert ledger.open == []
        assert ledger.steps[-4:] == ORDER or ledger.steps[-3:] == ORDER[1:]

    assert cancelled_everywhere(when, monkeypatch, story) > 10
    assert {"started", "closed"}.isdisjoint(step for ledger in ledgers for step in ledger.steps)


@pytest.mark.parametrize("entered", [False, True])
def test_entering_or_leaving_cancelled_at_every_suspension(
    when: When, monkeypatch: pytest.MonkeyPatch, entered: bool
) -> None:
    async def story(act: Act) -> None:
        ledger = Ledger()
        wiring = wiring_of(
            part=entering_async(lambda: enter_async(ledger), needs=("adapter:low",), eager=True),
            low=entering(lambda: enter(ledger, "low")),
        )
        runtime = Runtime(wiring)
        if entered:
            await runtime.__aenter__()
            await act(runtime.__aexit__(None, None, None))
        else:
            await act(runtime.__aenter__())
        if host_of(runtime).status == "running":
            await runtime.__aexit__(None, None, None)
        assert host_of(runtime).status in ("closed", "new")
        assert ledger.open == []
        assert len(ledger.steps) in (0, 2, 4)

    assert cancelled_everywhere(when, monkeypatch, story) > 3


async def failing(wiring: type[Any]) -> ActivationError:
    async with Runtime(wiring, deadlines=SHORT) as runtime:
        with pytest.raises(ActivationError) as caught:
            await runtime.wiring.adapters.part.live.ping()
        assert runtime.wiring.adapters.part.state == "inactive"
        return caught.value


async def raise_before() -> AsyncIterator[object]:
    raise OSError("pw=hunter2")
    yield object()


def raise_before_in_thread() -> Iterator[object]:
    raise OSError("pw=hunter2")
    yield object()


async def never() -> AsyncIterator[object]:
    for _ in ():
        yield object()


def never_in_thread() -> Iterator[object]:
    yield from ()


async def cancel_itself() -> AsyncIterator[object]:
    raise asyncio.CancelledError
    yield object()


def leave_the_process() -> Iterator[object]:
    raise SystemExit(3)
    yield object()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (raise_before, "factory raised OSError"),
        (raise_before_in_thread, "factory raised OSError"),
        (asynccontextmanager(raise_before), "factory raised OSError"),
        (never, "factory ended without a yield: never"),
        (asynccontextmanager(never), "factory ended without a yield: never"),
        (never_in_thread, "factory ended without a yield: never_in_thread"),
        (contextmanager(never_in_thread), "factory ended without a yield: never_in_thread"),
        (cancel_itself, "factory cancelled itself"),
        (leave_the_process, "factory raised SystemExit"),
        (list, "factory gave what cannot be entered: list"),
    ],
)
def test_a_factory_that_gives_no_instance(make: Callable[[], Any], told: str) -> None:
    wrapped = getattr(make, "__wrapped__", make)
    is_async = wrapped in (raise_before, never, cancel_itself)
    error = run(failing(wiring_of(part=(entering_async if is_async else entering)(make))))
    assert error.step == "factory"
    assert told in str(error)
    assert "hunter2" not in str(error)


@pytest.mark.parametrize("stubborn", [False, True])
def test_an_entering_that_hangs_is_left_when_it_comes(stubborn: bool) -> None:
    """The deadline cancels it; one that yields all the same is left at once."""
    ledger = Ledger()

    async def hanging() -> AsyncIterator[Entered]:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ledger.steps.append("cancelled")
            if not stubborn:
                raise
        yield ledger.enter("part")
        ledger.leave("part")

    async def story() -> None:
        error = await failing(wiring_of(part=entering_async(hanging)))
        assert "factory took longer than 0.1 seconds" in str(error)

    run(story())
    assert ledger.steps == ["cancelled", *(("enter part", "leave part") if stubborn else ())]


def test_an_entering_that_hangs_in_a_thread_is_left_when_it_comes() -> None:
    ledger, go = Ledger(), threading.Event()

    def hanging() -> Iterator[Entered]:
        go.wait(10)
        yield from enter(ledger)

    async def story() -> None:
        await failing(wiring_of(part=entering(hanging)))
        go.set()
        await until(lambda: ledger.steps == ["enter part", "leave part"])

    run(story())


def test_an_entering_that_outlasts_its_loop_is_left_in_its_thread() -> None:
    ledger, go = Ledger(), threading.Event()

    def hanging() -> Iterator[Entered]:
        go.wait(10)
        yield from enter(ledger)

    run(failing(wiring_of(part=entering(hanging))))
    go.set()
    for thread in threading.enumerate():
        if thread.name.startswith("oneiric"):
            thread.join(10)
    assert ledger.steps == ["enter part", "leave part"]


def closing(wiring: type[Any]) -> list[CloseError]:
    """What closing comes to, of a runtime whose `part` was called."""

    async def story() -> list[CloseError]:
        runtime = await Runtime(wiring, deadlines=SHORT).__aenter__()
        await runtime.wiring.adapters.part.live.ping()
        try:
            await runtime.__aexit__(None, None, None)
        except ShutdownError as error:
            return [each for each in error.exceptions if isinstance(each, CloseError)]
        return []

    return run(story())


def raise_after(ledger: Ledger) -> Iterator[Entered]:
    yield from enter(ledger)
    raise OSError("pw=hunter2")


async def raise_after_async(ledger: Ledger) -> AsyncIterator[Entered]:
    async for each in enter_async(ledger):
        yield each
    raise OSError("pw=hunter2")


def twice(ledger: Ledger) -> Iterator[Entered]:
    for _ in range(2):
        yield from enter(ledger)


async def twice_async(ledger: Ledger) -> AsyncIterator[Entered]:
    for _ in range(2):
        async for each in enter_async(ledger):
            yield each


@pytest.mark.parametrize(
    ("key_of", "make", "told"),
    [
        (entering, raise_after, "close raised OSError"),
        (entering_async, raise_after_async, "close raised OSError"),
        (entering_async, asynccontextmanager(raise_after_async), "close raised OSError"),
        (entering, twice, "close met a second yield: twice"),
        (entering, contextmanager(twice), "close met a second yield: twice"),
        (entering_async, twice_async, "close met a second yield: twice_async"),
    ],
)
def test_a_leaving_that_fails_is_a_close_that_does(
    key_of: Callable[..., Any], make: Callable[[Ledger], Any], told: str
) -> None:
    ledger = Ledger()
    (error,) = closing(wiring_of(part=key_of(lambda: make(ledger))))
    assert (error.domain, error.key, error.provider) == ("adapter", "part", "test")
    assert told in str(error)
    assert "hunter2" not in str(error)
    if make is not twice_async:  # what it iterates is closed when it is collected
        assert ledger.open == []


def test_a_leaving_that_hangs_is_cancelled_at_its_deadline() -> None:
    ledger = Ledger()

    async def hanging() -> AsyncIterator[Entered]:
        yield ledger.enter("part")
        try:
            await asyncio.sleep(60)
        finally:
            ledger.leave("part")

    (error,) = closing(wiring_of(part=entering_async(hanging)))
    assert "close took longer than 0.1 seconds" in str(error)
    assert ledger.open == []


def test_a_leaving_that_hangs_in_a_thread_holds_up_nobody() -> None:
    go = threading.Event()

    def hanging() -> Iterator[Entered]:
        ledger = Ledger()
        yield ledger.enter("part")
        go.wait(10)

    (error,) = closing(wiring_of(part=entering(hanging)))
    go.set()
    assert "close took longer than 0.1 seconds" in str(error)


def test_one_that_leaves_by_itself_is_unwell_and_says_so_when_it_is_closed() -> None:
    """A task group in the factory cancels it when one of its tasks fails."""
    ledger = Ledger()
    fail = asyncio.Event()

    async def failing_later() -> None:
        await fail.wait()
        raise OSError("pw=hunter2")

    async def group() -> AsyncIterator[Entered]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(failing_later)
            async for each in enter_async(ledger):
                yield each

    async def story() -> None:
        runtime = await Runtime(wiring_of(part=entering_async(group)), deadlines=SHORT).__aenter__()
        await runtime.wiring.adapters.part.live.ping()
        fail.set()
        await until(lambda: not ledger.open)
        await asyncio.sleep(0.01)
        (health,) = await runtime.health()
        assert health.reason == "its factory left by itself and raised ExceptionGroup"
        with pytest.raises(ShutdownError) as caught:
            await runtime.__aexit__(None, None, None)
        assert "close raised ExceptionGroup" in str(caught.value.exceptions[0])

    run(story())


def test_one_task_enters_and_leaves() -> None:
    """So a cancel scope, a task group and a context variable are at home on both ways."""
    seen: list[str] = []
    tasks: list[asyncio.Task[Any] | None] = []

    @asynccontextmanager
    async def scoped() -> AsyncIterator[Entered]:
        token = VARIABLE.set("inside")
        tasks.append(asyncio.current_task())
        with anyio.CancelScope():
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.sleep, 0)
                yield Ledger().enter("part")
        tasks.append(asyncio.current_task())
        seen.append(VARIABLE.get())
        VARIABLE.reset(token)

    async def story() -> None:
        async with Runtime(wiring_of(part=entering_async(scoped))) as runtime, runtime.wiring.adapters.part.lease():
            assert VARIABLE.get() == "outside"

    run(story())
    assert seen == ["inside"]
    assert tasks[0] is tasks[1]


def test_one_context_enters_and_leaves_in_threads() -> None:
    seen: list[str] = []
    threads: list[threading.Thread] = []

    @contextmanager
    def varied() -> Iterator[Entered]:
        token = VARIABLE.set("inside")
        threads.append(threading.current_thread())
        yield Ledger().enter("part")
        threads.append(threading.current_thread())
        seen.append(VARIABLE.get())
        VARIABLE.reset(token)

    async def story() -> None:
        async with Runtime(wiring_of(part=entering(varied))) as runtime, runtime.wiring.adapters.part.lease():
            assert VARIABLE.get() == "outside"

    run(story())
    assert seen == ["inside"]
    assert threading.main_thread() not in threads


class Manager(AbstractAsyncContextManager[Entered]):
    """A manager of one's own."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    async def __aenter__(self) -> Entered:
        return self.ledger.enter("part")

    async def __aexit__(self, *error: object) -> None:
        assert error == (None, None, None)
        self.ledger.leave("part")


class ThreadManager:
    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def __enter__(self) -> Entered:
        return self.ledger.enter("part")

    def __exit__(self, *error: object) -> None:
        self.ledger.leave("part")


@pytest.mark.parametrize(("key_of", "make"), [(entering_async, Manager), (entering, ThreadManager)])
def test_managers_of_ones_own(key_of: Callable[..., Any], make: Callable[[Ledger], Any]) -> None:
    ledger = Ledger()
    assert closing(wiring_of(part=key_of(lambda: make(ledger)))) == []
    assert ledger.steps == ["enter part", "leave part"]


def test_an_unhealthy_instance_is_left() -> None:
    ledger = Ledger()

    async def unwell() -> AsyncIterator[Entered]:
        async for each in enter_async(ledger):
            each.health = lambda: False  # type: ignore[attr-defined]
            yield each

    error = run(failing(wiring_of(part=entering_async(unwell))))
    assert error.step == "health"
    assert ledger.steps == ["enter part", "leave part"]


@pytest.mark.parametrize(("key_of", "make"), [(entering_async, enter_async), (entering, enter)])
def test_a_reload_leaves_what_it_replaces(key_of: Callable[..., Any], make: Callable[..., Any]) -> None:
    ledger = Ledger()

    def wiring(number: str) -> type[Any]:
        made = wiring_of(part=key_of(lambda: make(ledger, number)))
        made.__domains__["adapters"].__bindings__["part"].fingerprint = number
        return made

    async def story() -> None:
        async with Runtime(wiring("1"), deadlines=SHORT) as runtime:
            live = runtime.wiring.adapters.part.live
            assert await live.ping() == "1"
            assert (await runtime.reload(wiring("2"))).accepted
            assert await live.ping() == "2"
            await until(lambda: ledger.open == ["2"])

    run(story())
    assert ledger.steps == ["enter 1", "enter 2", "leave 1", "leave 2"]


def test_who_cancels_every_task_has_all_of_it_left() -> None:
    ledger = Ledger()

    async def story() -> None:
        async with Runtime(both(ledger), deadlines=SHORT) as runtime:
            await runtime.wiring.adapters.part.live.ping()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await asyncio.sleep(0)

    run(story())
    assert ledger.open == []
    assert ledger.steps == ORDER


def test_a_blocking_factory_holds_up_no_loop() -> None:
    turns = 0

    def slow() -> Iterator[Entered]:
        time.sleep(0.2)
        yield Ledger().enter("part")

    async def story() -> None:
        nonlocal turns
        async with Runtime(wiring_of(part=entering(slow))) as runtime:
            call = asyncio.ensure_future(runtime.wiring.adapters.part.live.ping())
            while not call.done():
                turns += 1
                await asyncio.sleep(0.001)

    run(story())
    assert turns > 3
