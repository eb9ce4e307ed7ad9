"""Synchronous code calls into a runtime."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from oneiric import ActivationError, Portal, PortalError, Runtime, RuntimeClosed, ShutdownError
from oneiric.runtime import host_of

from tests.unit.runtime.making import Part, key, run, wiring_of
from tests.unit.runtime.shop.wiring import Wiring

NAME = contextvars.ContextVar("NAME", default="none")


def part_wiring(made: list[Part], **options: Any) -> type[Any]:
    return wiring_of(part=key(lambda _: Part(made), port="tests.unit.runtime.making:Part", **options))


def test_a_portal_runs_a_runtime_that_does_not_run_yet() -> None:
    made: list[Part] = []
    with Runtime(part_wiring(made)).portal() as portal:
        assert portal.call(portal.runtime.wiring.adapters.part.live.ping, value=3) == 3
        with pytest.raises(KeyError):
            portal.call(_raise, KeyError("mine"))
        with pytest.raises(TimeoutError):
            portal.call(_raise, TimeoutError())
        NAME.set("mine")
        assert portal.call(_name) == "mine"
    assert [part.closes for part in made] == [1]
    with pytest.raises(PortalError):
        portal.call(_name)


async def _raise(error: Exception) -> None:
    raise error


async def _name() -> str:
    return NAME.get()


def test_a_portal_tells_what_goes_wrong_at_both_ends() -> None:
    def broken(_: object) -> None:
        raise OSError

    class Bad(Part):
        def close(self) -> None:
            raise OSError

    with pytest.raises(ActivationError), Runtime(wiring_of(part=key(broken, eager=True))).portal():
        pytest.fail("entered")
    with pytest.raises(ShutdownError), Runtime(wiring_of(part=key(lambda _: Bad([]), eager=True))).portal():
        pass


def test_a_portal_of_a_running_runtime_uses_its_loop_and_leaves_it_running() -> None:
    made: list[Part] = []

    async def story() -> None:
        async with Runtime(part_wiring(made)) as runtime:

            def work(portal: Portal[Any]) -> int:
                with portal:
                    value: int = portal.call(runtime.wiring.adapters.part.live.ping, 4)
                    return value

            assert await asyncio.to_thread(work, runtime.portal()) == 4
            with runtime.portal() as portal, pytest.raises(PortalError, match="own loop"):
                portal.call(_name)
            assert host_of(runtime).status == "running"

    run(story())


def test_a_call_into_a_loop_that_ends_does_not_wait_for_ever() -> None:
    made: list[Part] = []
    outcome: list[BaseException] = []
    started = threading.Event()

    async def wait() -> None:
        started.set()
        await asyncio.sleep(60)

    with Runtime(part_wiring(made)).portal() as portal:

        def call() -> None:
            try:
                portal.call(wait)
            except RuntimeClosed as error:
                outcome.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        assert started.wait(10)
    thread.join(10)
    assert len(outcome) == 1


AT_EXIT = """
import atexit
from oneiric import Runtime
from tests.unit.runtime.making import key, wiring_of

class Part:
    def close(self):
        print("closed")

portal = Runtime(wiring_of(part=key(lambda _: Part(), eager=True))).portal()
portal.__enter__()
atexit.register(portal.__exit__, None, None, None)
"""


def test_a_portal_that_is_left_at_the_end_of_the_process_closes_everything() -> None:
    root = Path(__file__).parents[3]  # Python 3.12 begins no thread by then, in which this close would be called
    done = subprocess.run(
        [sys.executable, "-c", AT_EXIT], cwd=root, capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("closed\n", "")


def test_the_fixture_runs_a_wiring_for_one_test(wired: Any) -> None:
    class Cache:
        async def get(self, key: str) -> bytes:
            return b"four"

        async def set(self, key: str, value: bytes, *, ttl: float | None = None) -> None: ...

    portal = wired(Wiring, replace={"adapter:cache": Cache()})
    assert portal.call(portal.runtime.wiring.services.check_out.live.total, "basket") == 4


def test_threads_read_snapshots_that_never_mix() -> None:
    made: list[Part] = []
    with Runtime(part_wiring(made)).portal() as portal:
        slot = portal.runtime.wiring.adapters.part
        assert slot not in portal.runtime.snapshot()
        portal.call(slot.live.ping)
        assert portal.runtime.snapshot()[slot] is made[0]
