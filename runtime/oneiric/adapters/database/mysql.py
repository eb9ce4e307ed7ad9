"""Database provider `mysql`: a MariaDB or MySQL server, through aiomysql. Needs the extra `database-mysql`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pymysql.constants import CLIENT, ER, SERVER_STATUS
from pymysql.err import MySQLError

from oneiric import Secret, component
from oneiric.adapters._common.network import Faults, is_about_certificates, told
from oneiric.adapters._common.pool import Limits
from oneiric.adapters.database import (
    DatabaseMisconfigured,
    DatabaseRefused,
    DatabaseUnavailable,
    IntegrityError,
    QueryError,
    TransactionConflict,
    TransactionError,
    Value,
    first_word,
)
from oneiric.adapters.database._placeholders import MYSQL, MYSQL_WITHOUT_BACKSLASHES, check_number, pieces
from oneiric.adapters.database._pooled import CONTROL, DATA, DatabaseLink, PooledDatabase
from oneiric.adapters.database._transactions import StatementResult, rows
from oneiric.errors import AdapterError

if TYPE_CHECKING:

    class _SDKConnection:
        """What is used of the SDK's, which has no types."""

        client_flag: int
        server_capabilities: int
        server_status: int
        _ssl_context: object
        _secure: bool
        _reader: Any
        _writer: Any
        _result: Any

        def __init__(self, **arguments: Any) -> None: ...
        async def _connect(self) -> None: ...
        async def _request_authentication(self) -> None: ...
        async def _process_auth(self, plugin_name: bytes, auth_packet: Any) -> Any: ...
        async def query(self, sql: str) -> int: ...
        async def ensure_closed(self) -> None: ...
        def close(self) -> None: ...
        def escape(self, value: object) -> str: ...
        def thread_id(self) -> int: ...
else:
    from aiomysql import Connection as _SDKConnection

_FAULTS = Faults("mysql", DatabaseUnavailable, DatabaseRefused, DatabaseMisconfigured)
_AGAIN = 0.005  # seconds between two looks whether a session has ended
_IN_TRANSACTIONS = DATA | CONTROL | {"call", "desc", "describe", "do", "explain", "set", "show"}
_CHANGES = ("insert", "update", "delete", "replace")


