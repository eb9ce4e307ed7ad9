"""Requests to one server over one connection of HTTP/2, by httpx."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import h2  # noqa: F401  # pyright: ignore[reportUnusedImport]  # which httpx would miss only when it connects
import httpx

from oneiric.adapters._common.api import Answer, Deadline
from oneiric.adapters._common.finish import finish
from oneiric.adapters._common.network import Faults, is_about_certificates
from oneiric.adapters._common.timeouts import Timeout, Timeouts
from oneiric.adapters.push import PushClosed
from oneiric.errors import AdapterError

_ONE = httpx.Limits(max_connections=1, keepalive_expiry=300.0)
_SETTING = "url"


class _Line:
    """A connection, and how many calls are on it."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.transport = httpx.AsyncHTTPTransport(verify=context, trust_env=False, http1=False, http2=True, limits=_ONE)
        self.calls = 0
        self.is_broken = False


class Http2:
    """Calls share a connection, as many at once as the server lets. None is sent twice.

    A connection on which anything broke, or a call was cancelled, takes no more calls and is closed after the last one
    that it has: what was half written would break those of others. No error shows anything of what was sent.
    """

    def __init__(self, faults: Faults, url: str, ca_file: Path | None) -> None:
        if ca_file is not None and not ca_file.is_file():
            raise faults.no_sense(f"{ca_file} is not a file", "ca_file")
        self._faults = faults
        self._url = url.rstrip("/")
        self._ca_file = ca_file
        self._context: ssl.SSLContext | None = None
        self._line: _Line | None = None
        self._timeouts = Timeouts()

    async def open(self) -> None:
        await self.aclose()
        self._context = await asyncio.to_thread(self._faults.trusting, self._ca_file)

    async def aclose(self) -> None:
        line, self._line, self._context = self._line, None, None
        self._timeouts.end_all()
        if line is not None:
            line.is_broken = True
            if not line.calls:
                await finish(line.transport.aclose())

    def check_open(self) -> None:
        """Raise the port's error unless it can be asked."""
        if self._context is None:
            raise PushClosed("it is not open", provider=self._faults.provider)

    async def ask(
        self, method: str, path: str, body: bytes, *, deadline: Deadline, headers: Mapping[str, str] | None = None
    ) -> Answer:
        self.check_open()
        assert self._context is not None
        if self._line is None or self._line.is_broken:
            self._line = _Line(self._context)
        line = self._line
        line.calls += 1
        is_whole = False
        try:
            with self._translated(deadline), Timeout(self._timeouts, deadline.at):
                request = httpx.Request(method, self._url + path, headers=headers, content=body)
                response = await line.transport.handle_async_request(request)
                read = await response.aread()
            is_whole = True
            return Answer(response.status_code, response.headers, read)
        finally:
            line.calls -= 1
            line.is_broken |= not is_whole
            if line.is_broken and not line.calls:
                await finish(line.transport.aclose())

    @contextmanager
    def _translated(self, deadline: Deadline) -> Generator[None, None, None]:
        """What fails in the block is the port's error."""
        try:
            yield
        except Exception as error:
            raise self._of(error, deadline) from None

    def _of(self, error: Exception, deadline: Deadline) -> AdapterError:
        if self._context is None:
            return PushClosed("it was closed meanwhile", provider=self._faults.provider)
        if isinstance(error, TimeoutError):
            return self._faults.no_answer(f"no answer in {deadline.seconds:g} s", "timeout")
        if is_about_certificates(error):
            return self._faults.no_entry("the server's certificate is not trusted, or it has no TLS", "ca_file")
        if isinstance(error, httpx.ConnectError):
            return self._faults.no_answer("it cannot be connected to", _SETTING)
        return self._faults.no_answer(f"it talks badly: {type(error).__name__}", _SETTING)
