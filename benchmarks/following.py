"""One of many workers: `python -m benchmarks.following WIRING STATE USERS`, until its input ends.

It prints a line for each thing that is so: `ready`, `took GENERATION MONOTONIC_SECONDS`, `calls MADE FAILED`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

import oneiric
from oneiric import Runtime
from oneiric.reload.outcome import Event

_TOLD = 5_000
"""Calls between two lines."""


class Calls:
    """Of users who call as fast as they can."""

    def __init__(self) -> None:
        self.made = self.failed = 0
        self.over = False

    async def user(self, runtime: Runtime[Any]) -> None:
        cache = runtime.wiring.adapters.k0.live
        while not self.over:
            try:
                await cache.get("k")
            except Exception:
                self.failed += 1
            self.made += 1
            if self.made % _TOLD == 0:
                self.tell()

    def tell(self) -> None:
        print("calls", self.made, self.failed, flush=True)


def _took(event: Event) -> None:
    print("took", event.generation, time.monotonic(), flush=True)


async def follow(wiring: str, state: str, users: int) -> None:
    """Run until standard input is closed."""
    runtime = Runtime(oneiric.load(wiring), follow=state)
    runtime.on("post-swap", _took)
    calls = Calls()
    async with runtime:
        await runtime.use("adapter", "k0")
        print("ready", flush=True)
        calling = [asyncio.ensure_future(calls.user(runtime)) for _ in range(users)]
        await asyncio.to_thread(sys.stdin.read)
        calls.over = True
        await asyncio.gather(*calling)
    calls.tell()


if __name__ == "__main__":
    asyncio.run(follow(sys.argv[1], sys.argv[2], int(sys.argv[3])))
