"""The pushes of this process: the contract, and what is its own."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import pytest
from oneiric.adapters.push import Device, Push, Pushes, PushMisconfigured
from oneiric.adapters.push.memory import MemoryPushes
from oneiric.testing.contracts import PushContract, started
from oneiric.testing.contracts.running import run


class TestMemoryPushes(PushContract):
    def fresh(self) -> AbstractAsyncContextManager[Pushes]:
        self.pushes = MemoryPushes()
        return started(self.pushes)

    def device(self, number: int = 0) -> Device:
        return f"device {number}"

    def received(self) -> list[tuple[Device, Push]]:
        return self.pushes.sent


def test_it_keeps_the_last_ones_for_as_long_as_it_is_there() -> None:
    async def main() -> None:
        async with started(MemoryPushes(keep=2)) as pushes:
            ids = [(await pushes.send("device", Push(f"push {number}"))).id for number in range(3)]
        assert [push.title for _, push in pushes.sent] == ["push 1", "push 2"]
        assert ids == ["1", "2", "3"]
        with pytest.raises(PushMisconfigured):
            MemoryPushes(keep=0)

    run(main())
