"""Database provider `duckdb`: analytics in a file or in memory. Needs the extra `database-duckdb`."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress

import duckdb

from oneiric import component
from oneiric.adapters.database import DatabaseError, DatabaseUnavailable, IntegrityError, QueryError, Value
from oneiric.adapters.database._embedded import EmbeddedDatabase
from oneiric.adapters.database._transactions import StatementResult, rows


@component(
    "adapter",
    "database",
    provider="duckdb",
    priority=0,
    stack_level=-15,
    capabilities=("sql", "transactions", "transactional-ddl", "serial", "analytics", "columnar"),
    port="oneiric.adapters.database:Database",
)
class DuckDBDatabase(EmbeddedDatabase):
    """A DuckDB database over one connection; statements and transactions take turns on it, each in a thread.

    Needs the extra `database-duckdb`.

    `path`: a file in an existing folder, created if missing, or `:memory:`.
    `read_only`: open an existing file without writing to it, as several processes may at once.
    `threads`: how many threads one statement may use; one per processor by default.
    `config`: further options of DuckDB, such as `{memory_limit: 1GB, temp_directory: spill}`.
    """

    def __init__(
        self,
        *,
        path: str = ":memory:",
        read_only: bool = False,
        threads: int | None = None,
        config: dict[str, str | bool | int | float] | None = None,
    ) -> None:
        super().__init__()
        self._path = path
        self._read_only = read_only
        self._config = {**(config or {}), **({"threads": threads} if threads is not None else {})}

    async def _connect(self) -> _Connection:
        return _Connection(await asyncio.to_thread(self._connect_now))

    def _connect_now(self) -> duckdb.DuckDBPyConnection:
        try:
            return duckdb.connect(self._path, read_only=self._read_only, config=dict(self._config))
        except duckdb.Error as error:
            raise DatabaseUnavailable(str(error), provider="duckdb", setting="path") from error


class _Connection:
    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    async def run(self, sql: str, parameters: Sequence[Value]) -> StatementResult:
        return await asyncio.to_thread(self._run_now, sql, list(parameters))

    async def rollback(self) -> None:
        with _port_errors(), suppress(duckdb.TransactionException):  # there is none
            await asyncio.to_thread(self._connection.rollback)

    def interrupt(self) -> None:
        self._connection.interrupt()

    async def close(self) -> None:
        await asyncio.to_thread(self._connection.close)

    def _run_now(self, sql: str, parameters: list[Value]) -> StatementResult:
        with _port_errors():
            statements = self._connection.extract_statements(sql)
            if len(statements) != 1:
                raise QueryError(f"one statement a call, not {len(statements)}")
            self._connection.execute(statements[0], parameters)
            columns = [str(column[0]) for column in self._connection.description or ()]
            values = self._connection.fetchall()
        if statements[0].type not in _CHANGES:
            return StatementResult(rows(columns, values), 0)
        if columns == ["Count"] and not _has_returning(sql):  # DuckDB gives the number of rows as a row
            return StatementResult([], int(values[0][0]))
        return StatementResult(rows(columns, values), len(values))


_CHANGES = {duckdb.StatementType.INSERT, duckdb.StatementType.UPDATE, duckdb.StatementType.DELETE}
_UNAVAILABLE = (
    duckdb.ConnectionException,
    duckdb.IOException,
    duckdb.OutOfMemoryException,
    duckdb.FatalException,
)


def _has_returning(sql: str) -> bool:
    encoded = sql.encode()  # tokens are counted in bytes
    return any(
        kind == duckdb.token_type.keyword and encoded[start : start + 9].lower() == b"returning"
        for start, kind in duckdb.tokenize(sql)
    )


@contextmanager
def _port_errors() -> Generator[None, None, None]:
    try:
        yield
    except duckdb.Error as error:
        raise _port_error(error) from error


def _port_error(error: duckdb.Error) -> DatabaseError:
    if isinstance(error, duckdb.ConstraintException):
        return IntegrityError(str(error), provider="duckdb")
    return (DatabaseUnavailable if isinstance(error, _UNAVAILABLE) else QueryError)(str(error), provider="duckdb")
