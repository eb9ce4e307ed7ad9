"""Taking samples: by turns, so that a floor and what is held against it meet the same machine."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

DEADLINE = 300.0  # seconds a child may take
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
REPEATED = 50  # times a statement stands in a loop's body, so that the loop itself does not count


@dataclass(frozen=True, slots=True)
class Finished:
    """What a child process took: seconds by the clock, seconds of processor, bytes at its peak; and what it wrote."""

    wall: float
    cpu: float
    peak: int
    output: str


def by_turns(rounds: int, *actions: Callable[[], T]) -> list[list[T]]:
    """The results of each action, one per round; every other round runs them backwards."""
    results: list[list[T]] = [[] for _ in actions]
    for number in range(rounds):
        order = range(len(actions)) if number % 2 == 0 else reversed(range(len(actions)))
        for index in order:
            results[index].append(actions[index]())
    return results


def child(
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] = ENVIRONMENT,
    python: str = sys.executable,
) -> Finished:
    """Run this interpreter, or another one, in `folder`. Raises `RuntimeError` with what it wrote when it fails."""
    with tempfile.TemporaryFile() as written:
        start = time.perf_counter()
        process = subprocess.Popen([python, *arguments], cwd=folder, env=environment, stdout=written, stderr=written)
        guard = threading.Timer(DEADLINE, process.kill)
        guard.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        guard.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        written.seek(0)
        output = written.read().decode(errors="replace")
        if process.returncode:
            raise RuntimeError(f"{' '.join(arguments)}\n{output}")
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Finished(wall, usage.ru_utime + usage.ru_stime, peak, output)


def reached(code: str, folder: Path) -> Callable[[], float]:
    """From the start of a child to where `code` prints `time.monotonic()`, in milliseconds; its exit is not in it."""

    def sample() -> float:
        start = time.monotonic()
        return (float(answer(code, folder)) - start) * 1e3

    return sample


def answer(code: str, folder: Path) -> str:
    """What this interpreter prints when it runs `code` in `folder`."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=DEADLINE,
    ).stdout


def loop(statement: str, **names: object) -> Callable[[int], float]:
    """A function that runs the statement so many times and gives nanoseconds of thread time for one.

    Each has code of its own, so that the interpreter specialises it for what it meets there.
    """
    source = _LOOP.format(kind="def", names=", ".join(names), body=f"            {statement}\n" * REPEATED)
    made: Callable[..., float] = _defined(source)
    return lambda times: made(*names.values(), max(times // REPEATED, 1))


def async_loop(statement: str, **names: object) -> Callable[[int], Any]:
    """The same as a coroutine function, for statements that await."""
    source = _LOOP.format(kind="async def", names=", ".join(names), body=f"            {statement}\n" * REPEATED)
    made: Callable[..., Any] = _defined(source)
    return lambda times: made(*names.values(), max(times // REPEATED, 1))


_LOOP = """\
{kind} run({names}, times):
    gc.disable()
    start = now()
    try:
        for _ in range(times):
{body}
        return (now() - start) / (times * repeated)
    finally:
        gc.enable()
"""


def _defined(source: str) -> Any:
    namespace: dict[str, Any] = {"gc": gc, "now": time.thread_time_ns, "repeated": REPEATED}
    exec(source, namespace)
    return namespace["run"]