@component(
    "adapter",
    "database",
    provider="mysql",
    priority=0,
    stack_level=-20,
    capabilities=("sql", "transactions", "pool"),
    port="oneiric.adapters.database:Database",
)
class MySQLDatabase(PooledDatabase):
    """A database of a MariaDB server, over a pool of connections. Tried on MariaDB, not on MySQL.

    Needs a MariaDB server 10.6 or later; the extra `database-mysql`.

    Transactions see the database as it was at their first statement where the server has
    `innodb_snapshot_isolation`, else they are SERIALIZABLE. Statements that the server would commit by itself
    (CREATE, ALTER, DROP and the like) are refused in a transaction.

    `host`: where the server is; a path is a Unix socket.
    `port`: the server's port.
    `user`: the user name.
    `password`: the user's password.
    `database`: the one that names of tables without a database belong to; there is none by default.
    `tls`: encrypt, and check the server's certificate and name.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `min_connections`: how many connections are opened at the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    `connect_timeout`: seconds to open a connection, and to wait for a free one.
    `timeout`: seconds for one statement.
    `healthcheck_timeout`: seconds for a health check, and to end a statement that was cancelled or too late.
    """

    _begin = "START TRANSACTION"

    def __init__(
        self,
        *,
        host: str = "localhost",
        port: int = 3306,
        user: str = "root",
        password: Secret | None = None,
        database: str | None = None,
        tls: bool = False,
        ca_file: Path | None = None,
        min_connections: int = 1,
        max_connections: int = 5,
        connect_timeout: float = 10.0,
        timeout: float = 30.0,
        healthcheck_timeout: float = 2.0,
    ) -> None:
        _FAULTS.check_text(host=host, user=user, database=database)
        if not 0 < port < 65536:
            raise _FAULTS.no_sense(f"{port} is not a valid port", "port")
        if password is not None and not _is_latin1(password.reveal()):
            raise _FAULTS.no_sense("has characters that the driver cannot send", "password")
        limits = Limits(min_connections, max_connections, connect_timeout, timeout, healthcheck_timeout)
        super().__init__(_FAULTS, limits, f"{host}:{port}", "host")
        self._password = password
        self._arguments: dict[str, Any] = {
            **({"unix_socket": host} if host.startswith("/") else {"host": host, "port": port}),
            "user": user,
            "db": database,
            "ssl": _FAULTS.trusting_if(tls, ca_file),
            "charset": "utf8mb4",
            "autocommit": True,
            "client_flag": CLIENT.FOUND_ROWS,
            "program_name": "oneiric",
        }

    async def _connect(self) -> _Link:
        connection = await self.connection()
        try:
            await _isolate(connection)
            [[most]] = (await connection.result_of("SELECT @@max_allowed_packet")).rows
        except BaseException as error:
            connection.close()
            if isinstance(error, Exception):
                raise self.translated(error) from None
            raise
        return _Link(self, connection, most)

    async def connection(self) -> _Connection:
        """A connection of the SDK."""
        password = self._password.reveal() if self._password else ""
        connection = _Connection(**self._arguments, password=password)
        try:
            await connection.open()
        except BaseException as error:
            connection.close()
            if isinstance(error, Exception):
                raise self.translated(error) from None
            raise
        return connection

    def translated(self, error: Exception) -> AdapterError:
        """The port's error for what the SDK raised."""
        if isinstance(error, AdapterError):
            return error
        what = told(error, self._password)
        if is_about_certificates(error):
            return _FAULTS.no_entry(f"{self._place}: {what}", "ca_file")
        if isinstance(error, _NotEncrypted):
            return _FAULTS.no_entry(f"{self._place}: {what}", "tls")
        code = error.args[0] if isinstance(error, MySQLError) and error.args else None
        if code in _REFUSALS:
            return _FAULTS.no_entry(f"{self._place}: {what}", _REFUSALS[code])
        if code == ER.BAD_DB_ERROR:
            return _FAULTS.no_answer(f"{self._place}: {what}", "database")
        if not isinstance(code, int) or code in _UNAVAILABLE or 2000 <= code < 3000:  # the latter are the client's own
            return self.no_answer(what)
        if code in _INTEGRITY:
            return IntegrityError(what, provider="mysql")
        return (TransactionConflict if code in _CONFLICTS else QueryError)(what, provider="mysql")


class _Link(DatabaseLink):
    def __init__(self, database: MySQLDatabase, connection: _Connection, most: int) -> None:
        super().__init__(database)
        self._database = database
        self._connection = connection
        self._most = most  # bytes of a statement with its parameters, and one
        self._id = connection.thread_id()

    @property
    def is_open(self) -> bool:
        return self._connection.is_alive

    @property
    def in_transaction(self) -> bool:
        return self.is_open and bool(self._connection.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS)

    async def _run(self, sql: str, parameters: Sequence[Value]) -> StatementResult:
        word = first_word(sql)
        if word not in _IN_TRANSACTIONS and self.in_transaction:
            raise TransactionError(f"{word.upper()}: the server would commit the transaction", provider="mysql")
        try:
            statement = self._filled_in(sql, parameters)
            if 4 * len(statement) >= self._most and len(statement.encode()) + 1 >= self._most:
                raise QueryError(f"with its parameters it is too long for max_allowed_packet of {self._most} bytes")
            result = await self._connection.result_of(statement)
        except Exception as error:
            raise self._database.translated(error) from None
        if not result.description:
            return StatementResult([], result.affected_rows if word in DATA else 0)
        found = rows([column[0] for column in result.description], result.rows)
        return StatementResult(found, len(found) if word in _CHANGES else 0)

    async def _close(self) -> None:
        with suppress(OSError, MySQLError):
            await self._connection.ensure_closed()

    async def _abandon(self) -> None:
        """The SDK has closed the connection; the server is told by another one, and asked until it is over."""
        self.cut()
        control = await self._database.connection()
        try:
            while await _is_there(control, self._id):
                with suppress(MySQLError):  # it has ended meanwhile
                    await control.query(f"KILL {self._id}")
                await asyncio.sleep(_AGAIN)
        except Exception as error:
            raise self._database.translated(error) from None
        finally:
            control.close()

    def cut(self) -> None:
        self._connection.close()

    def _filled_in(self, sql: str, parameters: Sequence[Value]) -> str:
        plain = self._connection.server_status & SERVER_STATUS.SERVER_STATUS_NO_BACKSLASH_ESCAPES
        parts = pieces(sql, MYSQL_WITHOUT_BACKSLASHES if plain else MYSQL)
        check_number(len(parameters), len(parts) - 1)
        return "".join(chain.from_iterable(zip_longest(parts, map(self._literal, parameters), fillvalue="")))

    def _literal(self, value: Value) -> str:
        if isinstance(value, bytes):
            return f"x'{value.hex()}'"
        return self._connection.escape(value)


