"""Vector provider `pgvector`: a table of a PostgreSQL server with the extension vector, through asyncpg.

Needs the extra `vector-pgvector`.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import asyncpg

from oneiric import Secret, component
from oneiric.adapters._common.network import Faults
from oneiric.adapters._common.pool import Limits, Pool
from oneiric.adapters._common.postgres import PostgresLink, PostgresServer
from oneiric.adapters.vector import (
    MAX_DIMENSION,
    MAX_NUMBER,
    Condition,
    Filter,
    Match,
    Metadata,
    Point,
    VectorClosed,
    VectorMisconfigured,
    VectorRefused,
    VectorUnavailable,
    check_ids,
    check_namespace,
    check_query,
    checked_points,
    checked_vector,
)
from oneiric.errors import AdapterError

_PROVIDER = "pgvector"
_FAULTS = Faults(_PROVIDER, VectorUnavailable, VectorRefused, VectorMisconfigured)
_TABLE = re.compile(r"[a-z_][a-z0-9_]{0,39}")
_VERSION = (0, 8)  # the first with `hnsw.iterative_scan`
_INDEXED = 2000  # numbers of a vector that an index takes, at most
_SESSION = {
    "hnsw.iterative_scan": "relaxed_order",
    "plan_cache_mode": "force_custom_plan",  # which index is best depends on the namespace and the filter
}
_SIGNS = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}
Result = TypeVar("Result")


@component(
    "adapter",
    "vector",
    provider="pgvector",
    priority=0,
    stack_level=-20,
    capabilities=("cosine", "filter", "immediate", "namespaces", "persistent"),
    port="oneiric.adapters.vector:Vectors",
)
class PgVectors(Pool["_Link"]):
    """Points in a table of a PostgreSQL server, over a pool of connections; the table is made if it is missing.

    Needs a PostgreSQL server 13 or later with the extension vector 0.8 or later; the extra `vector-pgvector`.

    `dimension`: how many numbers a vector has.
    `table`: the table's name, in lower case; one of another dimension, or that is something else, is refused.
    `url`: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`; instead of the same in parts.
    `host`: where the server is; a path is the folder of a Unix socket.
    `port`: the server's port.
    `user`: the user name.
    `password`: the user's password.
    `database`: the database of the server.
    `tls`: encrypt, and check the server's certificate and name.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `min_connections`: how many connections are opened at the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    `connect_timeout`: seconds to open a connection, and to wait for a free one.
    `timeout`: seconds for one statement.
    `healthcheck_timeout`: seconds for a health check, and to end a statement that was cancelled or too late.
    """

    def __init__(
        self,
        *,
        dimension: int,
        table: str = "oneiric_vectors",
        url: str | None = None,
        host: str = "localhost",
        port: int = 5432,
        user: str = "postgres",
        password: Secret | None = None,
        database: str = "postgres",
        tls: bool = False,
        ca_file: Path | None = None,
        min_connections: int = 1,
        max_connections: int = 10,
        connect_timeout: float = 10.0,
        timeout: float = 30.0,
        healthcheck_timeout: float = 2.0,
    ) -> None:
        if not 1 <= dimension <= MAX_DIMENSION:
            raise _FAULTS.no_sense(f"{dimension} is not from 1 to {MAX_DIMENSION}", "dimension")
        if not _TABLE.fullmatch(table):
            raise _FAULTS.no_sense("is not a word of at most 40 of a-z, 0-9 and `_`", "table")
        limits = Limits(min_connections, max_connections, connect_timeout, timeout, healthcheck_timeout)
        self._server = PostgresServer(_FAULTS, url, host, port, user, password, database, tls, ca_file)
        super().__init__(_FAULTS, limits, self._server.place, self._server.setting)
        self._dimension = dimension
        self._table = table
        self._schema = ""  # of the extension, once that is there

    async def start(self) -> None:
        self._opened = True
        link = await self._take()
        try:
            there = await link.found(self._table)
            if there.schema is None or there.columns is None:
                await link.run(link.connection.execute(_creating(self._table, self._dimension)))
                there = await link.found(self._table)
            self._check(there)
            self._schema = there.schema or ""
            await link.run(link.learn(self._schema))
        finally:
            await self._give_back(link)
        await super().start()

    def closed(self) -> AdapterError:
        return VectorClosed("it is not open: `start()` opens it", provider=_PROVIDER)

    def translated(self, error: Exception) -> AdapterError:
        """The port's error for what the SDK raised; a statement that the server refuses is not the caller's fault."""
        return self._server.fault(error) or self.no_answer(self._server.told(error))

    async def upsert(self, points: Sequence[Point], *, namespace: str = "") -> None:
        checked = checked_points(points, namespace, self._dimension, _PROVIDER)
        rows = [(namespace, point.id, point.vector, _text(point.metadata)) for point in checked]
        rows.sort(key=lambda row: row[1])  # who locks rows in one order waits for nobody who waits
        sql = f"""
            INSERT INTO "{self._table}" (namespace, id, embedding, metadata) VALUES ($1, $2, $3, $4)
            ON CONFLICT (namespace, id) DO UPDATE SET embedding = excluded.embedding, metadata = excluded.metadata
        """
        link = await self._take()
        try:
            await link.run(link.connection.executemany(sql, rows))
        finally:
            await self._give_back(link)

    async def query(
        self, vector: Sequence[float], *, limit: int = 10, where: Filter | None = None, namespace: str = ""
    ) -> list[Match]:
        check_namespace(namespace)
        check_query(limit, where)
        arguments = [checked_vector(vector, self._dimension, _PROVIDER), namespace, limit]
        condition = ""
        if where:
            arguments.append(_path(where))
            condition = "AND metadata @? $4"
        sql = f"""
            SELECT id, metadata, embedding <=> $1 AS distance FROM "{self._table}"
            WHERE namespace = $2 {condition} ORDER BY (embedding <=> $1){{}} LIMIT $3
        """
        rows = await self._fetch(sql.format(""), *arguments)
        if len(rows) < limit and self._dimension <= _INDEXED:  # an index gives up before it has seen all
            rows = await self._fetch(sql.format(" + 0"), *arguments)
        rows.sort(key=lambda row: (row["distance"], row["id"]))
        return [Match(row["id"], 1 - row["distance"], _metadata(row["metadata"])) for row in rows]

    async def get(self, ids: Sequence[str], *, namespace: str = "") -> list[Point]:
        check_namespace(namespace)
        check_ids(ids)
        sql = f'SELECT id, embedding, metadata FROM "{self._table}" WHERE namespace = $1 AND id = ANY($2::text[])'
        rows = await self._fetch(sql, namespace, ids)
        found = {row["id"]: row for row in rows}
        kept = [found[id] for id in ids if id in found]
        return [Point(row["id"], row["embedding"], _metadata(row["metadata"])) for row in kept]

    async def delete(self, ids: Sequence[str], *, namespace: str = "") -> None:
        check_ids(ids)
        await self._delete(namespace, "AND id = ANY($2::text[])", ids)

    async def clear(self, *, namespace: str = "") -> None:
        await self._delete(namespace, "")

    async def _delete(self, namespace: str, condition: str, *arguments: object) -> None:
        check_namespace(namespace)
        locked = f'SELECT id FROM "{self._table}" WHERE namespace = $1 {condition} ORDER BY id FOR UPDATE'
        sql = f'DELETE FROM "{self._table}" WHERE namespace = $1 AND id IN ({locked})'
        await self._fetch(sql, namespace, *arguments)

    async def _connect(self) -> _Link:
        link = _Link(self, await self._server.connected(2 * self.limits.connect_timeout, **_SESSION))
        if self._schema:
            try:
                await link.learn(self._schema)
            except BaseException:
                link.cut()
                raise
        return link

    async def _look(self) -> None:
        await self._fetch("SELECT 1")

    async def _fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        link = await self._take()
        try:
            return await link.run(link.connection.fetch(sql, *arguments))
        finally:
            await self._give_back(link)

    def _check(self, there: _There) -> None:
        """Raise the port's error unless this is an extension and a table to work with."""
        version, columns = there.version or "", there.columns or {}
        if tuple(map(int, re.findall(r"\d+", version)[:2])) < _VERSION:
            raise self.no_answer(f"the extension vector is {version}: 0.8 or later is needed")
        wanted = _COLUMNS | {"embedding": f"vector({self._dimension})"}
        if columns.items() >= wanted.items():
            return
        if columns.items() >= _COLUMNS.items() and columns.get("embedding", "").startswith("vector("):
            kept = columns["embedding"].removeprefix("vector(").removesuffix(")")
            what = f"the vectors of table {self._table} have {kept} numbers, not {self._dimension}"
            raise _FAULTS.no_sense(what, "dimension")
        named = ", ".join(f"{name} {kind}" for name, kind in wanted.items())
        raise _FAULTS.no_sense(f"{self._table} is not a table with the columns {named}", "table")


class _Link(PostgresLink):
    def __init__(self, vectors: PgVectors, connection: asyncpg.Connection) -> None:
        super().__init__(vectors, connection)
        self.connection = connection
        self._vectors = vectors

    async def run(self, work: Awaitable[Result]) -> Result:
        """What comes of a call of the SDK on this connection, in time and with the port's errors."""
        async with self._turn:
            return await self._in_time(self._translated(work))

    async def found(self, table: str) -> _There:
        [row] = await self.run(self.connection.fetch(_FOUND, f'"{table}"'))
        return _There(row["schema"], row["version"], row["columns"] and json.loads(row["columns"]))

    async def learn(self, schema: str) -> None:
        """Let vectors go to and from the server in binary."""
        codec = self.connection.set_type_codec(
            "vector", schema=schema, encoder=_encoded, decoder=_decoded, format="binary"
        )
        await self._translated(codec)

    async def _translated(self, work: Awaitable[Result]) -> Result:
        try:
            return await work
        except Exception as error:
            raise self._vectors.translated(error) from None


class _There(NamedTuple):
    """The extension's schema and version, and the table's columns with their types; None for what is missing."""

    schema: str | None
    version: str | None
    columns: dict[str, str] | None


_COLUMNS = {"namespace": "text", "id": "text", "metadata": "jsonb"}
_FOUND = r"""
    SELECT nspname AS schema, extversion AS version, (
        SELECT json_object_agg(attname, regexp_replace(format_type(atttypid, atttypmod), '^.*\.', ''))
        FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped
    ) AS columns
    FROM (SELECT) AS one LEFT JOIN (pg_extension JOIN pg_namespace AS of ON of.oid = extnamespace) ON extname = 'vector'
"""


def _creating(table: str, dimension: int) -> str:
    """Statements that are one transaction, since they are sent as one; who comes at the same time waits."""
    index = f'CREATE INDEX IF NOT EXISTS "{table}_embedding" ON "{table}" USING hnsw (embedding vector_cosine_ops);'
    return f"""
        SELECT pg_advisory_xact_lock(hashtext('oneiric.vector'));
        CREATE EXTENSION IF NOT EXISTS vector;
        CREATE TABLE IF NOT EXISTS "{table}" (
            namespace text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL,
            embedding vector({dimension}) NOT NULL, metadata jsonb NOT NULL, PRIMARY KEY (namespace, id)
        );
        CREATE INDEX IF NOT EXISTS "{table}_metadata" ON "{table}" USING gin (metadata jsonb_path_ops);
        {index if dimension <= _INDEXED else ""}
    """


def _encoded(numbers: Sequence[float]) -> bytes:
    return struct.pack(f">HH{len(numbers)}f", len(numbers), 0, *numbers)


def _decoded(data: bytes) -> tuple[float, ...]:
    return struct.unpack_from(f">{len(data) // 4 - 1}f", data, 4)


def _path(where: Filter) -> str:
    """A filter as a path of jsonpath, which holds for metadata that meet it."""
    return f"$ ? ({' && '.join(_holds(f'$.{_text(name)}', condition) for name, condition in where.items())})"


def _holds(field: str, condition: Condition) -> str:
    if not isinstance(condition, Mapping):
        return f"{field} == {_text(condition)}"
    parts: list[str] = []
    operand: Any
    for operator, operand in condition.items():
        if operator == "in":
            parts.append(_any([f"{field} == {_text(each)}" for each in operand]))
        elif operator == "ne":  # values of two types are neither equal nor not: that is unknown
            equal = f"({field} == {_text(operand)})"
            parts.append(f"exists({field}) && (!{equal} || {equal} is unknown)")
        else:
            parts.append(f"{field} {_SIGNS[operator]} {_text(operand)}")
    return " && ".join(parts)


def _any(alternatives: Sequence[str]) -> str:
    """One of these, in halves: a server takes only so many in a row."""
    if len(alternatives) < 2:
        return alternatives[0] if alternatives else "1 == 0"
    half = len(alternatives) // 2
    return f"({_any(alternatives[:half])} || {_any(alternatives[half:])})"


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _metadata(text: str) -> Metadata:
    metadata: Metadata = json.loads(text, parse_int=_number)
    return metadata


def _number(digits: str) -> int | float:
    """The server writes floats without exponent: an integer that is too large for the port was one."""
    number = int(digits)
    return number if abs(number) <= MAX_NUMBER else float(digits)
