"""The shop of this repository: an order is an event, fulfilled by a workflow; the night has its report."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from oneiric import EventError, PayloadError, RunFailed, Runtime
from oneiric.adapters.engine.inline import InlineEngine

from generated.wiring import Wiring
from shop.fulfilment import OrderPlaced

ROOT = Path(__file__).parents[3]
ORDER: OrderPlaced = {"number": 7, "customer": "ada", "articles": {"mug": 2, "sticker": 9}}
CENTS = 2 * 1080 + 9 * 135
DEADLINE = 60


def run_here(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    @wraps(test)
    def whole() -> None:
        async def it() -> None:
            await test()

        asyncio.run(it())

    return whole


class Till:
    """Takes payments and counts them; those of the first `broken` calls are taken and not answered."""

    def __init__(self, broken: int = 0) -> None:
        self.taken: list[tuple[int, int]] = []
        self._broken = broken

    async def charge(self, order: int, cents: int) -> str:
        if len(self.taken) < self._broken:
            self.taken.append((order, cents))
            raise ConnectionError("no answer")
        self.taken.append((order, cents))
        return f"till-{order}"


@asynccontextmanager
async def shop(payments: Till) -> AsyncGenerator[Runtime[Wiring]]:
    replace: dict[str, Any] = {"adapter:engine": InlineEngine(), "service:payments": payments}
    async with asyncio.timeout(DEADLINE), Runtime(Wiring, replace=replace) as runtime:
        yield runtime


async def run_of(runtime: Runtime[Wiring], order: OrderPlaced, id: str) -> Any:
    """Emits an order and waits for the run that it starts."""
    emitted = await runtime.wiring.topics.order_placed.emit(order, id=id)
    (delivered,) = emitted.handlers
    return await (await runtime.wiring.workflows.fulfil.start(order, id=delivered.run)).result()


async def rows(runtime: Runtime[Wiring]) -> list[tuple[Any, ...]]:
    database = runtime.wiring.adapters.database.live
    kept = await database.fetch("SELECT id, customer, payment, parcels FROM orders ORDER BY id")
    return [tuple(row.values()) for row in kept]


@run_here
async def test_an_order_is_paid_and_packed_once_however_often_it_is_told() -> None:
    till = Till()
    async with shop(till) as runtime:
        results = [await run_of(runtime, ORDER, "order-7") for _ in range(3)]
        labels = ["label-7-1", "label-7-2", "label-7-3"]
        assert results == [{"payment": "till-7", "labels": labels, "parcels": 3}] * 3
        again: OrderPlaced = {**ORDER, "articles": {"mug": 1}}
        assert (await run_of(runtime, again, "order-7 once more"))["payment"] == "till-7"
        assert await rows(runtime) == [(7, "ada", "till-7", 1)]
    assert [order for order, _ in till.taken] == [7], "an order that has a payment is not charged again"


@run_here
async def test_a_payment_that_fails_is_tried_again_and_nothing_is_kept_of_one_that_fails_for_good() -> None:
    async with shop(Till(broken=2)) as runtime:
        assert (await run_of(runtime, ORDER, "1"))["payment"] == "till-7"
    async with shop(Till(broken=3)) as runtime:
        with pytest.raises(RunFailed, match="charge"):
            await run_of(runtime, ORDER, "1")
        assert await rows(runtime) == []


@run_here
async def test_what_is_no_order_is_refused_before_anything_is_kept() -> None:
    async with shop(Till()) as runtime:
        wrong: Any = {"number": "seven", "customer": "ada", "articles": {}}
        with pytest.raises(PayloadError, match="number"):
            await runtime.wiring.workflows.fulfil.start(wrong)
        with pytest.raises(EventError, match="number"):
            await runtime.wiring.topics.order_placed.emit(wrong)


@run_here
async def test_the_workflow_runs_as_plain_code_and_the_report_counts_what_was_sent() -> None:
    async with shop(Till()) as runtime:
        assert (await runtime.wiring.workflows.fulfil.inline(ORDER))["parcels"] == 3
        report = await runtime.wiring.tasks.report.live(until="2027-01-01T02:30:00Z")
        sent = CENTS + await runtime.wiring.services.shipping.live.quote(11)
        assert report == {"until": "2027-01-01T02:30:00Z", "orders": 1, "cents": sent, "parcels": 3}


def test_it_runs_durably_as_it_is(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "shop"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "start-fulfil is submitted" in done.stdout
    assert "'parcels': 2" in done.stdout
    assert (tmp_path / "engine.db").exists()
