"""Built-in providers beside the client they use, same server, same run: `python -m benchmarks.backends`."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import oneiric
import pytest
from oneiric import Runtime
from oneiric.testing.proxy import Proxy

from benchmarks.backends.subjects import PROVIDERS, STARTED, Call, Chosen, Subject
from benchmarks.command import main
from benchmarks.measure import DEADLINE
from benchmarks.projects import compile_project
from benchmarks.table import Row, Table

USERS = 50
TARGET = 1.05


def tables(short: bool) -> Iterator[Table]:
    over, handles, starts, connections = [], [], [], []
    for provider in PROVIDERS:
        try:
            for subject in provider():
                over += asyncio.run(_calls(subject, short))
                handles += asyncio.run(_handle(subject, short))
                starts += _starts(subject.chosen(*subject.address), short)
                connections += asyncio.run(_connections(subject))
        except pytest.skip.Exception as missing:
            print(f"left out: {missing}", file=sys.stderr)
    for several in STARTED:
        for chosen in several():
            starts += _starts(chosen, short)
    yield Table("Calls over the network", "the client by itself, same server, by turns", over)
    yield Table(f"Calls of {USERS} users through `live`", "the same on the bare instance", handles)
    yield Table("The first use of a provider", "", starts)
    yield Table(f"Connections open, with {USERS} users", "", connections)


@asynccontextmanager
async def running(subject: Subject, address: tuple[str, int] | None = None) -> AsyncGenerator[Any, None]:
    """The slot of the subject's key in a running application, activated."""
    with tempfile.TemporaryDirectory() as folder:
        wiring = oneiric.load(_compiled(subject.chosen(*(address or subject.address)), Path(folder)))
        async with Runtime(wiring) as runtime:
            await runtime.use("adapter", subject.key)
            slot = getattr(runtime.wiring.adapters, subject.key)
            async with slot.lease():
                yield slot


def _compiled(chosen: Chosen, folder: Path) -> Path:
    key, provider, settings = chosen
    (folder / "settings").mkdir()
    (folder / "settings/app.yml").write_text("name: probe\n", "utf-8")
    stated = {"selections": {key: provider}, "provider_settings": {f"{key}/{provider}": settings}}
    (folder / "settings/adapters.yml").write_text(json.dumps(stated), "utf-8")
    compile_project(folder)
    return folder / "generated/wiring.py"


async def _calls(subject: Subject, short: bool) -> list[Row]:
    """Of each operation: one user's calls one after the other, their median and 99th, and many users at once."""
    rounds, times = (3, 100) if short else (11, 1000)
    rows: list[Row] = []
    async with running(subject) as slot, subject.pairs(slot.current) as pairs:
        for pair in pairs:
            kinds: list[list[list[float]]] = [[[], []] for _ in range(4)]
            for number in range(rounds):
                await pair.prepare(times * 2)
                one = await _in_turn((pair.ours, pair.raw), times, number)
                many = [await _at_once(call, times) for call in _ordered((pair.ours, pair.raw), number)]
                for side in (0, 1):
                    taken = sorted(one[side])
                    for kind, figure in enumerate(
                        (sum(taken) / times, taken[times // 2], taken[times * 99 // 100], _ordered(many, number)[side])
                    ):
                        kinds[kind][side].append(figure)
            what = f"{subject.key}/{subject.provider}: {pair.what}"
            ends = (", mean", ", p50", ", p99", f", {USERS} users, a call")
            for end, (ours, raw), target in zip(ends, kinds, (TARGET, TARGET, None, TARGET), strict=True):
                rows.append(Row(what + end, "us", ours, raw, "ratio", target))
    return rows


async def _handle(subject: Subject, short: bool) -> list[Row]:
    rounds, times = (3, 200) if short else (11, 1500)
    taken: list[list[float]] = [[], []]
    async with running(subject) as slot:
        live, bare = slot.live, slot.current
        for number in range(rounds):
            sides = _ordered((lambda: subject.call(live), lambda: subject.call(bare)), number)
            many = [await _at_once(call, times) for call in sides]
            for side, figure in enumerate(_ordered(many, number)):
                taken[side].append(figure)
    what = f"{subject.key}/{subject.provider}: a call"
    return [Row(what, "us", taken[0], taken[1], "ratio", TARGET)]


_FIRST_USE = """
import asyncio, json, sys, time
import oneiric
from oneiric import Runtime

def resident():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))

async def main():
    async with Runtime(oneiric.load(sys.argv[1])) as runtime:
        slot = getattr(runtime.wiring.adapters, sys.argv[2])
        before, start = resident(), time.perf_counter()
        async with slot.lease():
            took = time.perf_counter() - start
        print(json.dumps([took * 1e3, resident() - before]))

asyncio.run(main())
"""


def _starts(chosen: Chosen, short: bool) -> list[Row]:
    """Activation in a fresh process (of Linux): the SDK's import, the connection and the health check."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", _FIRST_USE, str(_compiled(chosen, Path(folder))), chosen.key]
        samples = [
            json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=DEADLINE).stdout)
            for _ in range(2 if short else 11)
        ]
    what = f"{chosen.key}/{chosen.provider}: "
    return [
        Row(what + "activation, with the import of its client", "ms", [took for took, _ in samples]),
        Row(what + "memory it takes", "MiB", [memory / 1024 for _, memory in samples]),
    ]


async def _connections(subject: Subject) -> list[Row]:
    """Counted by a proxy between the component and its server."""
    with Proxy(*subject.address) as proxy:
        async with running(subject, (proxy.host, proxy.port)) as slot:
            rest = proxy.connections
            most = 0
            for _ in range(20):
                await asyncio.gather(*(subject.call(slot.current) for _ in range(USERS)))
                most = max(most, proxy.connections)
    what = f"{subject.key}/{subject.provider}: "
    return [Row(what + "after activation", "", [rest]), Row(what + "under load", "", [most])]


async def _in_turn(calls: tuple[Call, Call], times: int, number: int) -> list[list[float]]:
    """Microseconds of each call of either side, which take turns of ten calls."""
    taken: list[list[float]] = [[], []]
    for turn in range(times // 10):
        for side in _ordered((0, 1), number + turn):
            call, append = calls[side], taken[side].append
            for _ in range(10):
                start = time.perf_counter_ns()
                await call()
                append((time.perf_counter_ns() - start) / 1e3)
    return taken


async def _at_once(call: Call, times: int) -> float:
    """Microseconds for one call of so many, made by `USERS` tasks."""

    async def user() -> None:
        for _ in range(times // USERS):
            await call()

    start = time.perf_counter_ns()
    await asyncio.gather(*(user() for _ in range(USERS)))
    return (time.perf_counter_ns() - start) / 1e3 / times


def _ordered(sides: Any, number: int) -> Any:
    """The two sides; every other time the second first."""
    return sides if number % 2 == 0 else sides[::-1]


if __name__ == "__main__":
    main("backends", tables)
