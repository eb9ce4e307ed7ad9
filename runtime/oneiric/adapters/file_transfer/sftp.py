"""File transfer provider `sftp`: a folder of a server of SSH."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncssh
from asyncssh.constants import FILEXFER_TYPE_REGULAR

from oneiric import Secret, component
from oneiric.adapters._common.network import Faults
from oneiric.adapters.file_transfer import (
    PIECE,
    FileMissing,
    FileTransferError,
    FileTransferMisconfigured,
    FileTransferRefused,
    FileTransferUnavailable,
    RemoteFile,
    check_chunk_size,
    check_folder,
    check_path,
    is_part,
    pieces_of,
    unfinished,
)
from oneiric.adapters.file_transfer._ssh import Login, Session, Sessions

_PROVIDER = "sftp"
_FAULTS = Faults(_PROVIDER, FileTransferUnavailable, FileTransferRefused, FileTransferMisconfigured)
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_MISSING = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath, asyncssh.SFTPNotADirectory)


@component(
    "adapter",
    "file_transfer",
    provider="sftp",
    priority=0,
    stack_level=-20,
    capabilities=("read", "write", "list", "whole"),
    port="oneiric.adapters.file_transfer:Files",
)
class SftpFiles:
    """Reads and writes files of a server by SFTP, version 3, whose key is always checked.

    Needs a server of SSH with SFTP; the extra `file_transfer-sftp`.

    `host`: the server's name or address.
    `port`: the server's port.
    `user`: who logs in.
    `password`: the user's password; it or `private_key` is needed.
    `private_key`: the user's private key, the text of its file in the format of OpenSSH or PEM.
    `passphrase`: what the private key is encrypted with.
    `host_key`: the fingerprint of the server's key, as `SHA256:…`; either it or `known_hosts` is needed.
    `known_hosts`: a file of keys by host, as OpenSSH has it.
    `base_path`: the folder, absolute or relative to the one of the user.
    `timeout`: seconds for each step of a call, to connect, and to wait for a free connection.
    `healthcheck_timeout`: seconds for a health check, and for the first one at the start.
    `max_connections`: how many connections are open at most, each for one call at a time; they are kept.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int = 22,
        user: str,
        password: Secret | None = None,
        private_key: Secret | None = None,
        passphrase: Secret | None = None,
        host_key: str | None = None,
        known_hosts: Path | None = None,
        base_path: str = ".",
        timeout: float = 10.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 4,
    ) -> None:
        _FAULTS.check_above_zero(
            port=port, timeout=timeout, healthcheck_timeout=healthcheck_timeout, max_connections=max_connections
        )
        _FAULTS.check_text(host=host, user=user, base_path=base_path)
        _check_known(host_key, known_hosts)
        if password is None and private_key is None:
            raise _FAULTS.no_sense("is not given, and no private_key", "password")
        key = None if private_key is None else _key(private_key, passphrase)
        login = Login(host, port, user, password, key, host_key, known_hosts)
        self._sessions = Sessions(_FAULTS, login, timeout, max_connections)
        self._base = base_path.encode()
        self._healthcheck_timeout = healthcheck_timeout

    async def start(self) -> None:
        self._sessions.open()
        await self._look()

    async def health(self) -> bool:
        try:
            await self._look()
        except FileTransferError:
            return False
        return True

    async def aclose(self) -> None:
        await self._sessions.aclose()

    async def put(self, path: str, data: bytes | AsyncIterator[bytes]) -> None:
        check_path(path)
        place = self._place(path)
        part = place.rpartition(b"/")[0] + b"/" + unfinished().encode()
        async with aclosing(pieces_of(data)) as pieces, self._session(path) as session:
            try:
                file = await session.do(_created(session.sftp, part))
                async for piece in pieces:
                    await session.do(file.write(bytes(piece)))
                await session.do(_flushed(file))
                await session.do(_renamed(session.sftp, part, place))
            except BaseException:
                await session.undo(session.sftp.remove(part))
                raise

    async def get(self, path: str) -> bytes:
        return b"".join([piece async for piece in self.stream(path, chunk_size=PIECE)])

    async def stream(self, path: str, *, chunk_size: int = 65536) -> AsyncIterator[bytes]:
        check_path(path)
        check_chunk_size(chunk_size)
        async with self._session(path) as session:
            await self._stat(session, path)  # a pipe would be waited for
            file = await session.do(session.sftp.open(self._place(path), "rb"))
            try:
                reading: Any = file.read  # whose type is that of texts as well
                while piece := bytes(await session.do(reading(PIECE))):
                    for begin in range(0, len(piece), chunk_size):
                        yield piece[begin : begin + chunk_size]
            finally:
                await session.undo(file.close())

    async def stat(self, path: str) -> RemoteFile:
        check_path(path)
        async with self._session(path) as session:
            return await self._stat(session, path)

    async def delete(self, path: str) -> bool:
        check_path(path)
        try:
            async with self._session(path) as session:
                await self._stat(session, path)
                await session.do(session.sftp.remove(self._place(path)))
        except FileMissing:
            return False
        return True

    async def list(self, folder: str = "") -> AsyncIterator[RemoteFile]:
        check_folder(folder)
        try:
            async with self._session(folder) as session:
                found = await session.do(session.sftp.readdir(self._place(folder)))
        except FileMissing:
            return
        files = [_listed(folder, each) for each in found]
        for file in sorted((file for file in files if file is not None), key=lambda file: file.path):
            yield file

    def _place(self, path: str) -> bytes:
        return self._base + b"/" + path.encode() if path else self._base

    async def _look(self) -> None:
        """See that the server answers and has the folder."""
        try:
            async with self._sessions.session(self._healthcheck_timeout) as session:
                if not await session.do(session.sftp.isdir(self._base)):
                    raise _FAULTS.no_sense("is no folder of the server", "base_path")
        except asyncssh.SFTPError as error:
            raise self._sessions.translated(error, self._healthcheck_timeout) from None

    async def _stat(self, session: Session, path: str) -> RemoteFile:
        told = await session.do(session.sftp.stat(self._place(path)))
        file = _told(path, told)
        if file is None:
            raise FileMissing(path, provider=_PROVIDER)
        return file

    @asynccontextmanager
    async def _session(self, path: str) -> AsyncGenerator[Session, None]:
        """A session, where what the server says of `path` is the port's error."""
        try:
            async with self._sessions.session() as session:
                yield session
        except _MISSING:
            raise FileMissing(path, provider=_PROVIDER) from None
        except asyncssh.SFTPError as error:
            raise self._sessions.translated(error, self._sessions.timeout) from None


