"""Sessions of SFTP: kept connections to a server whose key is known, deadlines, errors by kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncssh

from oneiric import Secret
from oneiric.adapters._common.finish import finish
from oneiric.adapters._common.network import Faults, cancellations, revealed, told
from oneiric.adapters._common.permits import Permits
from oneiric.adapters._common.timeouts import Timeouts
from oneiric.adapters.file_transfer import FileTransferClosed, FileTransferError

Result = TypeVar("Result")
_LOST = (asyncssh.DisconnectError, asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, asyncssh.SFTPBadMessage)
_ALGORITHMS = (
    *("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    *("rsa-sha2-256", "rsa-sha2-512"),
)
_BY_KIND = {"ssh-rsa": ["rsa-sha2-256", "rsa-sha2-512"]}  # others have one algorithm, of the same name


@dataclass
class Login:
    """Who logs in where, and by what the server is known: the SHA-256 of its key, or a file of known hosts."""

    host: str
    port: int
    user: str
    password: Secret | None
    key: asyncssh.SSHKey | None
    host_key: str | None
    known_hosts: Path | None
    algorithms: Sequence[str] = _ALGORITHMS
    """Those that the server's key may have, where it is known by a fingerprint."""

    async def connected(self) -> asyncssh.SSHClientConnection:
        """A connection to the server with this key.

        A fingerprint does not tell the kind of its key, and a server shows one key at a time: where that is another,
        the server is asked for a key of the kinds that are left.
        """
        if self.host_key is None:
            return await self._connected((), [])
        algorithms = self.algorithms
        refused: asyncssh.HostKeyNotVerifiable | None = None
        while algorithms:
            shown: list[str] = []
            try:
                connection = await self._connected(algorithms, shown)
            except asyncssh.HostKeyNotVerifiable as error:
                if not shown:
                    raise
                refused = error
                algorithms = [each for each in algorithms if each not in _BY_KIND.get(shown[0], shown)]
            except (asyncssh.KeyExchangeFailed, asyncssh.ConnectionLost):
                if refused is None:
                    raise
                break  # it has no key of these kinds
            else:
                self.algorithms = algorithms
                return connection
        assert refused is not None
        raise refused

    async def _connected(self, algorithms: Sequence[str], shown: list[str]) -> asyncssh.SSHClientConnection:
        """Nothing of the user's own settings of SSH is looked at: no agent, no keys, no hosts."""
        pinned = self.host_key

        class Pinned(asyncssh.SSHClient):
            def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
                shown.append(key.get_algorithm())
                return key.get_fingerprint("sha256") == pinned

        before = cancellations()
        connection = await asyncssh.connect(
            self.host,
            self.port,
            username=self.user,
            password=revealed(self.password),
            client_keys=None if self.key is None else [self.key],
            known_hosts=_nobody if self.known_hosts is None else str(self.known_hosts),
            server_host_key_algs=algorithms,
            client_factory=Pinned,
            config=None,
            agent_path=None,
            gss_host=None,
            x509_trusted_certs=None,
        )
        if cancellations() > before:
            connection.abort()
            raise asyncio.CancelledError
        return connection


def _nobody(host: str, address: str, port: int | None) -> tuple[list[str], list[str], list[str]]:
    return [], [], []


class Session:
    """One connection, in the hands of one call at a time. What it raises is of the port, or an `SFTPError`."""

    def __init__(self, sessions: Sessions, connection: asyncssh.SSHClientConnection, sftp: asyncssh.SFTPClient) -> None:
        self.sftp = sftp
        self.is_clean = True
        self._is_lost = False
        self._sessions = sessions
        self._connection = connection

    @property
    def is_open(self) -> bool:
        return not self._connection.is_closed()

    async def do(self, work: Awaitable[Result]) -> Result:
        """The result of a request, in time."""
        try:
            with self._sessions.timeouts.within(self._sessions.timeout):
                return await work
        except (TimeoutError, OSError, *_LOST) as error:
            self.is_clean, self._is_lost = False, True
            raise self._sessions.translated(error, self._sessions.timeout) from None
        except asyncssh.SFTPError:
            raise
        except BaseException:
            self.is_clean = False
            raise

    async def undo(self, work: Awaitable[object]) -> None:
        """Do this last thing after a call that failed or was cancelled, if the server is still there."""

        async def undone() -> None:
            with suppress(asyncssh.SFTPError, FileTransferError):
                await self.do(work)

        if self._is_lost:
            if asyncio.iscoroutine(work):
                work.close()
        else:
            await finish(undone())

    async def close(self) -> None:
        self._connection.abort()
        await self._connection.wait_closed()


