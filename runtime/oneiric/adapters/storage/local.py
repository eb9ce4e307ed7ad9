"""Storage provider `local`: a folder of a local disk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack
from operator import attrgetter
from pathlib import Path
from typing import TypeVar

from oneiric import component
from oneiric.adapters._common.finish import in_thread
from oneiric.adapters.storage import (
    DEFAULT_CONTENT_TYPE,
    Entry,
    InvalidObject,
    StorageClosed,
    StorageUnavailable,
    check_condition,
    check_name,
    check_object,
)
from oneiric.adapters.storage._files import ObjectFiles

Result = TypeVar("Result")


@component(
    "adapter",
    "storage",
    provider="local",
    priority=0,
    stack_level=-10,
    capabilities=("blob", "stream", "delete", "stable-stream"),
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
    ) -> Entry:
        check_name(name)
        check_object(data, content_type, metadata or {})
        check_condition(if_absent, if_match)
        return await self._do(self._files.put, name, data, content_type, metadata or {}, if_absent, if_match)

    async def get(self, name: str) -> bytes:
        check_name(name)
        return await self._do(self._files.get, name)

    async def stream(self, name: str, *, chunk_size: int = 65536) -> AsyncIterator[bytes]:
        check_name(name)
        if chunk_size < 1:
            raise InvalidObject("chunk_size is at least 1")
        with ExitStack() as closing:
            file = await self._do(lambda: closing.enter_context(self._files.open(name)[1]))
            while chunk := await self._do(file.read, chunk_size):
                yield chunk

    async def stat(self, name: str) -> Entry:
        check_name(name)
        return await self._do(self._files.stat, name)

    async def delete(self, name: str) -> bool:
        check_name(name)
        return await self._do(self._files.delete, name)

    async def list(self, prefix: str = "") -> AsyncIterator[Entry]:
        found: list[Entry] = []
        for shard in await self._do(self._files.shards):
            found += await self._do(self._files.entries, shard, prefix)
        for entry in sorted(found, key=attrgetter("name")):
            yield entry

    async def _do(self, work: Callable[..., Result], *arguments: object) -> Result:
        if not self._open:
            raise StorageClosed("the storage is not open")
        try:
            return await in_thread(work, *arguments)
        except OSError as error:
            raise StorageUnavailable(f"the disk refuses: {error.strerror}") from error