class _Connection(_SDKConnection):
    """The SDK's connection: one statement a query, never unencrypted against the settings nor a password in clear."""

    async def open(self) -> None:
        self.client_flag &= ~CLIENT.MULTI_STATEMENTS
        await self._connect()

    @property
    def is_alive(self) -> bool:
        reader = self._reader
        return self._writer is not None and not (reader.at_eof() or reader.exception() or reader.eof_received)

    async def result_of(self, sql: str) -> Any:
        """The SDK's result, without its cursor, which turns warnings of the server into those of Python."""
        await self.query(sql)
        return self._result

    async def _request_authentication(self) -> None:
        if self._ssl_context and not self.server_capabilities & CLIENT.SSL:
            raise _NotEncrypted("the server does not encrypt")
        await super()._request_authentication()

    async def _process_auth(self, plugin_name: bytes, auth_packet: Any) -> Any:
        if plugin_name == b"mysql_clear_password" and not self._secure:
            raise _NotEncrypted("the server asks for the password in clear text")
        return await super()._process_auth(plugin_name, auth_packet)


class _NotEncrypted(Exception):
    """What ought to be encrypted would not be."""


async def _isolate(connection: _Connection) -> None:
    """Let a transaction fail that would change what others changed since it began, instead of losing theirs."""
    level = "REPEATABLE READ"
    try:
        await connection.query("SET SESSION innodb_snapshot_isolation = ON")
    except MySQLError as error:
        if error.args[0] != ER.UNKNOWN_SYSTEM_VARIABLE:
            raise
        level = "SERIALIZABLE"
    await connection.query(f"SET SESSION TRANSACTION ISOLATION LEVEL {level}")


async def _is_there(control: _Connection, session: int) -> bool:
    found = await control.result_of(f"SELECT 1 FROM information_schema.processlist WHERE id = {session}")
    return bool(found.rows)


def _is_latin1(text: str) -> bool:
    return all(ord(character) < 256 for character in text)


_REFUSALS = {
    ER.ACCESS_DENIED_ERROR: "password",
    ER.DBACCESS_DENIED_ERROR: "user",
    ER.TABLEACCESS_DENIED_ERROR: "user",
    ER.COLUMNACCESS_DENIED_ERROR: "user",
    ER.SPECIFIC_ACCESS_DENIED_ERROR: "user",
    ER.PROCACCESS_DENIED_ERROR: "user",
    ER.HOST_NOT_PRIVILEGED: "user",
    1698: "password",  # access denied without a password
    1820: "password",  # must be changed
    1862: "password",  # has expired
    3118: "user",  # locked, of MySQL
    4151: "user",  # locked, of MariaDB
}
_UNAVAILABLE = {
    ER.CON_COUNT_ERROR,
    ER.OUT_OF_RESOURCES,
    ER.SERVER_SHUTDOWN,
    ER.NORMAL_SHUTDOWN,
    ER.DISK_FULL,
    ER.RECORD_FILE_FULL,
    ER.TOO_MANY_USER_CONNECTIONS,
    ER.USER_LIMIT_REACHED,
    ER.HOST_IS_BLOCKED,
    ER.NEW_ABORTING_CONNECTION,
    ER.ABORTING_CONNECTION,
    1317,  # interrupted
    1927,  # killed
    1969,  # too long for the server
    3024,
}
_INTEGRITY = {
    ER.DUP_ENTRY,
    ER.BAD_NULL_ERROR,
    ER.NO_REFERENCED_ROW,
    ER.NO_REFERENCED_ROW_2,
    ER.ROW_IS_REFERENCED,
    ER.ROW_IS_REFERENCED_2,
    ER.DUP_UNIQUE,
    ER.NO_DEFAULT_FOR_FIELD,
    ER.CONSTRAINT_FAILED,
    3819,  # CHECK, of MySQL
}
_CONFLICTS = {ER.CHECKREAD, ER.LOCK_WAIT_TIMEOUT, ER.LOCK_DEADLOCK}
