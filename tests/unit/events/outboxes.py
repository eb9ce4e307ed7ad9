"""What holds of an outbox on every database: cases that each database's tests inherit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest
from oneiric import EventError, Runtime
from oneiric.adapters.database import Database
from oneiric.adapters.database.sqlite import SQLiteDatabase
from oneiric.engines.emitting import emitter_of
from oneiric.engines.outbox import Outbox
from oneiric.errors import Unavailable
from oneiric.runtime import host_of

from tests.unit.events.parts import PLACED, Placed, subscribed, wired
from tests.unit.events.recording import Recorded, Recording, recording
from tests.unit.runtime.making import run

DURABLE = {
    "mail": subscribed(delivery="durable", queue="mail"),
    "fulfil": subscribed(delivery="durable", starts="workflow:fulfil", where=[{"path": "cents", "above": 3}]),
}


def placed(id: object, customer: str = "ada", cents: int = 5) -> Placed:
    return {"id": str(id), "customer": customer, "cents": cents}


async def until(condition: Callable[[], Any]) -> None:
    """Wait for it; the deadline is the test's."""
    while not condition():
        await asyncio.sleep(0.005)


class OutboxCases:
    """`provider` and `make` say which database."""

    provider: str
    work: Recording

    def make(self) -> Any:
        """Another component on the same database."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def intake(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.work = recording(tmp_path / "runs", monkeypatch)

    def runtime(self, subscriptions: Any = DURABLE, handlers: Any = None, **stated: Any) -> Runtime[Any]:
        found = dict.fromkeys(subscriptions) | dict(handlers or {})
        return Runtime(
            wired(
                {name: handle or _unused for name, handle in found.items()},
                subscriptions,
                adapters={"database": (self.provider, self.make)},
                outbox="adapter:database",
                **stated,
            )
        )

    async def left(self, runtime: Runtime[Any]) -> list[Any]:
        outbox = emitter_of(host_of(runtime)).outbox(host_of(runtime).base)
        assert isinstance(outbox, Outbox)
        return await outbox.waiting(1000)

    async def empty(self, runtime: Runtime[Any]) -> None:
        while await self.left(runtime):
            await asyncio.sleep(0.005)

    def ids(self) -> list[str]:
        return [each.id for each in self.work.runs()]

    def test_what_is_committed_is_delivered_and_nothing_of_what_is_rolled_back(self) -> None:
        called: list[Any] = []

        async def audit(self: Any, *, event: Placed) -> None:
            called.append(event)

        async def main() -> None:
            subscriptions = {**DURABLE, "audit": subscribed(priority=5)}
            async with self.runtime(subscriptions, {"audit": audit}) as runtime:
                database: Database = runtime.wiring.adapters.database.live
                emit = runtime.wiring.topics.order_placed.emit
                with pytest.raises(KeyError):
                    async with database.transaction() as transaction:
                        await emit(placed(1), transaction=transaction, id="1")
                        raise KeyError
                async with database.transaction() as transaction:
                    answer = await emit(placed("2/%"), transaction=transaction, id="2/%")
                    await emit(placed(3, cents=1), transaction=transaction, id="3")
                    assert self.work.runs() == []
                    assert called == []
                assert [(each.handler, each.state) for each in answer.handlers] == [
                    ("audit", "stored"),
                    ("fulfil", "stored"),
                    ("mail", "stored"),
                ]
                await self.empty(runtime)
                await until(lambda: len(called) == 2)
                assert sorted(called, key=lambda each: each["id"]) == [placed("2/%"), placed(3, cents=1)]
            assert self.work.users == 0

        run(main(), within=30)
        fulfil, mail, last = self.work.runs()
        assert (fulfil.id, fulfil.payload) == ("shop/2%2F%25/fulfil", placed("2/%"))
        assert (mail.id, mail.payload["data"], mail.payload["type"]) == (
            "shop/2%2F%25/mail",
            placed("2/%"),
            "order.placed",
        )
        assert last.id == "shop/3/mail"
        assert [each.order for each in (fulfil, mail, last)] == ['fulfil/"ada"', 'mail/"ada"', 'mail/"ada"']

    def test_what_a_process_left_is_delivered_by_the_next(self) -> None:
        async def main() -> None:
            async with self.runtime(engine=False) as runtime:
                database: Database = runtime.wiring.adapters.database.live
                async with database.transaction() as transaction:
                    await runtime.wiring.topics.order_placed.emit(placed(1), transaction=transaction, id="1")
                assert len(await self.left(runtime)) == 1
            assert self.work.runs() == []
            async with self.runtime() as runtime:
                await self.empty(runtime)

        run(main(), within=30)
        assert self.ids() == ["shop/1/fulfil", "shop/1/mail"]

    def test_it_waits_while_the_engine_is_away_and_keeps_the_order(self) -> None:
        self.work.faults += [Unavailable("away"), None, Unavailable("away"), Unavailable("away")]

        async def main() -> None:
            async with self.runtime() as runtime:
                database: Database = runtime.wiring.adapters.database.live
                for each in range(5):
                    async with database.transaction() as transaction:
                        await runtime.wiring.topics.order_placed.emit(
                            placed(each), transaction=transaction, id=str(each)
                        )
                await self.empty(runtime)

        run(main(), within=30)
        assert self.ids() == [f"shop/{each}/{name}" for each in range(5) for name in ("fulfil", "mail")]

    def test_what_fails_by_itself_is_a_dead_letter_and_lets_the_next_go(self) -> None:
        self.work.faults += [ValueError("too large")] * 5

        async def main() -> None:
            async with self.runtime({"mail": DURABLE["mail"]}) as runtime:
                database: Database = runtime.wiring.adapters.database.live
                async with database.transaction() as transaction:
                    for each in range(2):
                        await runtime.wiring.topics.order_placed.emit(
                            placed(each), transaction=transaction, id=str(each)
                        )
                await self.empty(runtime)
                assert self.ids() == ["shop/1/mail"]
                outbox = emitter_of(host_of(runtime)).outbox(host_of(runtime).base)
                assert outbox is not None
                (dead,) = await outbox.dead()
                assert (dead.envelope.id, dead.dead) == ("0", "ValueError")
                assert await outbox.revive(dead.id)
                assert not await outbox.revive(dead.id)
                await until(lambda: len(self.ids()) == 2)
                assert await outbox.dead() == []

        run(main(), within=30)

    def test_what_keeps_an_order_does_not_overtake_what_waits(self) -> None:
        self.work.faults += [Unavailable("away")] * 3

        async def main() -> None:
            async with self.runtime({"mail": DURABLE["mail"]}) as runtime:
                database: Database = runtime.wiring.adapters.database.live
                emit = runtime.wiring.topics.order_placed.emit
                async with database.transaction() as transaction:
                    await emit(placed(1), transaction=transaction, id="1")
                answer = await emit(placed(2), id="2")
                assert [each.state for each in answer.handlers] == ["stored"]
                await self.empty(runtime)

        run(main(), within=30)
        assert self.ids() == ["shop/1/mail", "shop/2/mail"]

    def test_a_transaction_without_an_outbox_or_of_another_database_is_refused(self) -> None:
        async def main() -> None:
            wiring = wired({}, {}, adapters={"database": (self.provider, self.make)})
            async with Runtime(wiring) as runtime, runtime.wiring.adapters.database.live.transaction() as transaction:
                with pytest.raises(EventError, match="the settings name no outbox"):
                    await runtime.wiring.topics.order_placed.emit(PLACED, transaction=transaction)
            other = SQLiteDatabase()
            await other.start()
            async with self.runtime() as runtime:
                await self.left(runtime)
                with pytest.raises(EventError, match="is it one of that database"):
                    async with other.transaction() as foreign:
                        await runtime.wiring.topics.order_placed.emit(PLACED, transaction=foreign)
            await other.aclose()

        run(main(), within=30)


class SharedOutboxCases(OutboxCases):
    """Of a database that several processes have."""

    def test_two_processes_deliver_each_once_and_in_order(self) -> None:
        async def main() -> None:
            async with self.runtime() as one, self.runtime() as other:

                async def emitting(runtime: Runtime[Any], customer: str) -> None:
                    database: Database = runtime.wiring.adapters.database.live
                    for each in range(15):
                        async with database.transaction() as transaction:
                            id = f"{customer}{each:02}"
                            emit = runtime.wiring.topics.order_placed.emit
                            await emit(placed(id, customer), transaction=transaction, id=id)

                await asyncio.gather(emitting(one, "ada"), emitting(other, "bob"), emitting(one, "cy"))
                await self.empty(one)

        run(main(), within=60)
        ids = self.ids()
        assert len(ids) == len(set(ids)) == 15 * 3 * 2
        for name in ("ada", "bob", "cy"):
            of = [each.id for each in self.work.runs() if each.order == f'mail/"{name}"']
            assert of == sorted(of)


class ConcurrentOutboxCases(SharedOutboxCases):
    """Of one that has transactions beside each other."""

    def test_a_commit_that_comes_late_is_not_passed_over(self) -> None:
        async def main() -> list[Recorded]:
            async with self.runtime({"mail": DURABLE["mail"]}) as runtime:
                database: Database = runtime.wiring.adapters.database.live
                emit = runtime.wiring.topics.order_placed.emit
                written, go_on = asyncio.Event(), asyncio.Event()

                async def slow() -> None:
                    async with database.transaction() as transaction:
                        await emit(placed("slow", "ada"), transaction=transaction, id="slow")
                        written.set()
                        await go_on.wait()

                late = asyncio.ensure_future(slow())
                await written.wait()
                async with database.transaction() as transaction:
                    await emit(placed("quick", "bob"), transaction=transaction, id="quick")
                await until(lambda: len(self.work.runs()) == 1)
                while await self.left(runtime):  # the row goes once its run is submitted
                    await asyncio.sleep(0.01)
                go_on.set()
                await late
                await until(lambda: len(self.work.runs()) == 2)
            return self.work.runs()

        quick, slow = run(main(), within=30)
        assert (quick.id, slow.id) == ("shop/quick/mail", "shop/slow/mail")

    def test_who_comes_while_a_transaction_is_open_does_not_wait_for_it(self) -> None:
        async def main() -> None:
            async with self.runtime({"mail": DURABLE["mail"]}) as runtime:
                database: Database = runtime.wiring.adapters.database.live
                async with database.transaction() as transaction:
                    await runtime.wiring.topics.order_placed.emit(placed(1), transaction=transaction, id="1")
                    another = Outbox(host_of(runtime).base, "adapter:database")
                    reading = asyncio.get_running_loop().create_task(another.waiting(1), context=Context())
                    assert await asyncio.wait_for(reading, 10) == []

        run(main(), within=30)

    def test_transactions_of_one_order_take_turns(self) -> None:
        async def main() -> None:
            async with self.runtime({"mail": DURABLE["mail"]}) as runtime:
                database: Database = runtime.wiring.adapters.database.live
                emit = runtime.wiring.topics.order_placed.emit
                written, go_on = asyncio.Event(), asyncio.Event()

                async def first() -> None:
                    async with database.transaction() as transaction:
                        await emit(placed(1), transaction=transaction, id="1")
                        written.set()
                        await go_on.wait()

                async def second() -> None:
                    async with database.transaction() as transaction:
                        await emit(placed(2), transaction=transaction, id="2")

                one = asyncio.ensure_future(first())
                await written.wait()
                two = asyncio.ensure_future(second())
                await asyncio.wait((two,), timeout=0.2)
                assert not two.done()
                go_on.set()
                await asyncio.gather(one, two)
                await self.empty(runtime)

        run(main(), within=30)
        assert self.ids() == ["shop/1/mail", "shop/2/mail"]


async def _unused(self: Any, *, event: Any) -> None:
    raise AssertionError("durable deliveries are runs")
