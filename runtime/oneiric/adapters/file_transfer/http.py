"""File transfer provider `http`: files below a URL, of a server that takes PUT and DELETE."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

from oneiric import Secret, component
from oneiric.adapters._common.api import Api, Deadline, basic, check_header
from oneiric.adapters._common.asking import Asking
from oneiric.adapters._common.network import Faults
from oneiric.adapters.file_transfer import (
    FileMissing,
    FileTransferClosed,
    FileTransferMisconfigured,
    FileTransferRefused,
    FileTransferUnavailable,
    RemoteFile,
    check_chunk_size,
    check_folder,
    check_path,
    pieces_of,
)
from oneiric.errors import AdapterError

_PROVIDER = "http"
_FAULTS = Faults(_PROVIDER, FileTransferUnavailable, FileTransferRefused, FileTransferMisconfigured)
_AS_IT_IS = {"accept-encoding": "identity"}


@component(
    "adapter",
    "file_transfer",
    provider="http",
    priority=0,
    stack_level=-20,
    capabilities=("read", "write"),
    port="oneiric.adapters.file_transfer:Files",
)
class HttpFiles(Asking[Api]):
    """Reads and writes files below a URL by GET, HEAD, PUT and DELETE, each of which the server may forbid.

    Needs a server of HTTP. It cannot list, and what a put that breaks off leaves is the server's affair.

    `base_url`: the URL of the folder.
    `token`: a bearer token; instead of `user` and `password`.
    `user`: who logs in by basic authentication.
    `password`: the user's password.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds for each step of a call, to connect, and to wait for a free connection.
    `healthcheck_timeout`: seconds for a health check, and for the first one at the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    def __init__(
        self,
        *,
        base_url: str,
        token: Secret | None = None,
        user: str | None = None,
        password: Secret | None = None,
        ca_file: Path | None = None,
        timeout: float = 10.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 10,
    ) -> None:
        _FAULTS.check_above_zero(timeout=timeout, healthcheck_timeout=healthcheck_timeout)
        self._login = "token" if token is not None else "password"
        self._api = Api(
            _FAULTS,
            FileTransferClosed,
            base_url=base_url,
            key=_checked(token, user, password),
            key_header=("authorization", "Bearer " if token is not None else "Basic "),
            ca_file=ca_file,
            max_connections=max_connections,
            decompress=False,
        )
        self._base = urlsplit(base_url).path.rstrip("/")
        self._timeout = timeout
        self._healthcheck_timeout = healthcheck_timeout

    async def put(self, path: str, data: bytes | AsyncIterator[bytes]) -> None:
        check_path(path)
        self._api.check_open()
        headers = {"content-type": "application/octet-stream"}
        if isinstance(data, bytes):
            headers["content-length"] = str(len(data))
        wrong: list[Exception] = []
        async with aclosing(pieces_of(data)) as pieces:
            first = await anext(pieces, None)  # so that the server hears nothing of what is no data
            body = _sent(first, pieces, wrong)
            try:
                async with self._api.exchange(
                    "PUT", _below(path), body, deadline=self._deadline(), headers=headers, keep=True
                ) as exchange:
                    status = (await exchange.answer()).status
            except AdapterError:
                if wrong:
                    raise wrong[0] from None
                raise
        if status not in (200, 201, 204):
            raise self._unusable(status)

    async def get(self, path: str) -> bytes:
        return b"".join([piece async for piece in self.stream(path)])

    async def stream(self, path: str, *, chunk_size: int = 65536) -> AsyncIterator[bytes]:
        check_path(path)
        check_chunk_size(chunk_size)
        async with self._api.exchange(
            "GET", _below(path), deadline=self._deadline(), headers=_AS_IT_IS, keep=True
        ) as exchange:
            self._check_found(path, exchange.status, exchange.headers)
            if "content-length" not in exchange.headers and "transfer-encoding" not in exchange.headers:
                raise self._api.unavailable("it does not say where the file ends")
            async for piece in exchange.pieces():
                for begin in range(0, len(piece), chunk_size):
                    yield piece[begin : begin + chunk_size]

    async def stat(self, path: str) -> RemoteFile:
        check_path(path)
        answer = await self._api.ask("HEAD", _below(path), deadline=self._deadline(), headers=_AS_IT_IS)
        self._check_found(path, answer.status, answer.headers)
        size = answer.headers.get("content-length", "")
        if not (size.isascii() and size.isdecimal()):
            raise self._api.unavailable("it does not say the size of the file")
        return RemoteFile(path, int(size), _time(answer.headers.get("last-modified")))

    async def delete(self, path: str) -> bool:
        try:
            await self.stat(path)  # servers of WebDAV remove folders with all that is in them
        except FileMissing:
            return False
        answer = await self._api.ask("DELETE", _below(path), deadline=self._deadline())
        if answer.status not in (200, 202, 204, 404, 410):
            raise self._unusable(answer.status)
        return answer.status < 300

    async def list(self, folder: str = "") -> AsyncIterator[RemoteFile]:
        """Raises `FileTransferRefused`: HTTP has no listings."""
        check_folder(folder)
        self._api.check_open()
        raise _FAULTS.no_entry("folders cannot be listed by HTTP", "base_url")
        yield

    async def _ask_health(self) -> None:
        """A server that answers is well, also where it does not show the folder, unless it wants to know who asks."""
        deadline = Deadline.within(self._healthcheck_timeout)
        answer = await self._api.ask("HEAD", "/", deadline=deadline, headers=_AS_IT_IS)
        if answer.status == 401 or answer.status >= 500:
            raise self._unusable(answer.status)

    def _check_found(self, path: str, status: int, headers: Mapping[str, str]) -> None:
        """Raise the port's error unless this answer is about a file."""
        moved = urlsplit(headers.get("location", "")).path
        is_folder = 300 < status < 400 and moved == f"{self._base}{_below(path)}/"
        if status in (404, 410) or is_folder:
            raise FileMissing(path, provider=_PROVIDER)
        if status != 200:
            raise self._unusable(status)

    def _unusable(self, status: int) -> AdapterError:
        what = f"it answered {status}"
        if status in (401, 403):
            return _FAULTS.no_entry(what, self._login)
        if status in (405, 501):
            return _FAULTS.no_entry(what, "base_url")
        return self._api.unavailable(what)

    def _deadline(self) -> Deadline:
        return Deadline.within(self._timeout)


