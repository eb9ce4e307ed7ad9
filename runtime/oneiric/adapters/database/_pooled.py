"""A database over connections to a server: what `postgres` and `mysql` have in common.

A statement, or a whole transaction, has a connection to itself. A connection whose statement was cancelled, came too
late or may have changed the session is not used again.
"""

from __future__ import annotations

import asyncio
import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from oneiric.adapters._common.finish import finish
from oneiric.adapters._common.network import Faults
from oneiric.adapters._common.permits import Permits
from oneiric.adapters._common.timeouts import Timeout, Timeouts
from oneiric.adapters.database import (
    DatabaseClosed,
    DatabaseError,
    DatabaseUnavailable,
    Row,
    TransactionError,
    Value,
    check_statement,
    first_word,
)
from oneiric.adapters.database._transactions import (
    OpenTransaction,
    StatementResult,
    open_transaction,
    refuse_inside_a_transaction,
)
from oneiric.errors import AdapterError

DATA = frozenset(("", "select", "insert", "update", "delete", "replace", "merge", "values", "table", "with"))
"""The first words of statements that leave the session as it was ("" is a parenthesis)."""
CONTROL = frozenset(("begin", "start", "commit", "rollback"))
"""The first words of what only transactions say."""
_HARMLESS = DATA | CONTROL


class Limits(NamedTuple):
    """Connections, and seconds."""

    min_connections: int
    max_connections: int
    connect_timeout: float
    timeout: float
    healthcheck_timeout: float

    def check(self, faults: Faults) -> None:
        """Raise the port's error where they make no sense."""
        faults.check_above_zero(
            max_connections=self.max_connections,
            connect_timeout=self.connect_timeout,
            timeout=self.timeout,
            healthcheck_timeout=self.healthcheck_timeout,
        )
        if not 0 <= self.min_connections <= self.max_connections:
            raise faults.no_sense(
                f"{self.min_connections} is not 0 to max_connections, which is {self.max_connections}",
                "min_connections",
            )


class Link(Protocol):
    """One connection of an SDK, used by one statement at a time. It raises errors of the port only."""

    @property
    def is_open(self) -> bool: ...

    @property
    def in_transaction(self) -> bool: ...

    async def run(self, sql: str, parameters: Sequence[Value]) -> StatementResult: ...

    async def close(self) -> None:
        """Close the session; the server rolls an open transaction back."""
        ...

    async def abandon(self) -> None:
        """End what the server still does for this connection and wait until it is over; cancelled when it takes
        too long."""
        ...

    def cut(self) -> None:
        """Drop the connection at once."""
        ...


