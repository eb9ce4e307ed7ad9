"""Events: emitted to handlers, delivered by runs, written to an outbox; beside what each has to do at least."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypedDict

from oneiric import Runtime
from oneiric.adapters.database import Database
from oneiric.adapters.database.sqlite import SQLiteDatabase
from oneiric.adapters.engine.inline import InlineEngine
from oneiric.declared import Topics, topic, work_of
from oneiric.engines.emitting import delivering, emitter_of
from oneiric.engines.subscriptions import Subscription
from oneiric.flows.model import Submission
from oneiric.runtime import host_of
from oneiric.wiring import Domain, Wiring, bind

from benchmarks.command import main
from benchmarks.table import Row, Table


class Placed(TypedDict):
    id: str
    customer: str
    cents: int


PLACED: Placed = {"id": "1", "customer": "ada", "cents": 5}


class Handler:
    """What does nothing with an event."""

    async def __call__(self, *, event: Placed) -> None:
        pass


class Orders(Topics):
    @topic("order.placed", type="benchmarks.events:Placed")
    def order_placed(self) -> Placed:
        """The only one."""
        raise NotImplementedError


def wiring(handlers: int, delivery: str = "direct", outbox: str | None = None) -> type[Any]:
    """A wiring with so many handlers, an engine and a database."""
    events: dict[str, Any] = {
        f"on_{number}": bind(f"event:on-{number}", "f", provider="it")(lambda _: Handler())
        for number in range(handlers)
    }
    subscriptions = {f"on-{number}": {"topics": ["order.placed"], "delivery": delivery} for number in range(handlers)}
    adapters: dict[str, Any] = {
        "engine": bind("adapter:engine", "f", provider="inline", port="oneiric.adapters.engine:Engine")(
            lambda _: InlineEngine()
        ),
        "database": bind("adapter:database", "f", provider="sqlite", port="oneiric.adapters.database:Database")(
            lambda _: SQLiteDatabase(
                path=outbox or ":memory:", pragmas={"journal_mode": "wal", "synchronous": "normal"}
            )
        ),
    }
    made: Any = type("Made", (Wiring,), {"__outbox__": "adapter:database" if outbox else None}, app="shop")
    made.domains(
        adapters=type("Adapters", (Domain,), adapters),
        events=type("Events", (Domain,), {**events, "__subscriptions__": subscriptions}),
        topics=Orders,
    )
    return made


def tables(short: bool) -> Iterator[Table]:
    rounds, times = (9, 300) if short else (31, 2_000)
    direct = [asyncio.run(_direct(handlers, rounds, times)) for handlers in (1, 3, 10)]
    yield Table("Emitting an event", "awaiting the same handlers one after the other", direct)
    yield Table(
        "Durable deliveries, in memory", "the same run submitted by itself", [asyncio.run(_durable(rounds, times))]
    )
    yield Table("The outbox", "the transaction without the event", [asyncio.run(_outbox(rounds, times // 4))])


async def _direct(handlers: int, rounds: int, times: int) -> Row:
    async with Runtime(wiring(handlers)) as runtime:
        emit = runtime.wiring.topics.order_placed.emit
        bare = [Handler() for _ in range(handlers)]

        async def plain() -> None:
            for handle in bare:
                await handle(event=PLACED)

        floor, measured = await _by_turns(rounds, times, plain, lambda: emit(PLACED))
    return Row(f"to {handlers} handler{'s' if handlers > 1 else ''}", "us", measured, floor, "ratio")


async def _durable(rounds: int, times: int) -> Row:
    async with Runtime(wiring(1, "durable")) as runtime:
        host = host_of(runtime)
        work = work_of(host.base)
        await work.begin(runtime)
        flow = delivering(Subscription("on-0", ("order.placed",), "event:on-0", delivery="durable"))
        payload: Mapping[str, Any] = {
            "specversion": "1.0",
            "id": "1",
            "source": "shop",
            "type": "order.placed",
            "data": PLACED,
        }
        emit = runtime.wiring.topics.order_placed.emit
        emitter_of(host)
        count = iter(range(10**9))

        async def bare() -> None:
            id = f"bare-{next(count)}"
            await work.engine.submit(Submission(id, flow, payload))
            await work.engine.result(id)

        async def durable() -> None:
            answer = await emit(PLACED, id=f"e-{next(count)}")
            await work.engine.result(answer.handlers[0].run)

        floor, measured = await _by_turns(rounds, times, bare, durable)
        await work.end(runtime)
    return Row("from `emit` to the end of the run", "us", measured, floor, "ratio")


async def _outbox(rounds: int, times: int) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        async with Runtime(wiring(1, "durable", str(Path(folder) / "orders.db"))) as runtime:
            database: Database = runtime.wiring.adapters.database.live
            await database.execute("CREATE TABLE orders (customer TEXT)")
            emit = runtime.wiring.topics.order_placed.emit

            async def insert() -> None:
                async with database.transaction() as transaction:
                    await transaction.execute("INSERT INTO orders VALUES (?)", ("ada",))

            async def emitted() -> None:
                async with database.transaction() as transaction:
                    await transaction.execute("INSERT INTO orders VALUES (?)", ("ada",))
                    await emit(PLACED, transaction=transaction)

            await emitted()
            floor, measured = await _by_turns(rounds, times, insert, emitted)
    return Row("a transaction of one insert, and an event", "us", measured, floor, "ratio")


async def _by_turns(rounds: int, times: int, *actions: Callable[[], Awaitable[object]]) -> list[list[float]]:
    """Microseconds of each action, a sample a round."""
    taken: list[list[float]] = [[] for _ in actions]
    for number in range(rounds + 1):
        for samples, action in zip(taken, actions, strict=True):
            begin = time.perf_counter()
            for _ in range(times):
                await action()
            if number:  # the first round activates
                samples.append((time.perf_counter() - begin) / times * 1e6)
    return taken


if __name__ == "__main__":
    main("events", tables)
