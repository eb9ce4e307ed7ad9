"""Kill a process at random points of swaps, reloads and rollbacks, and start it again.

`python -m tests.faults.killing N`, for so many trials with a compiler that takes no time; with `--compiler` the real
one is a child of the process that is killed.

Each trial forks a process that changes its wiring as fast as it can, and tells before each change which generations it
has and which it is to have then. After the kill the folder must hold one of these two, exactly and whole; the project
is as it was; nothing that the process started is left.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import oneiric
from oneiric import Deadlines, Runtime
from oneiric.loading import digest_of
from oneiric.reload import history
from oneiric.reload.outcome import Overrides
from oneiric.reload.recompile import Order
from oneiric.reload.state import KEPT, Record, State
from oneiric.runtime import host_of

from tests.faults.killed import QUICK, REAL, Kind

Digests = dict[str, str]
"""The generation of each provider: a compile of the same settings and overrides has the same bytes."""


class Trials(NamedTuple):
    """Trials of one kind in one folder."""

    kind: Kind
    folder: Path
    digests: Digests

    def runtime(self) -> Runtime[Any]:
        wiring = oneiric.load(self.folder / "generated" / "wiring.py")
        return Runtime(wiring, state=self.folder / "state", deadlines=Deadlines(drain=1, close=1))

    def provider(self, digest: str) -> str:
        return next(provider for provider, each in self.digests.items() if each == digest)


class Kill(NamedTuple):
    """What one came upon: a change that was not over, but recorded; a compiler that ran."""

    amid_change: bool
    recorded: bool
    amid_compile: bool


def generations(runtime: Runtime[Any]) -> list[str]:
    """The current generation, and those before it."""
    known = host_of(runtime).changes.history
    return [each.digest for each in (known.current, *known.previous)]


def after(what: str, digest: str, known: list[str]) -> list[str]:
    """The generations after a change that is accepted."""
    if what == "rollback":
        return known[1:]
    return known if what == "reload" or digest == known[0] else [digest, *known][: KEPT + 1]


async def change_forever(trials: Trials, say: int, seed: int) -> None:
    """Swap, clear, roll back and reload, telling what is tried and what was accepted."""
    choose = random.Random(seed)
    kind = trials.kind

    def tell(**what: object) -> None:
        os.write(say, (json.dumps(what) + "\n").encode())

    async with trials.runtime() as runtime:
        live = await runtime.use(*kind.key.split(":"))
        await live.ping()
        tell(known=generations(runtime))
        while True:
            what = choose.choice(("swap", "swap", "swap", "clear", "rollback", "reload"))
            known = generations(runtime)
            if what == "rollback" and len(known) == 1:
                continue
            provider = choose.choice(kind.providers[1:]) if what == "swap" else kind.providers[0]
            expected = after(what, trials.digests[provider], known)
            tell(known=known, expected=expected)
            if what in ("swap", "clear"):
                outcome = await runtime.swap(kind.key, provider if what == "swap" else None)
            else:
                outcome = await (runtime.rollback() if what == "rollback" else runtime.reload())
            assert outcome.accepted, outcome
            assert generations(runtime) == expected, (what, known)
            tell(known=expected)


def forked(work: Callable[[int], Any]) -> tuple[int, int]:
    """A process in a group of its own that does some work; its id, and where to hear what it says."""
    hear, say = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(hear)
            os.setpgid(0, 0)
            work(say)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(say)
    return child, hear


def trial(trials: Trials, seed: int) -> Kill:
    """One process, killed."""
    child, hear = forked(lambda say: asyncio.run(change_forever(trials, say, seed)))
    said = b""
    while b"\n" not in said:
        more = os.read(hear, 65536)
        assert more, "the process ended before it was ready"
        said += more
    time.sleep(random.Random(seed).random() * trials.kind.longest)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the process ended by itself"
    compiling = runs(child)
    while more := os.read(hear, 65536):
        said += more
    os.close(hear)
    last = json.loads(said.splitlines()[-1])
    known, expected = last["known"], last.get("expected", last["known"])
    there = check(trials, known, expected)
    gone(child)
    return Kill("expected" in last, there != known, compiling)


def runs(group: int) -> bool:
    """Whether anything of a process group is there that has not ended, reaped or not."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    states = [of_group(path) for path in Path("/proc").glob("[0-9]*/stat")]
    return not states or any(state not in "ZX" for state, each in filter(None, states) if each == group)


