"""The outbox: events written in the transaction that they tell of, and kept until they are delivered.

One table in the application's own database, `oneiric_outbox`. A row is there from the commit of its transaction until
it was relayed, so whoever reads the table follows commits, not ids: a transaction that commits late shows its rows
late, and they are found all the same. Where events keep an order, transactions that emit in the same one take turns:
their ids are then in the order of their commits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import Context
from hashlib import blake2b
from typing import NamedTuple

from oneiric.adapters.database import Database, QueryError, Transaction
from oneiric.envelope import Envelope, EventError, decoded, encoded
from oneiric.host import Scope

_LOCKS = 256


class Dialect(NamedTuple):
    """How a database makes the table, and lets transactions of one order take turns: by rows of a table, where `fill`
    makes these."""

    tables: Sequence[str]
    turn: str | None = None
    turns: int = 2**63
    fill: str | None = None

    @property
    def serial(self) -> bool:
        """Whether transactions take turns anyway, so that the table can be made in any of them."""
        return self.turn is None


_SQLITE = """CREATE TABLE IF NOT EXISTS oneiric_outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event TEXT NOT NULL, ordering TEXT, direct INTEGER NOT NULL, dead TEXT)"""
_DUCKDB = """CREATE TABLE IF NOT EXISTS oneiric_outbox (
    id BIGINT NOT NULL DEFAULT nextval('oneiric_outbox_ids'),
    event VARCHAR NOT NULL, ordering VARCHAR, direct INTEGER NOT NULL, dead VARCHAR)"""
_POSTGRES = """CREATE TABLE IF NOT EXISTS oneiric_outbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event TEXT NOT NULL, ordering TEXT, direct INTEGER NOT NULL, dead TEXT)"""
_MYSQL = """CREATE TABLE IF NOT EXISTS oneiric_outbox (
    id BIGINT AUTO_INCREMENT PRIMARY KEY,
    event LONGTEXT NOT NULL, ordering LONGTEXT, direct INTEGER NOT NULL, dead LONGTEXT)
    ENGINE=InnoDB CHARACTER SET utf8mb4"""
_TURNS = "CREATE TABLE IF NOT EXISTS oneiric_outbox_turns (id INTEGER PRIMARY KEY) ENGINE=InnoDB"
_FILL = f"INSERT IGNORE INTO oneiric_outbox_turns (id) VALUES {', '.join(f'({each})' for each in range(_LOCKS))}"
DIALECTS = {
    "sqlite": Dialect((_SQLITE,)),
    "duckdb": Dialect(("CREATE SEQUENCE IF NOT EXISTS oneiric_outbox_ids", _DUCKDB)),
    "postgres": Dialect((_POSTGRES,), "SELECT 1 AS taken FROM pg_advisory_xact_lock(?)"),
    "mysql": Dialect((_MYSQL, _TURNS), "SELECT id FROM oneiric_outbox_turns WHERE id = ? FOR UPDATE", _LOCKS, _FILL),
}
"""By provider of the port `database`."""


class Kept(NamedTuple):
    """A row: an event, the order it keeps if any, whether handlers are to be called directly as well; `dead` says why
    it could not be relayed."""

    id: int
    event: str
    ordering: str | None
    direct: bool
    dead: str | None = None

    @property
    def envelope(self) -> Envelope:
        """The event. Raises `EnvelopeError`."""
        return decoded(self.event)


class Outbox:
    """The outbox of one database: the base's, or a tenant's own."""

    def __init__(self, scope: Scope, key: str) -> None:
        self._place = scope.place(key)
        self.key = key
        self.tenant = scope.slot(key).tenant
        self.provider = scope.slot(key).binding.provider
        self._ready = False
        dialect = DIALECTS.get(self.provider)
        if dialect is None:
            raise EventError(
                f"{key} is served by {self.provider}, where an outbox cannot be kept: "
                f"one of {', '.join(DIALECTS)} is needed"
            )
        self._dialect = dialect

    @property
    def _database(self) -> Database:
        database: Database = self._place.live
        return database

    async def prepare(self) -> None:
        """Make the table where it is missing."""
        if not self._ready:
            for statement in self._dialect.tables:
                await self._database.execute(statement)
            if self._dialect.fill is not None and await self._lacks_turns():
                await self._database.execute(self._dialect.fill)
            self._ready = True

    async def _lacks_turns(self) -> bool:
        """Asked first: to write a row that is there waits for the transaction whose turn it is."""
        (row,) = await self._database.fetch("SELECT COUNT(*) AS turns FROM oneiric_outbox_turns")
        return bool(row["turns"] < self._dialect.turns)

    async def put(
        self, transaction: Transaction | None, envelope: Envelope, ordering: str | None, *, direct: bool
    ) -> None:
        """Write an event, as part of a transaction or as one of its own. Raises `EventError` where the transaction is
        not one of this database; what the database raises."""
        document = encoded(envelope).decode()
        if transaction is None:
            await self.prepare()
            async with self._database.transaction() as own:
                await self._write(own, document, ordering, envelope.type, direct=direct)
            return
        if not self._ready and self._dialect.serial:
            for statement in self._dialect.tables:  # which a rollback undoes: it is not `ready` by that
                await transaction.execute(statement)
        elif not self._ready:
            await asyncio.get_running_loop().create_task(self.prepare(), context=Context())
        try:
            await self._write(transaction, document, ordering, envelope.type, direct=direct)
        except QueryError as error:
            what = f"the transaction cannot write to the outbox of {self.key}: {error.what}"
            raise EventError(f"{what}; is it one of that database?") from error

    async def _write(
        self, transaction: Transaction, document: str, ordering: str | None, topic: str, *, direct: bool
    ) -> None:
        if ordering is not None and self._dialect.turn is not None:
            await transaction.fetch(self._dialect.turn, (_number(topic, ordering) % self._dialect.turns,))
        await transaction.execute(
            "INSERT INTO oneiric_outbox (event, ordering, direct) VALUES (?, ?, ?)", (document, ordering, int(direct))
        )

    async def waiting(self, most: int) -> list[Kept]:
        """The oldest events that are committed and not relayed."""
        await self.prepare()
        rows = await self._database.fetch(
            f"SELECT id, event, ordering, direct FROM oneiric_outbox WHERE dead IS NULL ORDER BY id LIMIT {most:d}"
        )
        return [Kept(row["id"], row["event"], row["ordering"], bool(row["direct"])) for row in rows]

    async def counts(self) -> tuple[int, int]:
        """How many events wait to be relayed, and how many are dead letters."""
        await self.prepare()
        (row,) = await self._database.fetch("SELECT COUNT(*) AS events, COUNT(dead) AS dead FROM oneiric_outbox")
        return row["events"] - row["dead"], row["dead"]

    async def take(self, ids: Sequence[int]) -> int:
        """Remove what was relayed; how many of them were still there."""
        if not ids:
            return 0
        marks = ", ".join("?" * len(ids))
        return await self._database.execute(f"DELETE FROM oneiric_outbox WHERE id IN ({marks})", ids)

    async def bury(self, id: int, why: str) -> None:
        """Keep an event that cannot be relayed as a dead letter."""
        await self._database.execute("UPDATE oneiric_outbox SET dead = ? WHERE id = ?", (why, id))

    async def dead(self) -> list[Kept]:
        """The dead letters."""
        await self.prepare()
        rows = await self._database.fetch(
            "SELECT id, event, ordering, direct, dead FROM oneiric_outbox WHERE dead IS NOT NULL ORDER BY id"
        )
        return [Kept(row["id"], row["event"], row["ordering"], bool(row["direct"]), row["dead"]) for row in rows]

    async def revive(self, id: int) -> bool:
        """Let a dead letter be relayed again; False where there is no such."""
        await self.prepare()
        return bool(
            await self._database.execute(
                "UPDATE oneiric_outbox SET dead = NULL WHERE id = ? AND dead IS NOT NULL", (id,)
            )
        )

    async def drop(self, id: int) -> bool:
        """Remove a dead letter; False where there is no such."""
        await self.prepare()
        return bool(await self._database.execute("DELETE FROM oneiric_outbox WHERE id = ? AND dead IS NOT NULL", (id,)))


def _number(topic: str, ordering: str) -> int:
    """A number of 63 bits that is the same for the same order, in every process."""
    return int.from_bytes(blake2b(f"{topic}\0{ordering}".encode(), digest_size=8).digest()) >> 1
