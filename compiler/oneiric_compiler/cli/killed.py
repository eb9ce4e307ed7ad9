"""What `oneiric demo` shows of runs: a process that fulfils orders is killed, and another one goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep

from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.progress import working
from oneiric_compiler.resources import templates

ORDERS, STEPS = 40, 3
EXTRA = "engine-dbos"
LEFT_OUT = f"left out: orders that survive kill -9. `pip install 'oneiric[{EXTRA}]'` brings what keeps them\n"
_MODULES = ("dbos", "psycopg", "sqlalchemy")
_DEADLINE = 60.0
"""Seconds that each process may take."""


def is_durable() -> bool:
    """Whether what keeps runs is installed."""
    with suppress(ImportError):
        return all(find_spec(name) is not None for name in _MODULES)
    return False


def files() -> dict[str, bytes]:
    """What makes the demo's project take orders as events: path and content."""
    source = templates() / "demo" / "durable"
    paths = sorted(path for path in source.rglob("*") if path.suffix in (".py", ".yml"))
    return {path.relative_to(source).as_posix(): path.read_bytes() for path in paths}


def kill_and_go_on(root: Path, environ: Mapping[str, str]) -> tuple[str, dict[str, float]]:
    """Kills a process in the middle of the orders and has another one finish: what to tell, and the figures.

    Raises CommandError where an order is not shipped once.
    """
    journal = root / "journal.txt"
    with working("fulfilling orders"):
        with _process(root, environ, ORDERS) as first:
            _until_in_the_middle(journal, first)
            first.kill()
            first.wait()
        before = _shipped(_done(journal))
        begin = monotonic()
        with _process(root, environ, 0) as second:
            states = _answer(second)
        took = monotonic() - begin
    done = [(pid, what) for pid, what in _done(journal) if what != "emitted"]
    tokens = Counter(token for _, token in done)
    shipped = len({token for token in tokens if token.endswith("/ship")})
    if states != {"completed": ORDERS} or shipped != ORDERS or len(tokens) != ORDERS * STEPS:
        raise CommandError(
            f"the demo lost an order: the runs are {states}, and {shipped} of {ORDERS} orders are shipped"
        )
    again = len(done) - len(tokens)
    told = (
        f"process {first.pid}: emitted {ORDERS} orders, shipped {before}, and was ended by kill -9\n"
        f"process {second.pid}: took up the other {ORDERS - before}, and shipped them\n"
        f"{ORDERS} of {ORDERS} orders fulfilled, each by one run; of {ORDERS * STEPS} steps {again} were made twice, "
        "under the same token\n"
    )
    return told, {"orders_fulfilled": ORDERS, "steps_repeated": again, "recovery_seconds": took}


@contextmanager
def _process(root: Path, environ: Mapping[str, str], orders: int) -> Generator[subprocess.Popen[str]]:
    """A process that emits so many orders and carries on what there is; killed where it is left before it ends."""
    with (root / "work.log").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "work.py", str(orders)],
            cwd=root, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, encoding="utf-8",
        )  # fmt: skip
    with process:
        try:
            yield process
        finally:
            process.kill()


def _answer(process: subprocess.Popen[str]) -> dict[str, int]:
    try:
        answer, _ = process.communicate(timeout=_DEADLINE)
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"the demo's second process took longer than {_DEADLINE:.0f} seconds") from error
    if process.returncode:
        raise CommandError(f"the demo's second process ended with {process.returncode}")
    states: dict[str, int] = json.loads(answer.splitlines()[-1])
    return states


def _until_in_the_middle(journal: Path, process: subprocess.Popen[str]) -> None:
    """Waits until all orders are emitted and a third of them is shipped."""
    deadline = monotonic() + _DEADLINE
    while _shipped(done := _done(journal)) < ORDERS // 3 or "emitted" not in {what for _, what in done}:
        if process.poll() is not None or monotonic() > deadline:
            raise CommandError(
                f"the demo's first process did not ship a third of its orders in {_DEADLINE:.0f} seconds"
            )
        sleep(0.01)


def _done(journal: Path) -> list[tuple[str, str]]:
    """What the processes noted: which one, and the token of a step, or that it emitted the orders."""
    if not journal.exists():
        return []
    lines = journal.read_text(encoding="utf-8").splitlines()
    return [(pid, token) for pid, _, token in (line.partition(" ") for line in lines)]


def _shipped(done: list[tuple[str, str]]) -> int:
    return sum(token.endswith("/ship") for _, token in done)
