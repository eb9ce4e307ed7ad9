"""One SIGINT while an application is entered, at many moments: what was made by then is closed before the process ends.

`ONEIRIC_INTERRUPTS` is how many processes are interrupted in each way of entering.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROUNDS = int(os.environ.get("ONEIRIC_INTERRUPTS", "16"))
SECONDS = 60
SCRIPT = """
import asyncio, os, sys, time
from oneiric import Runtime
from oneiric.wiring import Domain, Wiring, bind

log = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


class Part:
    def __init__(self, name):
        self.name = name
        os.write(log, f"making {name}\\n".encode())
        time.sleep(0.02)
        os.write(log, f"made {name}\\n".encode())

    async def aclose(self):
        os.write(log, f"closed {self.name}\\n".encode())


class Starting(Part):
    async def start(self):
        await asyncio.sleep(0.02)


def block(kind, name):
    return lambda _: kind(name)


parts = {"a": Part, "b": Starting, "c": Part, "d": Starting}
needs = {"b": ("service:a",), "c": ("service:a", "service:b")}
Services = type("Services", (Domain,), {
    name: bind(f"service:{name}", "1", provider="std", eager=True, needs=needs.get(name, ()))(block(kind, name))
    for name, kind in parts.items()
})


class App(Wiring, app="shop"):
    pass


App.domains(services=Services)


async def main():
    async with Runtime(App):
        await asyncio.sleep(60)


def portal():
    with Runtime(App).portal():
        time.sleep(60)


asyncio.run(main()) if sys.argv[1] == "loop" else portal()
"""


def begun(path: Path) -> bool:
    return path.exists() and bool(path.read_text())


@pytest.mark.parametrize("way", ["loop", "portal"])
def test_what_was_made_is_closed(way: str, tmp_path: Path) -> None:
    for first in range(0, ROUNDS, 4):
        processes: list[tuple[subprocess.Popen[bytes], Path]] = []
        for number in range(first, min(first + 4, ROUNDS)):
            path = tmp_path / f"{number}.log"
            arguments = [sys.executable, "-c", SCRIPT, way, str(path)]
            processes.append((subprocess.Popen(arguments, stderr=subprocess.PIPE), path))
        for number, (process, path) in enumerate(processes, first):
            until = time.monotonic() + SECONDS
            while not begun(path) and time.monotonic() < until:
                time.sleep(0.001)
            time.sleep(0.12 * number / ROUNDS)
            process.send_signal(signal.SIGINT)
        for process, path in processes:
            _, stderr = process.communicate(timeout=SECONDS)
            lines = path.read_text().splitlines()
            made, closed = (sorted(line for line in lines if line.startswith(word)) for word in ("made ", "closed "))
            assert [line[-1] for line in made] == [line[-1] for line in closed], (lines, stderr.decode())
            assert process.returncode in (-signal.SIGINT, 130, 1), stderr.decode()
