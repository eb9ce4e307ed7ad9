"""Kill a process at random points of swaps, reloads and rollbacks, and start it again.

`python -m tests.faults.killing N`, for so many trials.

Each trial forks a process that changes its wiring as fast as it can and says what was accepted. After the kill the
folder must hold the last accepted generation, or the one that was under way, whole; the baseline is never written.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import oneiric
from oneiric import Deadlines, Runtime, history
from oneiric.loading import digest_of
from oneiric.outcome import Overrides
from oneiric.state import State

from tests.faults.compiler import text_of

A = "adapter:a"


async def compiled(folder: Path, overrides: Overrides, profile: str, seconds: float) -> Path:
    """In the compiler's place, without the time a process takes: writes in two halves."""
    text = text_of(overrides.base.get(A, "1"))
    (folder / "explain.json").write_text("{}")
    with open(folder / "wiring.py", "w") as file:
        file.write(text[:200])
        file.flush()
        await asyncio.sleep(0.0005)
        file.write(text[200:])
    return folder / "wiring.py"


def runtime_of(folder: Path) -> Runtime[Any]:
    wiring = oneiric.load(folder / "generated" / "wiring.py")
    return Runtime(wiring, state=folder / "state", deadlines=Deadlines(drain=1, close=1))


async def change_forever(folder: Path, say: int, seed: int) -> None:
    """Swap, clear, roll back and reload, telling what is tried and what was accepted."""
    choose = random.Random(seed)
    async with runtime_of(folder) as runtime:
        await runtime.wiring.adapters.a.live.ping()
        os.write(say, f"ready {runtime.generation} {runtime.overrides.base.get(A, '1')}\n".encode())
        while True:
            number = str(choose.randrange(2, 9))
            what = choose.choice(("swap", "swap", "swap", "clear", "rollback", "reload"))
            os.write(say, f"try {what} {number}\n".encode())
            if what == "swap":
                outcome = await runtime.swap(A, number)
            elif what == "clear":
                outcome = await runtime.swap(A, None)
            else:
                outcome = await (runtime.rollback() if what == "rollback" else runtime.reload())
            provider = runtime.overrides.base.get(A, "1")
            os.write(say, f"{'ack' if outcome.accepted else 'nack'} {runtime.generation} {provider}\n".encode())


def trial(folder: Path, seed: int) -> bool:
    """One process, killed. Whether that was in the middle of a change."""
    hear, say = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(hear)
        try:
            asyncio.run(change_forever(folder, say, seed))
        finally:
            os._exit(1)
    os.close(say)
    said = b""
    while b"\n" not in said:
        more = os.read(hear, 65536)
        assert more, "the process ended before it was ready"
        said += more
    time.sleep(random.Random(seed).random() * 0.03)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the process ended by itself"
    while more := os.read(hear, 65536):
        said += more
    os.close(hear)
    lines = said.decode().splitlines()
    check(folder, lines)
    return lines[-1].startswith("try")


def check(folder: Path, said: list[str]) -> None:
    """What the folder holds, and what a restart makes of it."""
    state = State(folder / "state")
    record = state.open()
    state.close()
    assert record is not None
    assert state.has(record.generation), "the current generation is torn"
    assert all(state.has(digest) for digest in record.previous), "a generation before is torn"
    provider = record.overrides.get(record.generation, Overrides()).base.get(A, "1")
    known = [line.split()[2] for line in said if line.startswith(("ready", "ack", "nack"))]
    under_way, *_ = [said[-1].split()[1:]] if said[-1].startswith("try") else [["", ""]]
    if under_way[0] != "rollback":
        possible = {"swap": under_way[1], "clear": "1"}.get(under_way[0], known[-1])
        assert provider in (known[-1], possible), f"{provider} is current after {said[-3:]}"
    loaded = oneiric.load(state.path(record.generation))
    assert loaded.__domains__["adapters"].__bindings__["a"].provider == provider
    asyncio.run(restart(folder, record.generation, provider))


async def restart(folder: Path, generation: str, provider: str) -> None:
    async with runtime_of(folder) as runtime:
        assert runtime.generation == generation
        assert await runtime.wiring.adapters.a.live.ping() == f"a/{provider}"


def main(trials: int) -> None:
    history.recompile = compiled
    began, middle = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "generated").mkdir()
        (folder / "generated" / "wiring.py").write_text(text_of())
        baseline = digest_of(oneiric.load(folder / "generated" / "wiring.py"))
        asyncio.run(restart(folder, baseline, "1"))
        for number in range(trials):
            middle += trial(folder, number)
        assert digest_of(oneiric.load(folder / "generated" / "wiring.py")) == baseline
    print(f"{trials} kills, {middle} of them in the middle of a change, {time.monotonic() - began:.0f} s: nothing torn")


if __name__ == "__main__":
    main(int(sys.argv[1]))
