"""The port `database`: SQL with `?` parameters, rows as mappings, transactions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

from oneiric.errors import AdapterError, Closed, Misconfigured, Refused, Unavailable

Value: TypeAlias = bool | int | float | str | bytes | None
"""A parameter. Integers are signed 64-bit, floats not NaN, texts encodable in UTF-8."""
Row: TypeAlias = Mapping[str, Any]
"""Column name to value. Which type a value has is the column's affair, and so the database's."""


class DatabaseError(AdapterError):
    """Anything a database raises."""

    key = "database"


class DatabaseClosed(DatabaseError, Closed):
    """The database was closed, or not started yet."""


class DatabaseUnavailable(DatabaseError, Unavailable):
    """The database cannot be opened or reached, not in time, is locked by somebody else or out of room.

    A statement that was under way may have taken effect or not, never in part; trying again later may help.
    """


class DatabaseRefused(DatabaseError, Refused):
    """The server turns this component away: its credentials, its certificate or what it may do."""


class DatabaseMisconfigured(DatabaseError, Misconfigured, ValueError):
    """Settings that are malformed or contradict each other; `setting` is one of them."""


class QueryError(DatabaseError):
    """The statement or its parameters are wrong, or it was interrupted."""


class IntegrityError(DatabaseError):
    """A constraint of the schema refuses the change."""


class TransactionError(DatabaseError):
    """A transaction was used wrongly: nested, after its end or an error in it, or by SQL such as BEGIN."""


class TransactionConflict(TransactionError):
    """Another transaction was in the way. Nothing was changed: run the whole transaction, or statement, again.

    Never raised by providers with the capability `serial`: there, transactions take turns.
    """


class Transaction(Protocol):
    """An open transaction: the methods of `Database`, on a state of its own."""

    async def execute(self, sql: str, parameters: Sequence[Value] = ()) -> int: ...

    async def fetch(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]: ...


class Database(Protocol):
    """Runs SQL, one statement a call, with `?` for each parameter. The dialect is the database's own.

    What a statement sets for its session (`SET`, `LOCK`, temporary tables) may be gone for the next one, unless both
    are of one transaction. A cancelled call first waits until its statement, which is interrupted, is over; a
    statement cancelled outside a transaction may have taken effect or not, never in part.
    """

    async def execute(self, sql: str, parameters: Sequence[Value] = ()) -> int:
        """Run a statement and commit it; how many rows it inserted, updated or deleted (0 for all else).

        Raises `QueryError`, `IntegrityError`, `DatabaseUnavailable`, `DatabaseRefused`, `TransactionConflict`.
        """
        ...

    async def fetch(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """Run a statement, commit it and return all its rows.

        Raises as `execute`; two columns of one name are a `QueryError` too: a row could hold only one of
        them.
        """
        ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction for an `async with` block: committed at its end, rolled back on error and
        cancellation.

        Nobody else sees its changes before, nor does it see those of others that come after its first
        statement. An error of a statement ends it: what follows, and the commit, raise `TransactionError`
        even if the error was caught. Inside the block (and in tasks started there) the database itself is
        refused, since what it did would not belong to the transaction: use the transaction. Raises
        `TransactionError` when nested, and `TransactionConflict` when another transaction changed what this one
        changes, or both wait for each other.
        """
        ...


_FIRST_WORD = re.compile(r"(?>\s|;|(?:--|\#)[^\n]*(?:\n|$)|/\*.*?\*/)*+(\w*)", re.DOTALL)
_CONTROL = {"begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release"}
LONG = 5000
"""Characters of a statement; what was found out about shorter ones is remembered. For providers."""


def check_statement(sql: str, parameters: Sequence[Value]) -> None:
    """Raise `QueryError` for what no provider takes, `TransactionError` for such as BEGIN. For providers."""
    word = first_word(sql)
    if word in _CONTROL:
        raise TransactionError(f"{word.upper()}: use transaction() to begin and end transactions")
    for position, value in enumerate(parameters, 1):
        if fault := _fault(value):
            raise QueryError(f"parameter {position} {fault}")


def first_word(sql: str) -> str:
    """The word a statement begins with, in lower case; for providers. Raises `QueryError` as `check_statement`."""
    return (_looked_up if len(sql) < LONG else _looked_at)(sql)


def _looked_at(sql: str) -> str:
    first = _FIRST_WORD.match(sql)
    if not first or (not first[1] and first.end() == len(sql)):
        raise QueryError("there is no statement")
    if "\0" in sql or not _encodable(sql):
        raise QueryError("a statement is text that UTF-8 can encode, without NUL")
    return first[1].lower()


_looked_up = lru_cache(maxsize=512)(_looked_at)


def _fault(value: object) -> str | None:
    if value is None or isinstance(value, bytes):
        return None
    if isinstance(value, int):
        return None if -(2**63) <= value < 2**63 else "is outside the signed 64-bit range"
    if isinstance(value, float):
        return None if value == value else "is NaN"
    if isinstance(value, str):
        return None if value.isascii() or _encodable(value) else "has a lone surrogate"
    return f"is a {type(value).__name__}, not None, bool, int, float, str or bytes"


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