class Sessions:
    """Sessions to one server, at most `max_connections` at once; opened when needed and kept."""

    def __init__(self, faults: Faults, login: Login, timeout: float, max_connections: int) -> None:
        self.timeout = timeout
        self.timeouts = Timeouts()
        self._faults = faults
        self._login = login
        self._permits = Permits(max_connections)
        self._idle: list[Session] = []
        self._is_open = False

    def open(self) -> None:
        self._is_open = True

    async def aclose(self) -> None:
        """Close at once; calls under way end."""
        self._is_open = False
        self.timeouts.end_all()
        idle, self._idle = self._idle, []
        await finish(asyncio.gather(*(session.close() for session in idle)))

    @asynccontextmanager
    async def session(self, seconds: float | None = None) -> AsyncGenerator[Session, None]:
        """A session for one call, and to have one within so many seconds."""
        self._check_open()
        seconds = seconds or self.timeout
        if not self._permits.take():
            await self._permits.wait_in_time(self._faults, "max_connections", seconds)
        try:
            session = await self._rested() or await self._new(seconds)
            try:
                yield session
            finally:
                if session.is_clean and session.is_open and self._is_open:
                    self._idle.append(session)
                else:
                    await finish(session.close())
        finally:
            self._permits.give_back()

    async def _rested(self) -> Session | None:
        self._check_open()
        while self._idle:
            session = self._idle.pop()
            if session.is_open:
                return session
            await finish(session.close())
        return None

    async def _new(self, seconds: float) -> Session:
        connection: asyncssh.SSHClientConnection | None = None
        try:
            with self.timeouts.within(seconds):
                connection = await self._login.connected()
                # names are bytes: what is no UTF-8 is left out, not an error
                return Session(self, connection, await connection.start_sftp_client(path_encoding=None))
        except BaseException as error:
            if connection is not None:
                connection.abort()
                await finish(connection.wait_closed())
            if isinstance(error, Exception):
                raise self.translated(error, seconds) from None
            raise

    def translated(self, error: Exception, seconds: float) -> Exception:
        """The port's error for one that is not about a file."""
        if not self._is_open:
            return FileTransferClosed("it was closed meanwhile", provider=self._faults.provider)
        match error:
            case FileTransferError():
                return error
            case TimeoutError():
                return self._faults.no_answer(f"no answer in {seconds:g} s", "timeout")
            case asyncssh.PermissionDenied():
                return self._faults.no_entry("the server refuses this user with what it logs in by", "user")
            case asyncssh.HostKeyNotVerifiable():
                setting = "known_hosts" if self._login.host_key is None else "host_key"
                return self._faults.no_entry("the server has another key: it is not the one, or has a new one", setting)
            case asyncssh.SFTPPermissionDenied():
                return self._faults.no_entry("the server does not allow it", "user")
            case OSError():
                what = f"it cannot be reached: {error.strerror or type(error).__name__}"
                return self._faults.no_answer(what, "host")
            case _:
                return self._faults.no_answer(f"the server fails: {self._told(error)}", "host")

    def _told(self, error: Exception) -> str:
        text: Any = told(error, self._login.password)
        return str(text)[:200]

    def _check_open(self) -> None:
        if not self._is_open:
            raise FileTransferClosed("it is not open", provider=self._faults.provider)
