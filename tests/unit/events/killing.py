"""Kill processes that write orders and relay their events, at random points, and hold what was delivered against what
was committed.

`python -m tests.unit.events.killing PROVIDER HOST PORT DATABASE FOLDER KILLS` for so many. Two processes at a time
write orders in transactions, some of which they roll back, and relay; one is killed, and another takes its place, while
the other one is frozen. At the end each committed order has one run per subscription, no other has any, and those of a
customer are in order.
"""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from oneiric import Runtime
from oneiric.adapters.database import Database, TransactionConflict
from oneiric.engines import emitting, events
from oneiric.engines.emitting import emitter_of
from oneiric.runtime import host_of

from tests.unit.events.parts import subscribed, wired
from tests.unit.events.recording import Recording

CUSTOMERS = ("ada", "bob", "cy")
SUBSCRIPTIONS = {"mail": subscribed(delivery="durable"), "books": subscribed(delivery="durable")}
_ORDERS = "CREATE TABLE IF NOT EXISTS orders (id VARCHAR(80) PRIMARY KEY, customer VARCHAR(20), number BIGINT)"


class Where(NamedTuple):
    """A database, and the folder of the runs."""

    provider: str
    host: str
    port: int
    database: str
    folder: str

    def make(self) -> Any:
        if self.provider == "postgres":
            from oneiric.adapters.database.postgres import PostgresDatabase

            return PostgresDatabase(host=self.host, port=self.port, database=self.database)
        if self.provider == "mysql":
            from oneiric.adapters.database.mysql import MySQLDatabase

            return MySQLDatabase(host=self.host, port=self.port, database=self.database)
        from oneiric.adapters.database.sqlite import SQLiteDatabase

        return SQLiteDatabase(path=self.database, pragmas={"journal_mode": "wal", "synchronous": "normal"})

    def runtime(self) -> Runtime[Any]:
        work = Recording(Path(self.folder) / "runs")
        emitting.work_of = events.work_of = lambda scope: work  # type: ignore[assignment]
        return Runtime(
            wired({}, SUBSCRIPTIONS, adapters={"database": (self.provider, self.make)}, outbox="adapter:database")
        )


async def write(where: Where) -> None:
    """Write orders until the end; each process numbers those of a customer."""
    async with where.runtime() as runtime:
        database: Database = runtime.wiring.adapters.database.live
        await database.execute(_ORDERS)
        process = uuid4().hex[:6]
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        for number in count():
            customer = random.choice(CUSTOMERS)
            id = f"{customer}-{process}-{number:06}"
            try:
                async with database.transaction() as transaction:
                    await transaction.execute("INSERT INTO orders VALUES (?, ?, ?)", (id, customer, number))
                    event = {"id": id, "customer": customer, "cents": 1}
                    await runtime.wiring.topics.order_placed.emit(event, transaction=transaction, id=id)
                    if random.random() < 0.3:
                        raise KeyError
            except (KeyError, TransactionConflict):
                continue
            await asyncio.sleep(random.random() * 0.004)


async def settle(where: Where) -> set[str]:
    """Relay what is left; the orders that were committed."""
    async with where.runtime() as runtime:
        database: Database = runtime.wiring.adapters.database.live
        outbox = emitter_of(host_of(runtime)).outbox(host_of(runtime).base)
        assert outbox is not None
        while await outbox.waiting(1):
            await asyncio.sleep(0.01)
        return {row["id"] for row in await database.fetch("SELECT id FROM orders")}


@contextmanager
def writers(where: Where, number: int) -> Iterator[list[subprocess.Popen[str]]]:
    """So many processes that write, which end with the block."""
    found: list[subprocess.Popen[str]] = []
    try:
        found += [begin(where) for _ in range(number)]
        yield found
    finally:
        for process in found:
            process.kill()
        for process in found:
            process.communicate(timeout=30)


def begin(where: Where) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-m", __name__, *map(str, where), "write"]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def killed(where: Where, kills: int) -> int:
    """Kill so often; how many orders were committed. Fails where a delivery is missing, twice or of nothing."""
    with writers(where, 2) as processes:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for _ in range(kills):
            time.sleep(random.random() * 0.25)
            victim = random.randrange(2)
            processes[1 - victim].send_signal(signal.SIGSTOP)  # what it has in hand is done by others meanwhile
            processes[victim].send_signal(signal.SIGKILL)
            processes[victim].communicate(timeout=30)
            processes[victim] = begin(where)
            out = processes[victim].stdout
            assert out is not None
            assert out.readline() == "ready\n"
            processes[1 - victim].send_signal(signal.SIGCONT)
        time.sleep(0.1)

    async def main() -> set[str]:
        async with asyncio.timeout(60 + kills):
            return await settle(where)

    orders = asyncio.run(main())
    runs = Recording(Path(where.folder) / "runs").runs()
    assert orders
    assert {each.id for each in runs} == {f"shop/{id}/{name}" for id in orders for name in SUBSCRIPTIONS}
    assert len(runs) == len(orders) * len(SUBSCRIPTIONS)
    in_order: dict[tuple[str | None, str], list[str]] = {}
    for each in runs:
        _, process, _ = each.payload["id"].split("-")
        in_order.setdefault((each.order, process), []).append(each.payload["id"])
    assert all(ids == sorted(ids) for ids in in_order.values())
    return len(orders)


if __name__ == "__main__":
    provider, host, port, database, folder, what = sys.argv[1:]
    place = Where(provider, host, int(port), database, folder)
    if what == "write":
        asyncio.run(write(place))
    else:
        sys.stdout.write(f"{killed(place, int(what))} orders, {what} kills: each delivered once\n")
