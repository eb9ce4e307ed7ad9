"""The texts of this process: the contract, and what is its own."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import pytest
from oneiric.adapters.sms import Sms, SmsMisconfigured, Texts
from oneiric.adapters.sms.memory import MemoryTexts
from oneiric.testing.contracts import SmsContract, started
from oneiric.testing.contracts.running import run
from oneiric.testing.contracts.sms import NUMBER


class TestMemoryTexts(SmsContract):
    def fresh(self) -> AbstractAsyncContextManager[Texts]:
        self.texts = MemoryTexts()
        return started(self.texts)

    def received(self) -> list[Sms]:
        return self.texts.sent


def test_it_keeps_the_last_ones_for_as_long_as_it_is_there() -> None:
    async def main() -> None:
        async with started(MemoryTexts(keep=2)) as texts:
            ids = [(await texts.send(NUMBER, f"text {number}")).id for number in range(3)]
        assert [each.text for each in texts.sent] == ["text 1", "text 2"]
        assert ids == ["1", "2", "3"]
        with pytest.raises(SmsMisconfigured):
            MemoryTexts(keep=0)

    run(main())