class PooledDatabase(ABC):
    """The port `Database` over connections that `_connect` opens, at most `limits.max_connections` at a time.

    `place` is where the server is, `setting` says so.
    """

    _begin: str

    def __init__(self, faults: Faults, limits: Limits, place: str, setting: str) -> None:
        limits.check(faults)
        self._faults = faults
        self._place = place
        self._setting = setting
        self._limits = limits
        self._opened = False
        self._permits = Permits(limits.max_connections)
        self.timeouts = Timeouts()
        self._idle: list[Link] = []
        self._busy: set[PooledSession] = set()

    @abstractmethod
    async def _connect(self) -> Link:
        """Open a connection or raise an error of the port; cancelled when it takes too long."""

    async def start(self) -> None:
        self._opened = True
        while len(self._idle) < self._limits.min_connections:
            self._idle.append(await self._new_link())
        await self._ask()

    async def health(self) -> bool:
        try:
            await self._ask()
        except DatabaseError:
            return False
        return True

    async def aclose(self) -> None:
        """Close at once: what still runs is ended, open transactions are rolled back."""
        self._opened = False
        idle, self._idle = self._idle, []
        sessions = [PooledSession(self, link) for link in idle] + list(self._busy)
        await finish(asyncio.gather(*(session.close() for session in sessions)))

    async def execute(self, sql: str, parameters: Sequence[Value] = ()) -> int:
        return (await self._run_alone(sql, parameters)).changed

    async def fetch(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        return (await self._run_alone(sql, parameters)).rows

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[OpenTransaction, None]:
        refuse_inside_a_transaction(self)
        session = await self._take()
        try:
            async with open_transaction(self, session, self._begin) as transaction:
                yield transaction
        finally:
            await self._give_back(session)

    @property
    def limits(self) -> Limits:
        return self._limits

    def no_answer(self, what: str) -> AdapterError:
        """The error for a server that cannot be reached or talks nonsense."""
        return self._faults.no_answer(f"{self._place}: {what}", self._setting)

    def late(self) -> AdapterError:
        """The error of a statement that took too long, or was ended by `aclose`."""
        if not self._opened:
            return self.closed()
        return self._faults.no_answer(f"no answer in {self._limits.timeout:g} s", "timeout")

    def broken(self, error: DatabaseError) -> AdapterError:
        """The error of a statement whose connection broke."""
        return error if self._opened else self.closed()

    def closed(self) -> AdapterError:
        return DatabaseClosed("the database is not open: `start()` opens it", provider=self._faults.provider)

    async def _run_alone(self, sql: str, parameters: Sequence[Value]) -> StatementResult:
        refuse_inside_a_transaction(self)
        check_statement(sql, parameters)
        session = await self._take()
        try:
            return await session.run(sql, parameters)
        finally:
            await self._give_back(session)

    async def _ask(self) -> None:
        """See that the server answers in time."""
        try:
            async with asyncio.timeout(self._limits.healthcheck_timeout):
                await self._run_alone("SELECT 1 AS one", ())
        except TimeoutError:
            raise self.no_answer(f"no answer in {self._limits.healthcheck_timeout:g} s") from None

    async def _take(self) -> PooledSession:
        """A connection for whoever may use one now."""
        if not self._opened:
            raise self.closed()
        if not self._permits.take():
            await self._permits.wait_in_time(self._faults, "max_connections", self._limits.connect_timeout)
        try:
            session = PooledSession(self, self._rested() or await self._new_link())
        except BaseException:
            self._permits.give_back()
            raise
        self._busy.add(session)
        return session

    def _rested(self) -> Link | None:
        """A connection that nobody uses, if there is one."""
        while self._idle:
            link = self._idle.pop()
            if link.is_open:
                return link
            link.cut()
        return None

    async def _new_link(self) -> Link:
        try:
            async with asyncio.timeout(self._limits.connect_timeout):
                link = await self._connect()
        except TimeoutError:
            raise self.no_answer(f"no connection in {self._limits.connect_timeout:g} s") from None
        if not self._opened:
            link.cut()
            raise self.closed()
        return link

    async def _give_back(self, session: PooledSession) -> None:
        try:
            if session.is_clean and self._opened:
                self._idle.append(session.link)
            else:
                await finish(session.close())
        finally:
            self._busy.discard(session)
            self._permits.give_back()


class PooledSession:
    """A connection in the hands of one statement or transaction."""

    def __init__(self, database: PooledDatabase, link: Link) -> None:
        self.link = link
        self._database = database
        self._turn = asyncio.Lock()
        self._timeout: Timeout | None = None
        self._touched = False  # the session of the server is no longer as new
        self._closed = False

    @property
    def is_clean(self) -> bool:
        """Whether somebody else may use the connection now."""
        return not self._touched and not self._closed and self.link.is_open and not self.link.in_transaction

    async def run(self, sql: str, parameters: Sequence[Value]) -> StatementResult:
        """Run a statement that was checked, within the timeout."""
        async with self._turn:
            if self._closed:
                raise self._database.broken(TransactionError("the connection was given up"))
            word = first_word(sql)
            inside = self.link.in_transaction
            self._touched |= word not in _HARMLESS
            try:
                outcome = await self._run_in_time(sql, parameters)
            except TimeoutError:
                await finish(self._abandon())
                raise self._database.late() from None
            except asyncio.CancelledError:
                await finish(self._abandon())
                raise
            except DatabaseUnavailable as error:
                self.link.cut()  # who knows what comes next on it
                raise self._database.broken(error) from None
            if inside and word not in CONTROL and not self.link.in_transaction:
                raise TransactionError("the statement ended the transaction, which the server committed")
            return outcome

    async def rollback(self) -> None:
        """Undo the open transaction; where that fails the connection is dropped, which does the same."""
        if self.link.is_open and self.link.in_transaction:
            try:
                await self.run("ROLLBACK", ())
            except DatabaseError:
                self.link.cut()

    async def close(self) -> None:
        """Give the connection up, and end what runs on it."""
        self._closed = True
        if self._timeout is not None:
            self._timeout.end()
        async with self._turn:
            with suppress(DatabaseError, TimeoutError):
                async with asyncio.timeout(self._database.limits.healthcheck_timeout):
                    await self.link.close()
            self.link.cut()

    async def _run_in_time(self, sql: str, parameters: Sequence[Value]) -> StatementResult:
        with self._database.timeouts.within(self._database.limits.timeout) as self._timeout:
            try:
                return await self.link.run(sql, parameters)
            finally:
                self._timeout = None

    async def _abandon(self) -> None:
        self._closed = True
        with suppress(DatabaseError, TimeoutError):
            async with asyncio.timeout(self._database.limits.healthcheck_timeout):
                await self.link.abandon()
        self.link.cut()


def tls_context(faults: Faults, use: bool, ca_file: Path | None) -> ssl.SSLContext | None:
    """How to encrypt, if so: the server's certificate and name are checked."""
    if ca_file is None:
        return ssl.create_default_context() if use else None
    if not use:
        raise faults.no_sense("is given, but tls is off", "ca_file")
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError:
        raise faults.no_sense(f"{ca_file} is not a file of certificates", "ca_file") from None
