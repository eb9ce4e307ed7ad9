"""Storage provider `local`: a folder of a local disk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, aclosing
from operator import attrgetter
from os import SEEK_CUR
from pathlib import Path
from typing import BinaryIO, Literal, TypeVar

from oneiric import Secret, component
from oneiric.adapters._common.finish import in_thread
from oneiric.adapters.storage import (
    DEFAULT_CONTENT_TYPE,
    Entry,
    Listed,
    StorageClosed,
    StorageUnavailable,
    StorageUnsupported,
    Stored,
    check_condition,
    check_described,
    check_name,
    check_object,
    check_range,
)
from oneiric.adapters.storage._files import ObjectFiles
from oneiric.adapters.storage._pieces import regrouped
from oneiric.adapters.storage._uploads import Upload

Result = TypeVar("Result")
_PIECE = 1024 * 1024  # bytes of a large object that are written at once


@component(
    "adapter",
    "storage",
    provider="local",
    priority=0,
    stack_level=-10,
    capabilities=("blob", "stream", "delete", "large", "stable-stream"),
    port="oneiric.adapters.storage:Storage",
)
class LocalStorage:
    """Keeps objects in files under `base_path`, which several processes of one machine may share.

    `base_path`: a folder on a local disk, relative to the working directory; it is the storage's own.
    `create_parents`: make the folder and its parents at start; otherwise it must exist.

    Files have mode 0600 (see `_files`). All file work happens in threads. Each put waits for the disk.
    """

    def __init__(self, *, base_path: Path = Path(".oneiric_storage"), create_parents: bool = True) -> None:
        self._files = ObjectFiles(base_path)
        self._create_parents = create_parents
        self._open = False

    async def start(self) -> None:
        self._open = True
        await self._do(self._files.prepare, self._create_parents)

    async def health(self) -> bool:
        return self._open and await in_thread(self._files.usable)

    async def aclose(self) -> None:
        self._open = False

    async def put(
        self,
        name: str,
        data: bytes,
        *,
        content_type: str = DEFAULT_CONTENT_TYPE,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> Stored:
        check_name(name)
        check_object(data, content_type, metadata or {})
        check_condition(if_absent, if_match)
        return await self._do(self._files.put, name, data, content_type, metadata or {}, if_absent, if_match)

    async def put_stream(
        self,
        name: str,
        data: AsyncIterator[bytes],
        *,
        content_type: str = DEFAULT_CONTENT_TYPE,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> Stored:
        check_name(name)
        check_described(content_type, metadata or {})
        check_condition(if_absent, if_match)
        described = (name, content_type, metadata or {})
        with ExitStack() as closing:
            upload = await self._do(lambda: closing.enter_context(Upload(self._files, *described)))
            async with aclosing(regrouped(data, _PIECE)) as pieces:
                async for piece in pieces:
                    await self._do(upload.write, piece)
            return await self._do(upload.commit, if_absent, if_match)

    async def get(self, name: str) -> bytes:
        check_name(name)
        return await self._do(self._files.get, name)

    async def stream(
        self, name: str, *, start: int = 0, stop: int | None = None, chunk_size: int = 65536
    ) -> AsyncIterator[bytes]:
        check_name(name)
        check_range(start, stop, chunk_size)
        with ExitStack() as closing:
            entry, file = await self._do(self._opened, name, closing)
            left = entry.size - start if stop is None else min(entry.size, stop) - start
            file.seek(start, SEEK_CUR)
            while left > 0 and (chunk := await self._do(file.read, min(chunk_size, left))):
                left -= len(chunk)
                yield chunk

    async def stat(self, name: str) -> Entry:
        check_name(name)
        return await self._do(self._files.stat, name)

    async def delete(self, name: str) -> bool:
        check_name(name)
        return await self._do(self._files.delete, name)

    async def link(self, name: str, *, method: Literal["GET", "PUT"] = "GET", lasts: float = 900.0) -> Secret:
        raise StorageUnsupported("link", provider="local")

    async def list(self, prefix: str = "") -> AsyncIterator[Listed]:
        found: list[Entry] = []
        for shard in await self._do(self._files.shards):
            found += await self._do(self._files.entries, shard, prefix)
        for entry in sorted(found, key=attrgetter("name")):
            yield Listed(entry.name, entry.size, entry.etag, entry.modified)

    def _opened(self, name: str, closing: ExitStack) -> tuple[Entry, BinaryIO]:
        """The object and its file, which is closed with `closing`, also when nobody waits for it any more."""
        entry, file = self._files.open(name)
        return entry, closing.enter_context(file)

    async def _do(self, work: Callable[..., Result], *arguments: object) -> Result:
        if not self._open:
            raise StorageClosed("the storage is not open")
        try:
            return await in_thread(work, *arguments)
        except OSError as error:
            raise StorageUnavailable(f"the disk refuses: {error.strerror}") from error
