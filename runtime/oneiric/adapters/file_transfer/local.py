"""File transfer provider `local`: a folder of this machine, or one that is mounted."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import BinaryIO, TypeVar

from oneiric import component
from oneiric.adapters._common.finish import in_thread
from oneiric.adapters.file_transfer import (
    FileTransferClosed,
    FileTransferRefused,
    FileTransferUnavailable,
    RemoteFile,
    check_chunk_size,
    check_folder,
    check_path,
    pieces_of,
)
from oneiric.adapters.file_transfer._folder import Folder, Upload

Result = TypeVar("Result")
_PROVIDER = "local"
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP, errno.ENOTDIR, errno.EISDIR)


@component(
    "adapter",
    "file_transfer",
    provider="local",
    priority=0,
    stack_level=-10,
    capabilities=("read", "write", "list", "whole"),
    port="oneiric.adapters.file_transfer:Files",
)
class LocalFiles:
    """Reads and writes files below `base_path`, each under its own name, together with whoever else uses the folder.

    `base_path`: the folder, relative to the working directory.
    `create_parents`: make the folder and its parents at start; otherwise it must exist.

    New files have mode 0600, new folders 0700. All file work happens in threads. Each put waits for the disk.
    """

    def __init__(self, *, base_path: Path = Path(".oneiric_files"), create_parents: bool = True) -> None:
        self._folder = Folder(base_path)
        self._create_parents = create_parents
        self._open = False

    async def start(self) -> None:
        self._open = True
        await self._do(self._folder.prepare, self._create_parents)

    async def health(self) -> bool:
        return self._open and await in_thread(self._folder.usable)

    async def aclose(self) -> None:
        self._open = False

    async def put(self, path: str, data: bytes | AsyncIterator[bytes]) -> None:
        check_path(path)
        with ExitStack() as closing:
            async with aclosing(pieces_of(data)) as pieces:
                upload = await self._do(lambda: closing.enter_context(Upload(self._folder, path)))
                async for piece in pieces:
                    await self._do(upload.write, piece)
            await self._do(upload.commit)

    async def get(self, path: str) -> bytes:
        check_path(path)
        return await self._do(self._folder.get, path)

    async def stream(self, path: str, *, chunk_size: int = 65536) -> AsyncIterator[bytes]:
        check_path(path)
        check_chunk_size(chunk_size)
        with ExitStack() as closing:
            file: BinaryIO = await self._do(lambda: closing.enter_context(self._folder.open(path)))
            while chunk := await self._do(file.read, chunk_size):
                yield chunk

    async def stat(self, path: str) -> RemoteFile:
        check_path(path)
        return await self._do(self._folder.stat, path)

    async def delete(self, path: str) -> bool:
        check_path(path)
        return await self._do(self._folder.delete, path)

    async def list(self, folder: str = "") -> AsyncIterator[RemoteFile]:
        check_folder(folder)
        for file in await self._do(self._folder.list, folder):
            yield file

    async def _do(self, work: Callable[..., Result], *arguments: object) -> Result:
        if not self._open:
            raise FileTransferClosed("it is not open", provider=_PROVIDER)
        try:
            return await in_thread(work, *arguments)
        except OSError as error:
            kind = FileTransferRefused if error.errno in _NOT_ALLOWED else FileTransferUnavailable
            raise kind(f"the disk refuses: {error.strerror}", provider=_PROVIDER, setting="base_path") from error
