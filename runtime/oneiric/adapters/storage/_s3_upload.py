"""An object that is put into a bucket in parts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from oneiric.adapters._common.finish import finish
from oneiric.adapters.storage import InvalidObject, ObjectNotFound, PreconditionFailed, StorageError, Stored
from oneiric.adapters.storage._s3 import PROVIDER, Conflict, plain_etag

PART = 8 * 1024 * 1024
"""Bytes of a part; the last one may have less."""
_PARTS = 10_000  # which S3 allows
_OF_THE_END = frozenset(("IfMatch", "IfNoneMatch"))


class Upload:
    """Parts of one object, which appears by `complete`, and else are dropped when the block is left."""

    def __init__(self, ask: Callable[..., Awaitable[Any]], name: str, options: dict[str, Any]) -> None:
        self._ask = ask
        self._name = name
        self._begin = {key: value for key, value in options.items() if key not in _OF_THE_END}
        self._condition = {key: value for key, value in options.items() if key in _OF_THE_END}
        self._id = ""
        self._parts: list[dict[str, Any]] = []
        self._size = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._id:
            with suppress(StorageError):  # a rule of the bucket drops what cannot be dropped now
                await finish(self._ask("abort_multipart_upload", self._name, UploadId=self._id))

    async def add(self, data: bytes) -> None:
        """Send the next part."""
        number = len(self._parts) + 1
        if number > _PARTS:
            raise InvalidObject(f"an object has at most {_PARTS} parts of {PART} bytes")
        if not self._id:
            await finish(self._start())
        options = {"UploadId": self._id, "PartNumber": number}
        done = await self._ask("upload_part", self._name, Body=data, **options)
        self._parts.append({"PartNumber": number, "ETag": done["ETag"]})
        self._size += len(data)

    async def complete(self) -> Stored:
        parts = {"Parts": self._parts}
        work = self._ask(
            "complete_multipart_upload", self._name, UploadId=self._id, MultipartUpload=parts, **self._condition
        )
        try:
            done = await finish(work)
        except (Conflict, ObjectNotFound):  # the parts are gone: another writer came between
            raise PreconditionFailed(f"another writer of {self._name!r} came between", provider=PROVIDER) from None
        return Stored(self._name, self._size, plain_etag(done["ETag"]))

    async def _start(self) -> None:
        self._id = (await self._ask("create_multipart_upload", self._name, **self._begin))["UploadId"]
