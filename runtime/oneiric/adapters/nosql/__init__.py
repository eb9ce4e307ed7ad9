"""The port `nosql`: documents of JSON under ids, in collections; found by their fields."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from oneiric.errors import AdapterError, Closed, Misconfigured, Refused, Unavailable

MAX_ID = 256
"""Bytes of an id in UTF-8, at most: what an index of MySQL takes beside the collection."""
MAX_DOCUMENT = 256 * 1024
"""Bytes of a document as JSON in UTF-8, at most: DynamoDB takes 400 KiB, and counts more for small values."""
MAX_DEPTH = 20
"""Lists and mappings in each other, at most: what Firestore takes; DynamoDB takes 32, MongoDB 100."""
MAX_FIELD = 255
"""Bytes of a field's name in UTF-8, at most."""
MAX_FLOAT = 1e125
"""The size of a number with a fraction, at most, and one by this at least if it is not 0: what DynamoDB keeps."""
MAX_CHOICES = 30
"""Values of one `in`, at most: what Firestore takes."""
MAX_OPERANDS = 100
"""Values of one query, at most."""
MAX_CHANGES = 100
"""Documents of one transaction, at most, and `MAX_COMMIT` bytes of them: what DynamoDB takes."""
MAX_COMMIT = 2 * 1024 * 1024

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Scalar: TypeAlias = bool | int | float | str | None
Operator: TypeAlias = Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "contains"]
Condition: TypeAlias = Scalar | Mapping[Operator, Scalar | Sequence[Scalar]]
Where: TypeAlias = Mapping[str, Condition]


class NosqlError(AdapterError):
    """Anything the port `nosql` raises."""

    key = "nosql"


class NosqlClosed(NosqlError, Closed):
    """It was closed, or not started yet."""


class NosqlUnavailable(NosqlError, Unavailable):
    """What keeps the documents does not answer, or not in time. A change that was under way may have happened or
    not, never in part."""


class NosqlRefused(NosqlError, Refused):
    """The server turns this component away: its credentials, its certificate or what it may do."""


class NosqlMisconfigured(NosqlError, Misconfigured, ValueError):
    """Settings that are malformed or contradict each other; `setting` is one of them."""


class DocumentConflict(NosqlError):
    """A document is not as a condition or a transaction expects, or somebody else changes it now; nothing was
    changed. Read again, and decide again."""


class InvalidDocument(NosqlError):
    """A collection, id, data or condition of a wrong type or outside the limits of the port; nothing was changed."""


class InvalidQuery(NosqlError):
    """A field, condition, order or limit of a wrong type or outside the limits of the port."""


class TransactionError(NosqlError):
    """A transaction was used wrongly: a read after a write, too many documents, or after its end."""


@dataclass(frozen=True, slots=True)
class Document:
    """What is kept under an id. `version` is opaque, and another after every change."""

    id: str
    data: Mapping[str, Json] = field(hash=False)
    version: str


class DocumentChanges(Protocol):
    """Inside `transaction()`: reads first, then writes."""

    async def get(self, collection: str, id: str) -> Document | None:
        """The document, None if there is none; the same for the whole transaction. Raises `TransactionError`
        after a write."""
        ...

    async def put(self, collection: str, id: str, data: Mapping[str, Json]) -> None:
        """Keep a document, in place of the one there was, when the transaction ends."""
        ...

    async def delete(self, collection: str, id: str) -> None:
        """Remove a document, if there is one, when the transaction ends."""
        ...


class Documents(Protocol):
    """Keeps documents in collections, which are there when they have one.

    A collection is 1 to 64 ASCII letters, digits, `_` and `-`, a letter first. An id is 1 to `MAX_ID` bytes of UTF-8
    without NUL. A document is a mapping of JSON: null, booleans, integers of 64 bits, finite numbers, texts, lists
    and mappings, in the limits above. A field's name has no NUL and does not begin with `$`. Null is a value: a field
    that is null is there. A number without a fraction may come back as an integer that equals it.
    """

    async def get(self, collection: str, id: str) -> Document | None:
        """The document, None if there is none. It has every change that ended before."""
        ...

    async def put(
        self,
        collection: str,
        id: str,
        data: Mapping[str, Json],
        *,
        if_absent: bool = False,
        if_version: str | None = None,
    ) -> Document:
        """Keep a document whole, in place of the one there was.

        With `if_absent` only if there is none, with `if_version` only if there is one of that version: otherwise
        `DocumentConflict`. Of several writers at once exactly one meets a condition.
        """
        ...

    async def delete(self, collection: str, id: str, *, if_version: str | None = None) -> bool:
        """Remove a document; whether there was one. With `if_version` only one of that version: otherwise
        `DocumentConflict`."""
        ...

    def find(
        self,
        collection: str,
        where: Where | None = None,
        *,
        order: str | None = None,
        descending: bool = False,
        limit: int | None = None,
    ) -> AsyncIterator[Document]:
        """The documents that meet all conditions of `where`, by id or by the field `order`, at most `limit`.

        `{"lang": "de", "year": {"gte": 2020, "lt": 2030}, "tags": {"contains": "a"}, "author.name": {"ne": None}}`: a
        field may be one of a mapping in the document. One that is missing meets no condition, not even `ne`. A
        boolean is not a number; 1 and 1.0 are equal. `gt` and its like compare numbers with numbers, and texts with
        texts by their code points. `in` wants one of at most `MAX_CHOICES` values, `contains` a list with the value.
        `order` leaves out documents where the field is missing, a list or a mapping; null comes first, then
        numbers, texts, false, true; of equals the smaller id comes first, or last with `descending`.
        Documents that are put or deleted meanwhile may be missing or not; all others are there, once. Raises
        `InvalidQuery`.
        """
        ...

    async def count(self, collection: str, where: Where | None = None) -> int:
        """How many documents meet all conditions. Raises `InvalidQuery`."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[DocumentChanges]:
        """Changes to several documents, for an `async with` block: all are made at its end, or none.

        None is made on an error of the block. The end raises `DocumentConflict`, and makes none, if a document that
        was read is no longer as it was. Nothing is locked before the end; two documents that are read may be of two
        moments, and the end then raises.
        """
        ...
