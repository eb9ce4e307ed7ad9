"""Transactions that lock nothing: what was read is looked at again when the changes are made; for providers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from oneiric.adapters.nosql import MAX_CHANGES, MAX_COMMIT, Document, DocumentConflict, Json, TransactionError
from oneiric.adapters.nosql._checks import check_name, check_version, checked_data


@dataclass
class Step:
    """What is expected of a document, and done to it.

    `reads`: it must be of `version`, None where there must be none. `writes`: `data`, which is `text` as JSON, takes
    its place; None removes it.
    """

    collection: str
    id: str
    reads: bool = False
    version: str | None = None
    writes: bool = False
    data: Mapping[str, Json] | None = None
    text: str | None = None

    def conflict(self, provider: str) -> DocumentConflict:
        """The error for a document that is not as expected, or that somebody else changes now."""
        return DocumentConflict(f"the document {self.id!r} is not as expected", provider=provider)


def single(
    collection: str, id: str, checked: tuple[Mapping[str, Json], str] | None, if_absent: bool, if_version: str | None
) -> Step:
    """The step of a put of checked data, or of a delete, by itself. Raises `InvalidDocument`."""
    check_name(collection, id)
    check_version(if_version, if_absent)
    data, text = checked or (None, None)
    return Step(collection, id, if_absent or if_version is not None, if_version, True, data, text)


@asynccontextmanager
async def open_transaction(
    get: Callable[[str, str], Awaitable[Document | None]], commit: Callable[[Sequence[Step]], Awaitable[None]]
) -> AsyncGenerator[Changes, None]:
    """A transaction of the port. `commit` gets the steps in one order for all: so nobody waits for who waits."""
    changes = Changes(get)
    try:
        yield changes
    finally:
        steps = changes.end()
    if steps:
        await commit(steps)


class Changes:
    """The port `DocumentChanges`: remembers what was read, and what is to be written."""

    def __init__(self, get: Callable[[str, str], Awaitable[Document | None]]) -> None:
        self._get = get
        self._steps: dict[tuple[str, str], Step] = {}
        self._is_over = False

    async def get(self, collection: str, id: str) -> Document | None:
        self._refuse_when_over()
        if any(step.writes for step in self._steps.values()):
            raise TransactionError("a transaction reads first, then writes: this reads after a write")
        document = await self._get(collection, id)
        step = self._step(collection, id)
        version = None if document is None else document.version
        if step.reads and step.version != version:
            raise DocumentConflict(f"the document {id!r} was changed meanwhile")
        step.reads, step.version = True, version
        return document

    async def put(self, collection: str, id: str, data: Mapping[str, Json]) -> None:
        copied, text = checked_data(data)
        step = self._step(collection, id)
        step.writes, step.data, step.text = True, copied, text
        if sum(len(each.text.encode()) for each in self._steps.values() if each.text is not None) > MAX_COMMIT:
            raise TransactionError(f"a transaction has at most {MAX_COMMIT} bytes of documents")

    async def delete(self, collection: str, id: str) -> None:
        step = self._step(collection, id)
        step.writes, step.data, step.text = True, None, None

    def end(self) -> list[Step]:
        """What is to be done; nothing more is taken."""
        self._is_over = True
        return [step for _, step in sorted(self._steps.items())]

    def _step(self, collection: str, id: str) -> Step:
        self._refuse_when_over()
        check_name(collection, id)
        step = self._steps.setdefault((collection, id), Step(collection, id))
        if len(self._steps) > MAX_CHANGES:
            raise TransactionError(f"a transaction has at most {MAX_CHANGES} documents")
        return step

    def _refuse_when_over(self) -> None:
        if self._is_over:
            raise TransactionError("the transaction is over")
