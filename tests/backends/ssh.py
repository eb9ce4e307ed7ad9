"""A server of SFTP in this process: asyncssh's, in a thread and loop of its own, over a folder it does not leave."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

import asyncssh

from tests.backends.harness.servers import free_port

USER, PASSWORD = "tests", "a password of tests"


def new_key(kind: str = "ssh-ed25519") -> asyncssh.SSHKey:
    return asyncssh.generate_private_key(kind)  # pyright: ignore[reportUnknownMemberType]


HOST_KEY = new_key()
USER_KEY = new_key()


class _Door(asyncssh.SSHServer):
    open: ClassVar[set[asyncssh.SSHServerConnection]] = set()

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self.open.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open.discard(self._connection)

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == USER and key.public_data == USER_KEY.public_data


class Folder(asyncssh.SFTPServer):
    """The folder of a server; a subclass does worse."""

    root: ClassVar[Path]

    def __init__(self, chan: Any) -> None:
        super().__init__(chan, chroot=bytes(self.root))  # pyright: ignore[reportUnknownMemberType]


class SshServer:
    """Such a server on a free port of 127.0.0.1, which can be killed and started again."""

    def __init__(
        self, root: Path, *, keys: Sequence[asyncssh.SSHKey] = (HOST_KEY,), folder: type[Folder] = Folder
    ) -> None:
        self.host, self.port = "127.0.0.1", free_port()
        self._keys = keys
        self._door: type[_Door] = type("Door", (_Door,), {"open": set()})
        self._folder: type[Folder] = type("Rooted", (folder,), {"root": root})
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ssh server", daemon=True)

    def __enter__(self) -> SshServer:
        self._thread.start()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def start(self) -> None:
        self._do(self._listen())

    def kill(self) -> None:
        self._do(self._end())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _listen(self) -> None:
        self._acceptor = await asyncssh.listen(
            self.host,
            self.port,
            server_factory=self._door,
            server_host_keys=list(self._keys),
            sftp_factory=self._folder,
            config=None,
            gss_host=None,
            allow_scp=False,
        )

    async def _end(self) -> None:
        self._acceptor.close()
        for connection in list(self._door.open):
            connection.abort()
        for connection in list(self._door.open):
            await connection.wait_closed()
        await asyncio.sleep(0)
