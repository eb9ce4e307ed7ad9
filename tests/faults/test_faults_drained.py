"""What is under way on an instance that was closed at the drain deadline ends with `DrainExpired`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, Protocol

import pytest
from oneiric import Deadlines, DrainExpired, Runtime, ShutdownError

from tests.unit.runtime.making import key, run, wiring_of

HERE = __name__
AT_ONCE = Deadlines(drain=0.05)


class Session:
    """A result of a class of its own: a context manager and an iterator, with methods and data."""

    name = "s"

    def __init__(self, log: list[str]) -> None:
        self.log = log

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(self, kind: Any, *error: object) -> bool:
        self.log.append(f"left by {kind and kind.__name__}")
        return True

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: Any, *error: object) -> bool:
        self.log.append(f"left by {kind and kind.__name__}")
        return True

    def __iter__(self) -> Session:
        return self

    def __next__(self) -> int:
        return 1

    def __aiter__(self) -> Session:
        return self

    async def __anext__(self) -> int:
        return 1

    def __len__(self) -> int:
        return 1

    def read(self) -> str:
        return "read"

    async def aclose(self) -> None:
        self.log.append("session closed")


class Port(Protocol):
    def stream(self) -> AsyncIterator[int]: ...
    def stubborn(self) -> AsyncIterator[int]: ...
    def failing(self) -> AsyncIterator[int]: ...
    def numbers(self) -> Iterator[int]: ...
    def transaction(self) -> AbstractAsyncContextManager[str]: ...
    def broken(self) -> AbstractAsyncContextManager[str]: ...
    def locked(self) -> AbstractContextManager[str]: ...
    def session(self) -> Any: ...
    def soon(self) -> Any: ...


class Endless:
    def __init__(self, log: list[str]) -> None:
        self.log = log

    async def stream(self) -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            await asyncio.sleep(0)
            self.log.append("stream closed")

    async def stubborn(self) -> AsyncIterator[int]:
        try:
            yield 1
        except GeneratorExit:
            self.log.append("refuses")
            yield 2

    async def failing(self) -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            raise OSError("mine")

    def numbers(self) -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            self.log.append("numbers closed")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[str]:
        try:
            yield "inside"
            self.log.append("committed")
        except BaseException as error:
            self.log.append(f"rolled back by {type(error).__name__}")
            raise

    @asynccontextmanager
    async def broken(self) -> AsyncIterator[str]:
        try:
            yield "inside"
        finally:
            raise OSError("mine")

    @contextmanager
    def locked(self) -> Iterator[str]:
        try:
            yield "inside"
        except DrainExpired:
            self.log.append("unlocked")

    def session(self) -> Session:
        return Session(self.log)

    def soon(self) -> Any:
        async def work() -> str:
            self.log.append("worked")
            return "done"

        return work()

    async def aclose(self) -> None:
        self.log.append("closed")


async def streamed(live: Any, log: list[str], close: Any) -> None:
    stream = live.stream()
    assert await anext(stream) == 1
    await close()
    with pytest.raises(DrainExpired, match=r"adapter:it .*closed at the drain deadline") as caught:
        await anext(stream)
    assert (caught.value.leases, caught.value.key) == (1, "it")
    assert log == ["closed", "stream closed"]
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    await stream.aclose()


async def sent(live: Any, log: list[str], close: Any) -> None:
    steps: Any = lambda stream: stream.asend(2), lambda stream: stream.athrow(KeyError())
    for step in steps:
        stream = live.stream()
        await anext(stream)
        await close()
        with pytest.raises(DrainExpired):
            await step(stream)


async def closed_by_its_user(live: Any, log: list[str], close: Any) -> None:
    stream, numbers = live.stream(), live.numbers()
    await anext(stream)
    next(numbers)
    await close()
    await stream.aclose()
    numbers.close()
    assert log == ["closed", "stream closed", "numbers closed"]


async def stubborn(live: Any, log: list[str], close: Any) -> None:
    for stream, cause in ((live.stubborn(), RuntimeError), (live.failing(), OSError)):
        await anext(stream)
        await close()
        with pytest.raises(DrainExpired) as caught:
            await anext(stream)
        assert isinstance(caught.value.__cause__, cause)
    assert log.count("refuses") == 1


async def iterated(live: Any, log: list[str], close: Any) -> None:
    numbers = live.numbers()
    next(numbers)
    await close()
    with pytest.raises(DrainExpired):
        next(numbers)
    assert log == ["closed", "numbers closed"]
    assert list(numbers) == []


async def in_a_transaction(live: Any, log: list[str], close: Any) -> None:
    with pytest.raises(DrainExpired):
        async with live.transaction():
            await close()
    assert log == ["closed", "rolled back by DrainExpired"]


async def in_a_transaction_that_failed(live: Any, log: list[str], close: Any) -> None:
    with pytest.raises(KeyError):
        async with live.transaction():
            await close()
            raise KeyError
    assert log == ["closed", "rolled back by KeyError"]


async def in_a_broken_context(live: Any, log: list[str], close: Any) -> None:
    with pytest.raises(DrainExpired) as caught:
        async with live.broken():
            await close()
    assert isinstance(caught.value.__cause__, OSError)


async def in_a_lock(live: Any, log: list[str], close: Any) -> None:
    """A context manager that swallows what it is told does not swallow this."""
    with pytest.raises(DrainExpired), live.locked():
        await close()
    assert log == ["closed", "unlocked"]


async def in_a_session(live: Any, log: list[str], close: Any) -> None:
    with pytest.raises(DrainExpired):
        async with live.session() as session:
            await close()
            assert session.name == "s"
            for use in (
                lambda: session.read(),
                lambda: next(session),
                lambda: iter(session),
                lambda: aiter(session),
                lambda: len(session),
                lambda: session.__enter__(),
            ):
                with pytest.raises(DrainExpired):
                    use()
            steps: Any = lambda: anext(session), lambda: session.__aenter__()
            for step in steps:
                with pytest.raises(DrainExpired):
                    await step()
    assert log == ["closed", "left by DrainExpired"]
    session = live.session()
    await close()
    await session.aclose()
    assert log[-1] == "session closed"


async def in_a_sync_session(live: Any, log: list[str], close: Any) -> None:
    with pytest.raises(DrainExpired), live.session():
        await close()
    assert log == ["closed", "left by DrainExpired"]


async def not_begun(live: Any, log: list[str], close: Any) -> None:
    """A coroutine that nobody awaited before, and an iterator without a first step, which has no instance yet."""
    soon, stream = live.soon(), live.stream()
    await close()
    with pytest.raises(DrainExpired):
        await soon
    assert "worked" not in log
    assert await anext(stream) == 1
    await stream.aclose()


CASES = [
    streamed, sent, closed_by_its_user, stubborn, iterated, in_a_transaction, in_a_transaction_that_failed,
    in_a_broken_context, in_a_lock, in_a_session, in_a_sync_session, not_begun,
]  # fmt: skip


def wiring(log: list[str], fingerprint: str) -> type[Any]:
    made = wiring_of(it=key(lambda _: Endless(log), port=f"{HERE}:Port"))
    made.__domains__["adapters"].__bindings__["it"].fingerprint = fingerprint
    return made


@pytest.mark.parametrize("case", CASES)
def test_after_a_reload(case: Callable[..., Awaitable[None]]) -> None:
    log: list[str] = []

    async def story() -> None:
        generations = iter(range(100))
        async with Runtime(wiring(log, "first"), deadlines=AT_ONCE) as runtime:

            async def close() -> None:
                outcome = await runtime.reload(wiring(log, f"{next(generations)}"))
                assert outcome.accepted
                assert "leases still held" in str(outcome.reports)

            await case(await runtime.use("adapter", "it"), log, close)

    run(story())


@pytest.mark.parametrize("case", [case for case in CASES if case not in (sent, stubborn, in_a_session, not_begun)])
def test_after_a_shutdown(case: Callable[..., Awaitable[None]]) -> None:
    log: list[str] = []

    async def story() -> None:
        runtime = Runtime(wiring(log, "first"), deadlines=AT_ONCE)
        await runtime.__aenter__()

        async def close() -> None:
            with pytest.raises(ShutdownError) as caught:
                await runtime.__aexit__(None, None, None)
            assert isinstance(caught.value.exceptions[0], DrainExpired)

        await case(await runtime.use("adapter", "it"), log, close)

    run(story())
