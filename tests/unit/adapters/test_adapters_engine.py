"""The engine `inline`: the whole contract, and what is its own."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

import pytest
from oneiric.adapters.engine import Engine, EngineClosed, EngineMisconfigured
from oneiric.adapters.engine.inline import InlineEngine
from oneiric.flows.model import Submission
from oneiric.testing.contracts.engine import Calls, EngineContract, flow, until
from oneiric.testing.contracts.running import started


class TestInline(EngineContract):
    def fresh(self) -> AbstractAsyncContextManager[Engine]:
        return started(InlineEngine())


def test_the_oldest_that_are_over_are_forgotten() -> None:
    async def main() -> None:
        async with started(InlineEngine(keep=2)) as engine:
            await engine.work(Calls(), {})
            for number in range(4):
                await engine.submit(Submission(f"r{number}", flow("a"), {}))
                await engine.result(f"r{number}")
            assert [run.id for run in await engine.runs()] == ["r3", "r2"]

    asyncio.run(main())


def test_a_closed_engine_leaves_nothing_behind_and_tells_who_waits() -> None:
    async def main() -> None:
        calls = Calls(held=("a",))
        async with started(InlineEngine()) as engine:
            await engine.work(calls, {})
            await engine.submit(Submission("r1", flow("a"), {}))
            waiting = asyncio.ensure_future(engine.result("r1"))
            await until(lambda: calls.names == ["a"], "the step is under way")
        with pytest.raises(EngineClosed):
            await waiting
        assert calls.cancelled == ["a"] and len(asyncio.all_tasks()) == 1
        with pytest.raises(EngineClosed):
            await engine.runs()

    asyncio.run(main())


def test_nothing_is_forgotten_before_there_are_too_many() -> None:
    async def main() -> None:
        async with started(InlineEngine(keep=6)) as engine:
            await engine.work(Calls(), {})
            for number in range(5):
                await engine.submit(Submission(f"r{number}", flow("a"), {}))
                await engine.result(f"r{number}")
                assert len(await engine.runs()) == number + 1

    asyncio.run(main())


def test_nothing_is_remembered_of_less_than_one() -> None:
    with pytest.raises(EngineMisconfigured, match="keep"):
        InlineEngine(keep=0)
