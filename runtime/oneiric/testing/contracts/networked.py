"""What every port promises of a component behind a network: the same faults for all."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any, Generic, Protocol, TypeVar

import pytest

from oneiric.errors import AdapterError
from oneiric.testing.contracts.running import DEADLINE, cancelled_at_every_step, close, health, run, started
from oneiric.testing.proxy import Mood, Proxy

T = TypeVar("T")

TIMEOUT = 0.4
"""Seconds; what every timeout of `component` must be set to."""
CONNECTIONS = 3
"""How many connections `component` may open at most, where it has a pool."""
SECRET = "hunter2-not-to-be-seen"
"""The password of `refused`."""


class Address(Protocol):
    """Where a server listens."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...


class Server(Address, Protocol):
    """A server that the case may kill, and start again with the data it had."""

    def kill(self) -> None: ...

    def start(self) -> None: ...


class NetworkedContract(Generic[T]):
    """Cases for a component behind a network; see `NetworkedCacheContract` and the like for the ports.

    A subclass for a provider says how to reach a server, and how to make a component for one.
    """

    base: type[AdapterError]
    """The errors of the port: the one of all, and those for a server that does not answer, one that refuses, and
    for settings that make no sense."""
    unavailable: type[AdapterError]
    refusal: type[AdapterError]
    misconfigured: type[AdapterError]

    def shared(self) -> AbstractContextManager[Address]:
        """A server that others may use at the same time."""
        raise NotImplementedError("override shared()")

    def private(self) -> AbstractContextManager[Server]:
        """A server of the case's own."""
        raise NotImplementedError("override private()")

    def component(self, host: str, port: int) -> T:
        """A component for that server, not started, with all timeouts `TIMEOUT` and at most `CONNECTIONS`."""
        raise NotImplementedError("override component()")

    def refused(self) -> AbstractContextManager[T]:
        """A component with the password `SECRET`, for a server that wants another."""
        raise NotImplementedError("override refused()")

    def senseless(self) -> Sequence[tuple[str, Callable[[], T]]]:
        """Makers of components from settings that are malformed or contradict each other, with the one blamed."""
        raise NotImplementedError("override senseless()")

    async def use(self, component: T, number: int = 0) -> None:
        """Write something only this `number` has, read it back and see that it is that."""
        raise NotImplementedError("a contract of a port has it")

    async def prove(self, component: T) -> None:
        """Do what tells wrong credentials, where that is not the start."""

    # what the cases are made of

    def behind(self, case: Callable[[T, Proxy], Coroutine[Any, Any, None]], mood: Mood = "pass") -> None:
        """Run a case with a component behind a proxy; afterwards no connection is left."""

        async def main() -> None:
            component = self.component(proxy.host, proxy.port)
            try:
                await case(component, proxy)
            finally:
                await close(component)
            while proxy.connections:
                await asyncio.sleep(0.005)

        with self.shared() as server, Proxy(server.host, server.port, mood=mood) as proxy:
            run(main())

    async def recovers(self, component: T, number: int = 1000) -> None:
        """Wait until the component works again, without being started again."""
        while True:
            with suppress(self.unavailable):
                await self.use(component, number)
                return
            await asyncio.sleep(0.02)

    async def patiently(self, component: T, number: int) -> None:
        """Use it, and wait for a connection for as long as that takes on a busy machine."""
        while True:
            try:
                return await self.use(component, number)
            except self.unavailable as error:
                if error.setting != "max_connections":
                    raise

    async def fails(self, component: T) -> None:
        """The component finds that its server is away."""
        while True:  # a server that dies may still have answered what it got before
            try:
                await self.use(component)
            except self.unavailable as error:
                self.names_the_place(error)
                return

    def names_the_place(self, error: AdapterError) -> None:
        """The error says which provider of which key it is about, and which setting to look at."""
        assert error.domain == "adapter"
        assert error.key
        assert error.provider
        assert error.setting
        assert str(error).startswith(f"{error.domain}:{error.key} ({error.provider}): ")
        assert error.setting in str(error)

    # the cases

    def test_it_is_healthy_while_its_server_answers(self) -> None:
        async def case(component: T, proxy: Proxy) -> None:
            async with started(component):
                assert await health(component)
                proxy.mood = "hang"
                assert not await health(component)
                proxy.mood = "pass"
                while not await health(component):
                    await asyncio.sleep(0.02)
                await self.recovers(component)

        self.behind(case)

    def test_where_nobody_listens_it_does_not_start(self) -> None:
        async def main() -> None:
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port meanwhile
                component = self.component("127.0.0.1", taken.getsockname()[1])
                with pytest.raises(self.unavailable) as caught:
                    async with started(component):
                        pass
                self.names_the_place(caught.value)

        run(main())

    def test_where_no_such_host_is_it_does_not_start(self) -> None:
        async def main() -> None:
            component = self.component("no-such-host.invalid", 1)
            with pytest.raises(self.unavailable) as caught:
                async with started(component):
                    pass
            self.names_the_place(caught.value)

        run(main())

    @pytest.mark.parametrize("mood", ["hang", "garbage", "half", "drop"])
    def test_with_a_server_that_talks_badly_it_does_not_start(self, mood: Mood) -> None:
        async def case(component: T, proxy: Proxy) -> None:
            begun = time.monotonic()
            with pytest.raises(self.unavailable) as caught:
                async with started(component):
                    pass
            assert time.monotonic() - begun < DEADLINE / 4
            self.names_the_place(caught.value)

        self.behind(case, mood)

    @pytest.mark.parametrize("mood", ["hang", "garbage", "half", "drop"])
    def test_a_server_that_begins_to_talk_badly_is_unavailable_until_it_stops(self, mood: Mood) -> None:
        async def case(component: T, proxy: Proxy) -> None:
            async with started(component):
                await self.use(component)
                proxy.mood = mood
                await self.fails(component)
                assert not await health(component)
                proxy.mood = "pass"
                await self.recovers(component)

        self.behind(case)

    def test_connections_that_break_at_rest_are_replaced(self) -> None:
        async def case(component: T, proxy: Proxy) -> None:
            async with started(component):
                await asyncio.gather(*(self.use(component, number) for number in range(10)))
                proxy.cut()
                await self.recovers(component)

        self.behind(case)

    def test_a_slow_server_is_waited_for(self) -> None:
        async def case(component: T, proxy: Proxy) -> None:
            async with started(component):
                proxy.delay = TIMEOUT / 20
                await self.use(component)
                assert await health(component)

        self.behind(case)

    def test_fifty_at_once_get_each_its_own(self) -> None:
        async def case(component: T, proxy: Proxy) -> None:
            async with started(component):
                await asyncio.gather(*(self.patiently(component, number) for number in range(50)))

        self.behind(case)

    def test_an_answer_that_comes_too_late_is_nobody_elses(self) -> None:
        async def case(component: T, proxy: Proxy) -> None:
            async with started(component):
                await self.use(component)
                proxy.mood = "hang"
                late = [self.use(component, number) for number in range(CONNECTIONS)]
                outcomes = await asyncio.gather(*late, return_exceptions=True)
                assert [type(outcome) for outcome in outcomes] == [self.unavailable] * CONNECTIONS
                proxy.mood = "pass"
                await self.recovers(component)
                for number in range(100, 110):
                    await self.use(component, number)

        self.behind(case)

    def test_more_calls_than_connections_all_come_to_an_end(self) -> None:
        async def case(component: T, proxy: Proxy) -> None:
            async with started(component):
                proxy.mood = "hang"
                calls = [self.use(component, number) for number in range(10 * CONNECTIONS)]
                outcomes = await asyncio.gather(*calls, return_exceptions=True)
                assert {type(outcome) for outcome in outcomes} == {self.unavailable}
                proxy.mood = "pass"
                await self.recovers(component)
                await asyncio.gather(*(self.patiently(component, number) for number in range(10 * CONNECTIONS)))
                assert proxy.connections <= CONNECTIONS

        self.behind(case)

    def test_cancellation_at_any_moment_of_a_start_leaves_no_connection(self) -> None:
        async def case(component: T, proxy: Proxy) -> None:
            async def start() -> None:
                while True:
                    with suppress(self.unavailable):  # a busy machine may need more than `TIMEOUT`
                        async with started(self.component(proxy.host, proxy.port)):
                            return

            async for _ in cancelled_at_every_step(start):
                pass

        self.behind(case)

    def test_no_cancellation_is_forgotten(self) -> None:
        async def case(component: T, proxy: Proxy) -> None:
            async def again_and_again() -> None:
                while True:
                    await self.use(component)

            async with started(component):
                for ticks in range(60):
                    user = asyncio.create_task(again_and_again())
                    for _ in range(ticks):
                        await asyncio.sleep(0)
                    user.cancel()
                    done, _ = await asyncio.wait([user], timeout=DEADLINE / 4)
                    assert done, f"a user that was cancelled after {ticks} steps went on"

        self.behind(case)

    def test_cancellation_at_any_moment_of_many_calls_loses_no_connection(self) -> None:
        async def case(component: T, proxy: Proxy) -> None:
            async def many() -> None:
                async with asyncio.TaskGroup() as group:
                    for number in range(3 * CONNECTIONS):
                        group.create_task(self.recovers(component, number))

            async with started(component):
                async for _ in cancelled_at_every_step(many):
                    pass
                await asyncio.gather(*(self.use(component, number) for number in range(3 * CONNECTIONS)))
                assert proxy.connections <= CONNECTIONS

        self.behind(case)

    def test_closing_ends_calls_that_hang(self) -> None:
        async def case(component: T, proxy: Proxy) -> None:
            async with started(component):
                await self.use(component)
                proxy.mood = "hang"
                calls = [asyncio.ensure_future(self.use(component, number)) for number in range(2 * CONNECTIONS)]
                await asyncio.sleep(TIMEOUT / 10)
                await close(component)
                outcomes = await asyncio.gather(*calls, return_exceptions=True)
                assert all(isinstance(outcome, self.base) for outcome in outcomes), outcomes
                with pytest.raises(self.base):
                    await self.use(component)
                assert not await health(component)
                await close(component)

        self.behind(case)

    def test_a_server_killed_and_started_again_is_found_again(self) -> None:
        async def main() -> None:
            component = self.component(server.host, server.port)
            async with started(component):
                await asyncio.gather(*(self.use(component, number) for number in range(10)))
                server.kill()
                await self.fails(component)
                assert not await health(component)
                server.start()
                await self.recovers(component)
                assert await health(component)

        with self.private() as server:
            run(main())

    def test_a_server_killed_in_the_middle_of_calls_ends_them(self) -> None:
        async def endless(component: T, number: int) -> None:
            while True:
                await self.use(component, number)

        async def main() -> None:
            component = self.component(server.host, server.port)
            async with started(component):
                calls = [asyncio.ensure_future(endless(component, number)) for number in range(2 * CONNECTIONS)]
                await asyncio.sleep(TIMEOUT / 10)
                server.kill()
                outcomes = await asyncio.gather(*calls, return_exceptions=True)
                assert {type(outcome) for outcome in outcomes} == {self.unavailable}

        with self.private() as server:
            run(main())

    def test_wrong_credentials_are_refused_and_not_shown(self, caplog: pytest.LogCaptureFixture) -> None:
        async def main() -> None:
            with pytest.raises(self.refusal) as caught:
                async with started(component):
                    await self.prove(component)
            self.names_the_place(caught.value)
            told.extend((str(each), repr(each)) for each in chain(caught.value))

        told: list[tuple[str, str]] = []
        caplog.set_level(logging.DEBUG)
        with self.refused() as component:
            run(main())
            assert SECRET not in f"{told}{component!r}{component}{vars(component)}{caplog.text}"

    def test_settings_without_sense_are_refused_before_anything_is_opened(self) -> None:
        for setting, make in self.senseless():
            with pytest.raises(self.misconfigured) as caught:
                make()
            assert caught.value.setting == setting, str(caught.value)
            assert SECRET not in "".join(str(each) for each in chain(caught.value))


def chain(error: BaseException | None) -> list[BaseException]:
    """An error and everything it came from, as a traceback would show."""
    found: list[BaseException] = []
    while error is not None:
        found.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found