def _below(path: str) -> str:
    return "/" + quote(path)


async def _sent(
    first: memoryview | None, rest: AsyncIterator[memoryview], wrong: list[Exception]
) -> AsyncGenerator[bytes, None]:
    """The pieces; an error of theirs is kept in `wrong`, since what comes out of a request is another."""
    if first is not None:
        yield bytes(first)
    try:
        async for piece in rest:
            yield bytes(piece)
    except Exception as error:
        wrong.append(error)
        raise


def _checked(token: Secret | None, user: str | None, password: Secret | None) -> Secret | None:
    """What proves who asks; None for nobody in particular."""
    if token is not None:
        if user is not None or password is not None:
            raise _FAULTS.no_sense("is given, and user or password too: write one of them", "token")
        check_header(_FAULTS, token, "token")
        return token
    if (user is None) != (password is None):
        raise _FAULTS.no_sense("is missing", "user" if user is None else "password")
    if user is None or password is None:
        return None
    _FAULTS.check_text(user=user, password=password.reveal())
    if ":" in user:
        raise _FAULTS.no_sense("has a colon, which basic authentication cannot say", "user")
    return basic(user, password)


def _time(said: str | None) -> datetime | None:
    try:
        return None if said is None else parsedate_to_datetime(said).astimezone(UTC)
    except ValueError:
        return None
