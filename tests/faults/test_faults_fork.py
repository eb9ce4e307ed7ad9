"""Processes forked from one that runs an application: nothing of it is theirs, and they learn so at once."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

SECONDS = 60
ROOT = Path(__file__).parents[2]
HEAD = """
import asyncio, os, signal, sys, threading, time, warnings
from typing import Protocol

warnings.simplefilter("ignore", DeprecationWarning)
import oneiric
from oneiric import Runtime, RuntimeForked
from oneiric.runtime import host_of
from oneiric.wiring import Domain, Wiring, bind


def say(line):
    sys.stdout.flush()
    os.write(1, f"{line}\\n".encode())  # at once: several processes write to one pipe


class Pinging(Protocol):
    async def ping(self) -> int: ...
    def now(self) -> int: ...


class Part:
    async def ping(self) -> int:
        return os.getpid()

    def now(self) -> int:
        return os.getpid()

    async def aclose(self) -> None:
        say("closed")


class Services(Domain):
    @bind("service:part", "1", provider="std", port=f"{__name__}:Pinging", eager=True)
    def part(self):
        return Part()


class App(Wiring, app="shop"):
    services: Services


App.domains(services=Services)


def named(*calls):
    for call in calls:
        try:
            answer = call()
            if hasattr(answer, "__await__"):
                asyncio.run(awaited(answer))
        except RuntimeForked:
            continue
        print("not refused:", call, flush=True)
        os._exit(9)


async def awaited(answer):
    return await answer


def over(pid):
    _, status = os.waitpid(pid, 0)
    say(f"child {os.waitstatus_to_exitcode(status)}")
"""


def run(script: str, *arguments: str) -> list[str]:
    """The lines that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", HEAD + textwrap.dedent(script), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_every_way_in_is_refused_in_the_child_and_the_parent_goes_on() -> None:
    script = """
    runtime = Runtime(App)
    live, slot = runtime.wiring.services.part.live, runtime.wiring.services.part
    with runtime.portal() as portal:
        before = runtime.snapshot()
        pid = os.fork()
        if not pid:
            named(
                lambda: portal.call(live.ping),
                lambda: runtime.portal().__enter__(),
                lambda: live.now(),
                lambda: slot.current,
                lambda: live.ping(),
                lambda: slot.lease().__aenter__(),
                lambda: runtime.use("service", "part"),
                lambda: runtime.snapshot(),
                lambda: runtime.health(),
                lambda: runtime.reload(),
                lambda: runtime.swap("service:part", "other"),
                lambda: runtime.rollback(),
                lambda: runtime.__aenter__(),
            )
            os._exit(0)
        over(pid)
        print(portal.call(live.ping) == os.getpid() and before[slot] is runtime.snapshot()[slot])
    """
    assert run(script) == ["child 0", "True", "closed"]


def test_a_child_that_leaves_by_the_end_of_the_block_closes_nothing() -> None:
    script = """
    with Runtime(App).portal() as portal:
        pid = os.fork()
        if not pid:
            sys.exit(3)
        over(pid)
    """
    assert run(script) == ["child 3", "closed"]


def test_a_child_forked_in_the_loop_closes_nothing_either() -> None:
    script = """
    async def main():
        async with Runtime(App) as runtime:
            await runtime.wiring.services.part.live.ping()
            pid = os.fork()
            if not pid:
                await runtime.__aexit__(None, None, None)
                named(lambda: runtime.wiring.services.part.current)
                os._exit(0)
            over(pid)

    asyncio.run(main())
    """
    assert run(script) == ["child 0", "closed"]


def test_a_fork_while_another_thread_holds_the_lock_leaves_no_child_waiting() -> None:
    script = """
    with Runtime(App).portal() as portal:
        host = host_of(portal.runtime)
        held, over_ = threading.Event(), threading.Event()

        def hold():
            with host.lock:
                held.set()
                over_.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait()
        pid = os.fork()
        if not pid:
            named(lambda: portal.runtime.snapshot(), lambda: portal.runtime.wiring.services.part.current)
            os._exit(0)
        over_.set()
        thread.join()
        over(pid)
    """
    assert run(script) == ["child 0", "closed"]


def test_a_fork_in_the_middle_of_an_activation_ends_no_attempt_of_the_parent() -> None:
    script = """
    begun = threading.Event()

    class Slow(Part):
        async def start(self):
            begun.set()
            await asyncio.sleep(0.2)

    class Others(Domain):
        @bind("service:slow", "1", provider="std", port=f"{__name__}:Pinging")
        def slow(self):
            return Slow()

    class Other(Wiring, app="shop"):
        services: Others

    Other.domains(services=Others)
    with Runtime(Other).portal() as portal:
        live = portal.runtime.wiring.services.slow.live
        asking = threading.Thread(target=lambda: print(portal.call(live.ping) == os.getpid(), flush=True))
        asking.start()
        begun.wait()
        pid = os.fork()
        if not pid:
            named(lambda: live.ping(), lambda: portal.call(live.ping))
            os._exit(0)
        over(pid)
        asking.join()
    """
    assert run(script) == ["child 0", "True", "closed"]


