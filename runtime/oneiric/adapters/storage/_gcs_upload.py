"""An object that is put into a bucket of Google's in parts: a resumable upload."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from oneiric.adapters._common.api import Answer
from oneiric.adapters._common.finish import finish
from oneiric.adapters.storage import StorageError, Stored
from oneiric.adapters.storage._gcs import FAULTS, WHERE, Found, decoded

PART = 8 * 1024 * 1024
"""Bytes of a part, a multiple of 256 KiB; the last one may have less."""
_KEPT = re.compile(r"bytes=0-([0-9]{1,18})")


class Upload:
    """Parts of one object, which appears with the last one; without it they are dropped when the block is left.

    `path` begins it, with the condition, which the server looks at when the last part is there.
    """

    def __init__(self, ask: Callable[..., Awaitable[Answer]], path: str, described: dict[str, Any]) -> None:
        self._ask = ask
        self._path = path
        self._described = described
        self._name: str = described["name"]
        self._session = ""
        self._size = 0

    async def __aenter__(self) -> Self:
        await finish(self._begin())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._session:
            with suppress(StorageError):  # 499, which is what it answers; else it is dropped after a week
                await finish(self._ask("DELETE", self._session))

    async def add(self, data: bytes) -> None:
        """Send a part of `PART` bytes that is not the last."""
        await self._send(data, "*")

    async def complete(self, data: bytes) -> Stored:
        """Send the last part."""
        answer = await finish(self._send(data, str(self._size + len(data))))
        return Stored(self._name, self._size, decoded(answer, Found).generation)

    async def _begin(self) -> None:
        answer = await self._ask("POST", self._path, self._name, body=self._described)
        session = urlsplit(answer.headers.get("location", ""))
        if not session.path.startswith("/upload/") or "upload_id=" not in session.query:
            raise FAULTS.no_answer("what came back is not an upload", WHERE)
        self._session = f"{session.path}?{session.query}"  # at the endpoint, whatever host it names

    async def _send(self, data: bytes, total: str) -> Answer:
        """Send all of a part, again what the server says it has not kept of it."""
        end = self._size + len(data)
        while True:
            spread = f"{self._size}-{end - 1}" if data else "*"
            headers = {"content-range": f"bytes {spread}/{total}", "content-type": self._described["contentType"]}
            answer = await self._ask("PUT", self._session, self._name, body=data, headers=headers)
            if answer.status != 308:
                self._size = end
                return answer
            found = _KEPT.fullmatch(answer.headers.get("range", ""))
            kept = int(found[1]) + 1 if found else 0
            if not self._size < kept <= end:
                raise FAULTS.no_answer("the server keeps nothing of what is sent", WHERE)
            data, self._size = data[kept - self._size :], kept
            if not data and total == "*":
                return answer