def of_group(stat: Path) -> tuple[str, int] | None:
    """The state of a process, and its group; None where it is gone."""
    try:
        state, _, group = stat.read_text().rpartition(")")[2].split()[:3]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return state, int(group)


def gone(group: int) -> None:
    """Wait until nothing of a process group runs."""
    end = time.monotonic() + 10
    while runs(group):
        if time.monotonic() > end:
            os.killpg(group, signal.SIGKILL)
            raise AssertionError("a compiler outlived its process")
        time.sleep(0.005)


def check(trials: Trials, known: list[str], expected: list[str]) -> list[str]:
    """What the folder holds, and what a restart makes of it. The generations that are there."""
    state = State(trials.folder / "state")
    record = state.open()
    state.close()
    assert record is not None
    there = [record.generation, *record.previous]
    assert there in (known, expected), f"{there} is neither {known} nor {expected}"
    assert all(state.has(digest) for digest in there), "a generation is torn"
    assert record.deployed == trials.digests[trials.kind.providers[0]]
    assert not record.origins
    assert [each["generation"] for each in record.changes[-1:]] in ([], [record.generation])
    provider = trials.provider(record.generation)
    assert record.overrides.get(record.generation, Overrides()) == overridden(trials.kind, provider)
    asyncio.run(restart(trials, record, provider))
    return there


def overridden(kind: Kind, provider: str) -> Overrides:
    return Overrides({} if provider == kind.providers[0] else {kind.key: provider})


async def restart(trials: Trials, record: Record, provider: str) -> None:
    async with trials.runtime() as runtime:
        assert generations(runtime) == [record.generation, *record.previous]
        assert runtime.overrides == overridden(trials.kind, provider)
        stated = json.loads((trials.folder / "state" / "overrides.json").read_text())
        assert stated == runtime.overrides.document()
        live = await runtime.use(*trials.kind.key.split(":"))
        assert (await live.ping()).removeprefix("a/") == provider
    left = {path.name for path in (trials.folder / "state" / "generations").iterdir()}
    assert left == record.digests(), "something is left over"


async def digests_of(kind: Kind, folder: Path) -> Digests:
    """Compile each."""
    digests: Digests = {}
    for provider in kind.providers:
        out = folder / f"expected-{provider}"
        out.mkdir()
        baseline = folder / "generated"
        order = Order(folder, "default", overridden(kind, provider), baseline, baseline)
        digests[provider] = digest_of(oneiric.load((await kind.compile(order, out, 60)).swapped))
    return digests


def contents(folder: Path) -> dict[Path, bytes]:
    """The project, byte by byte."""
    parts = (folder / name for name in ("settings", "generated", "lab"))
    return {path: path.read_bytes() for part in parts for path in part.rglob("*") if path.suffix in (".yml", ".py")}


def main(kind: Kind, count: int, seed: int) -> None:
    history.recompile = kind.compile
    began = time.monotonic()
    kills: list[Kill] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        kind.make(folder)
        os.chdir(folder)
        sys.path.insert(0, name)
        trials = Trials(kind, folder, asyncio.run(digests_of(kind, folder)))
        baseline = trials.digests[kind.providers[0]]
        project = contents(folder)
        asyncio.run(restart(trials, Record(baseline, baseline), kind.providers[0]))
        for number in range(count):
            kills.append(trial(trials, seed + number))
            assert contents(folder) == project, "the project was written to"
            if kind.check is not None:
                subprocess.run(kind.check, check=True, timeout=60, stdout=subprocess.DEVNULL)
        os.chdir("/")
    changes, recorded, compiles = (sum(each) for each in zip(*kills, strict=True))
    amid = f"{changes} amid a change ({recorded} of them after its record, {compiles} while a compiler ran)"
    print(f"{count} kills in {time.monotonic() - began:.0f} s, {amid}: nothing torn, nothing orphaned")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("count", type=int)
    arguments.add_argument("--compiler", action="store_true")
    arguments.add_argument("--seed", type=int, default=0)
    given = arguments.parse_args()
    main(REAL if given.compiler else QUICK, given.count, given.seed)
