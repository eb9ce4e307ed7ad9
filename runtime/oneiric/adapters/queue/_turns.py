"""Consumers of one process that ask the server in turn."""

from __future__ import annotations

import asyncio


async def has_turn(turn: asyncio.Semaphore, wait: float) -> bool:
    """Whether it is the caller's turn in so many seconds; at once where it is nobody's. Who has it releases it."""
    if not turn.locked():
        return await turn.acquire()
    try:
        async with asyncio.timeout(wait):
            return await turn.acquire()
    except TimeoutError:
        return False