def test_a_child_can_have_a_runtime_of_its_own_as_pools_of_workers_do() -> None:
    """What `gunicorn --preload` and Celery's prefork do: several children of a process that has one open."""
    script = """
    with Runtime(App).portal() as portal:
        children = []
        for _ in range(3):
            pid = os.fork()
            if not pid:
                with Runtime(App).portal() as own:
                    assert own.call(own.runtime.wiring.services.part.live.ping) == os.getpid()
                os._exit(0)
            children.append(pid)
        for pid in children:
            over(pid)
    """
    assert sorted(run(script)) == ["child 0"] * 3 + ["closed"] * 4


def test_multiprocessing_forks_are_refused_too() -> None:
    script = """
    import multiprocessing

    def work(results):
        try:
            portal.call(portal.runtime.wiring.services.part.live.ping)
        except RuntimeForked as error:
            results.put(str(error))

    forking = multiprocessing.get_context("fork")
    with Runtime(App).portal() as portal:
        results = forking.Queue()
        process = forking.Process(target=work, args=(results,))
        process.start()
        print(results.get(timeout=30))
        process.join()
    """
    assert run(script) == ["the runtime was entered before this process was forked: make one here", "closed"]


STATEFUL = """
path = os.path.join(sys.argv[1], "wiring.py")
runtime = Runtime(oneiric.load(path), state=os.path.join(sys.argv[1], "state"))
"""
WIRING = """\
from __future__ import annotations

from oneiric.wiring import Domain, Wiring as BaseWiring, bind


class Services(Domain):
    @bind("service:part", "1", provider="std")
    def part(self) -> object:
        return object()


class Wiring(BaseWiring, app="shop", profile="default"):
    services: Services


Wiring.domains(services=Services)
"""


@pytest.fixture
def folder(tmp_path: Path) -> str:
    (tmp_path / "wiring.py").write_text(WIRING)
    return str(tmp_path)


def test_the_child_never_has_the_state_folder(folder: str) -> None:
    """It gives nothing up when it ends, nor keeps the folder from the next process when its parent has ended."""
    script = """
    from oneiric import StateError

    def taken():
        try:
            with Runtime(oneiric.load(path), state=os.path.join(sys.argv[1], "state")).portal():
                return False
        except StateError:
            return True

    gate, tell = os.pipe()
    with runtime.portal() as portal:
        first = os.fork()
        if not first:
            os._exit(0)
        over(first)
        second = os.fork()
        if not second:
            os.close(tell)
            os.read(gate, 1)
            os._exit(0)
        print(taken())
    print(taken())
    os.close(tell)
    over(second)
    """
    assert run(STATEFUL + textwrap.dedent(script), folder) == ["child 0", "True", "False", "child 0"]


def test_a_killed_parent_leaves_the_folder_to_the_next_though_its_child_lives(folder: str) -> None:
    script = """
    with runtime.portal() as portal:
        pid = os.fork()
        if not pid:
            time.sleep(60)
            os._exit(0)
        print(pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    arguments = [sys.executable, "-c", HEAD + STATEFUL + textwrap.dedent(script), folder]
    with (Path(folder) / "out").open("w") as out:
        done = subprocess.run(arguments, stdout=out, cwd=ROOT, timeout=SECONDS, check=False)
    child = int((Path(folder) / "out").read_text())
    try:
        assert done.returncode == -signal.SIGKILL
        assert run(STATEFUL + "\nwith runtime.portal():\n    print('taken over')\n", folder) == ["taken over"]
        os.kill(child, 0)
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_child_of_a_served_process_keeps_no_address_taken(tmp_path: Path) -> None:
    script = """
    from oneiric.serve.sockets import bound, control_socket

    listening = bound("127.0.0.1", 0)
    print(listening.getsockname()[1], flush=True)
    with control_socket(sys.argv[1]) as control:
        control.listen()
        leaving = os.fork()
        if not leaving:
            sys.exit(0)
        os.waitpid(leaving, 0)
        pid = os.fork()
        if not pid:
            say(os.getpid())
            time.sleep(60)
        time.sleep(60)
    """
    control = str(tmp_path / "c")
    arguments = [sys.executable, "-c", HEAD + textwrap.dedent(script), control]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        port, child = int(parent.stdout.readline()), int(parent.stdout.readline())
        try:
            parent.kill()
            parent.wait(SECONDS)
            with socket.socket(socket.AF_UNIX) as asking, pytest.raises(ConnectionRefusedError):
                asking.connect(control)
            with socket.create_server(("127.0.0.1", port)):
                pass
            assert Path(control).exists()
        finally:
            os.kill(child, signal.SIGKILL)
