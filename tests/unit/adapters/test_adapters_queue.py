"""The queue of this process: the contract, and what is its own."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

import pytest
from oneiric.adapters.queue import Queue, QueueMisconfigured
from oneiric.adapters.queue.memory import MemoryQueue
from oneiric.testing.contracts import QueueContract, started
from oneiric.testing.contracts.queue import ACK_WAIT, MAX_DELIVERIES


class TestMemoryQueue(QueueContract):
    def fresh(self) -> AbstractAsyncContextManager[Queue]:
        return started(MemoryQueue(ack_wait=ACK_WAIT, max_deliveries=MAX_DELIVERIES))


@pytest.mark.parametrize("settings", [{"ack_wait": 0}, {"ack_wait": -1}, {"max_deliveries": 0}])
def test_settings_out_of_bounds_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(QueueMisconfigured) as caught:
        MemoryQueue(**settings)
    assert caught.value.setting == next(iter(settings))


def test_consumers_that_came_and_went_leave_nothing_behind() -> None:
    async def main() -> None:
        queue = MemoryQueue()
        for _ in range(500):
            async with queue.consume(wait=0.0001):
                pass
            await queue.publish(b"x")
            async with queue.consume():
                pass
        held = [
            part for line in (queue._alive, queue._dead) for part in vars(line).values() if hasattr(part, "__len__")
        ]
        assert sum(map(len, held)) == 0

    asyncio.run(main())