async def _created(sftp: asyncssh.SFTPClient, part: bytes) -> asyncssh.SFTPClientFile:
    """A new file, in a folder that is made where it is missing."""
    try:
        return await sftp.open(part, "xb")
    except asyncssh.SFTPNoSuchFile:
        await sftp.makedirs(part.rpartition(b"/")[0], exist_ok=True)
        return await sftp.open(part, "xb")


async def _flushed(file: asyncssh.SFTPClientFile) -> None:
    with suppress(asyncssh.SFTPOpUnsupported):
        await file.fsync()
    await file.close()


async def _renamed(sftp: asyncssh.SFTPClient, part: bytes, place: bytes) -> None:
    try:
        await sftp.posix_rename(part, place)
    except asyncssh.SFTPOpUnsupported:  # such servers rename to what is free only
        if await sftp.isfile(place):
            await sftp.remove(place)
        await sftp.rename(part, place)


def _listed(folder: str, found: asyncssh.SFTPName) -> RemoteFile | None:
    try:
        name = bytes(found.filename).decode() if isinstance(found.filename, bytes) else found.filename
    except UnicodeDecodeError:
        return None
    return _told(f"{folder}/{name}" if folder else name, found.attrs) if is_part(name) else None


def _told(path: str, attributes: asyncssh.SFTPAttrs) -> RemoteFile | None:
    """What the server tells of a file; None for what is none."""
    if attributes.type != FILEXFER_TYPE_REGULAR:
        return None
    modified = None if attributes.mtime is None else datetime.fromtimestamp(attributes.mtime, UTC)
    return RemoteFile(path, attributes.size or 0, modified)


def _check_known(host_key: str | None, known_hosts: Path | None) -> None:
    if host_key is None and known_hosts is None:
        raise _FAULTS.no_sense("is not given, and no known_hosts: no server is trusted blindly", "host_key")
    if host_key is not None and known_hosts is not None:
        raise _FAULTS.no_sense("and known_hosts exclude each other", "host_key")
    if host_key is not None and not _FINGERPRINT.fullmatch(host_key):
        raise _FAULTS.no_sense("is not of the form SHA256:…, as `ssh-keygen -lf` shows it", "host_key")
    if known_hosts is not None and not known_hosts.is_file():
        raise _FAULTS.no_sense(f"{known_hosts} is not a file", "known_hosts")


def _key(private_key: Secret, passphrase: Secret | None) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_private_key(
            private_key.reveal(), passphrase=None if passphrase is None else passphrase.reveal()
        )
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError) as error:
        if any(word in str(error) for word in ("assphrase", "decrypt")):
            raise _FAULTS.no_sense("does not open the private key, which is encrypted", "passphrase") from None
        raise _FAULTS.no_sense("is not a private key of OpenSSH or PEM", "private_key") from None
