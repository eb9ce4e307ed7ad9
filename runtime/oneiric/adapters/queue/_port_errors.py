"""The errors of the port for those of an SDK, around its calls."""

from __future__ import annotations

import asyncio
from typing import Protocol

from oneiric.adapters.queue import QueueError


class Connection(Protocol):
    """What an SDK raises on a connection, and what it is to the port."""

    @property
    def translated(self) -> tuple[type[BaseException], ...]: ...

    def refuse_when_closed(self) -> None: ...

    def failure(self, error: BaseException) -> QueueError: ...


class PortErrors:
    """For `with`: the errors of the port for those of the SDK. A class: half the time of a generator."""

    __slots__ = ("_asked", "_connection", "_task")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.refuse_when_closed()
        task = asyncio.current_task()
        assert task is not None
        self._task, self._asked = task, task.cancelling()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        asked = self._task.cancelling()
        if asked and isinstance(error, asyncio.CancelledError):
            return  # else only something it waits for was: that is how a connection closes
        if asked > self._asked:
            raise asyncio.CancelledError
        if isinstance(error, self._connection.translated):
            raise self._connection.failure(error) from None
