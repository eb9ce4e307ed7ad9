"""The queue of this process: the contract, and what is its own."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

import pytest
from oneiric.adapters.queue import Queue, QueueMisconfigured, _heard
from oneiric.adapters.queue.memory import MemoryQueue
from oneiric.testing.contracts import FanoutContract, QueueContract, started
from oneiric.testing.contracts.queue import ACK_WAIT, MAX_DELIVERIES


class TestMemoryQueue(QueueContract):
    def fresh(self) -> AbstractAsyncContextManager[Queue]:
        return started(MemoryQueue(ack_wait=ACK_WAIT, max_deliveries=MAX_DELIVERIES))


class TestMemoryFanout(FanoutContract):
    def fresh(self) -> AbstractAsyncContextManager[Queue]:
        return started(MemoryQueue())


def test_a_listener_that_takes_nothing_loses_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_heard, "MOST", 3)

    async def main() -> list[bytes]:
        queue = MemoryQueue()
        async with queue.listen() as listener:
            for number in range(5):
                await queue.broadcast(b"%d" % number)
            heard = [await listener.next(wait=0) for _ in range(4)]
            return [each.body for each in heard if each is not None]

    assert asyncio.run(main()) == [b"2", b"3", b"4"]


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
