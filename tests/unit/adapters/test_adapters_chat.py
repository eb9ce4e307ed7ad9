"""The notices of this process: the contract, and what is its own."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import pytest
from oneiric.adapters.chat import ChatMisconfigured, Notice, Notices
from oneiric.adapters.chat.memory import MemoryNotices
from oneiric.testing.contracts import ChatContract, started
from oneiric.testing.contracts.running import run


class TestMemoryNotices(ChatContract):
    def fresh(self) -> AbstractAsyncContextManager[Notices]:
        self.notices = MemoryNotices()
        return started(self.notices)

    def received(self) -> list[Notice]:
        return self.notices.sent


def test_it_keeps_the_last_ones_for_as_long_as_it_is_there() -> None:
    async def main() -> None:
        async with started(MemoryNotices(keep=2)) as notices:
            ids = [(await notices.send(f"notice {number}")).id for number in range(3)]
        assert [each.text for each in notices.sent] == ["notice 1", "notice 2"]
        assert ids == ["1", "2", "3"]
        with pytest.raises(ChatMisconfigured):
            MemoryNotices(keep=0)

    run(main())
