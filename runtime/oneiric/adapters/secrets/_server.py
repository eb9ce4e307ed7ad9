"""A server of secrets that is asked over HTTP, in JSON."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from oneiric.adapters._common.network import Faults, is_about_certificates
from oneiric.adapters._common.permits import Permits
from oneiric.adapters._common.timeouts import Timeouts
from oneiric.adapters.secrets import SecretsClosed, SecretsError

_LARGEST, _PIECE = 8 * 1024 * 1024, 256 * 1024


class Answer(NamedTuple):
    """An answer's status, and the object that it holds; None where it is something else."""

    status: int
    document: Mapping[str, Any] | None

    def object(self, *path: str) -> Mapping[str, Any] | None:
        """The object at a path of members, if there is one."""
        found: Any = self.document
        for member in path:
            found = cast("dict[str, Any]", found).get(member) if isinstance(found, dict) else None
        return cast("Mapping[str, Any]", found) if isinstance(found, dict) else None

    def text(self, *path: str) -> str | None:
        """The text there."""
        within = self.object(*path[:-1])
        found = None if within is None else within.get(path[-1])
        return found if isinstance(found, str) else None


class Server:
    """One server, by the settings `url`, `ca_file`, `timeout` and `max_connections`. Its errors are the port's, and
    hold nothing of what was sent or came back."""

    def __init__(self, faults: Faults, *, url: str, ca_file: Path | None, timeout: float, max_connections: int) -> None:
        faults.check_above_zero(timeout=timeout, max_connections=max_connections)
        if ca_file is not None and not ca_file.is_file():
            raise faults.no_sense(f"{ca_file} is not a file", "ca_file")
        self._faults = faults
        self._base = _checked(faults, url)
        self._ca_file = ca_file
        self._timeout = timeout
        self._permits = Permits(max_connections)
        self._timeouts = Timeouts()
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Be ready to ask. Raises the port's error for certificates that cannot be read."""
        await self.close()
        context = await asyncio.to_thread(self._context)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        )

    async def close(self) -> None:
        """End what is asked."""
        session, self._session = self._session, None
        self._timeouts.end_all()
        if session is not None:
            await session.close()

    @asynccontextmanager
    async def turn(self, seconds: float | None = None) -> AsyncGenerator[None]:
        """A block in which it is asked, over in these seconds (`timeout`), with everything that belongs to one call."""
        self.check_open()
        if not self._permits.take():
            await self._permits.wait_in_time(self._faults, "max_connections", self._timeout)
        try:
            self.check_open()
            with self._timeouts.within(self._timeout if seconds is None else seconds):
                yield
        except SecretsError:
            raise
        except Exception as error:
            raise self._translated(error) from None
        finally:
            self._permits.give_back()

    async def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: object = None
    ) -> Answer:
        """One request in a turn; `path` is encoded, and may have a query."""
        assert self._session is not None
        data = None if body is None else json.dumps(body).encode()
        sent = {"accept": "application/json", **({} if data is None else {"content-type": "application/json"})}
        target = URL(self._base + path, encoded=True)
        async with self._session.request(
            method, target, headers={**sent, **(headers or {})}, data=data, allow_redirects=False
        ) as response:
            read = b""
            while more := await response.content.read(_PIECE):
                read += more
                if len(read) > _LARGEST:
                    raise self._faults.no_answer(f"the answer is larger than {_LARGEST} bytes", "url")
            return Answer(response.status, _object(read))

    def unusable(self, answer: Answer) -> SecretsError:
        """The error for an answer that is none to what was asked."""
        what = "what came back is not JSON that makes sense" if answer.status == 200 else f"it answered {answer.status}"
        return _told(self._faults.no_answer(what, "url"))

    def check_open(self) -> None:
        """Raise `SecretsClosed` unless it can be asked."""
        if self._session is None:
            raise SecretsClosed("the secrets adapter is not open", provider=self._faults.provider)

    def _context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._ca_file)
        except OSError:
            raise self._faults.no_sense(f"{self._ca_file} cannot be read as certificates", "ca_file") from None

    def _translated(self, error: Exception) -> SecretsError:
        if self._session is None:
            return SecretsClosed("the secrets adapter was closed meanwhile", provider=self._faults.provider)
        if isinstance(error, TimeoutError):
            return _told(self._faults.no_answer("no answer in time", "timeout"))
        if is_about_certificates(error):
            return _told(self._faults.no_entry("the server's certificate is not trusted, or it has no TLS", "ca_file"))
        if isinstance(error, aiohttp.ClientConnectorError):
            reason = error.os_error.strerror or type(error.os_error).__name__
            return _told(self._faults.no_answer(f"it cannot be connected to: {reason}", "url"))
        return _told(self._faults.no_answer(f"it talks badly: {type(error).__name__}", "url"))


def _told(error: Exception) -> SecretsError:
    assert isinstance(error, SecretsError)
    return error


def _object(content: bytes) -> Mapping[str, Any] | None:
    """The object in the text, or None: an error of `json` would carry the text along."""
    try:
        value: object = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _checked(faults: Faults, url: str) -> str:
    """The URL without a slash at its end."""
    faults.check_text(url=url)
    try:
        parts = urlsplit(url)
        sound = parts.port is None or parts.port > 0
    except ValueError:
        raise faults.no_sense("is malformed", "url") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not sound:
        raise faults.no_sense("is not http://HOST or https://HOST", "url")
    if parts.username is not None or parts.query or parts.fragment or any(each.isspace() for each in url):
        raise faults.no_sense("has more than a host, a port and a path", "url")
    return url.rstrip("/")
