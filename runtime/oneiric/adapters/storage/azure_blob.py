"""Storage provider `azure-blob`: a container of Azure Blob Storage."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, TypeVar
from uuid import uuid4

import aiohttp
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob import BlobBlock, generate_blob_sas
from azure.storage.blob.aio import BlobClient, ContainerClient

from oneiric import Secret, component
from oneiric.adapters._common.finish import finish
from oneiric.adapters._common.network import is_about_certificates, told
from oneiric.adapters._common.permits import Permits
from oneiric.adapters._common.timeouts import Timeouts
from oneiric.adapters.storage import (
    DEFAULT_CONTENT_TYPE,
    STABLE,
    Entry,
    Listed,
    ObjectNotFound,
    PreconditionFailed,
    StorageClosed,
    StorageError,
    Stored,
    check_described,
    check_link,
    check_name,
    check_object,
)
from oneiric.adapters.storage._azure import (
    FAULTS,
    PROVIDER,
    condition_for,
    credential_for,
    described,
    entry_of,
    next_page,
    plain_etag,
    read_range,
)
from oneiric.adapters.storage._pieces import NO_PREFIX, InParts, read_in_parts, regrouped

Result = TypeVar("Result")

_PART = 4 * STABLE  # bytes in one request
_KEPT = 64  # clients of single objects; one has 32 KiB, and takes the SDK a twentieth of a call to make
_CONTAINER = re.compile(r"[a-z0-9](?:-?[a-z0-9])*")
_UNMET = frozenset(("ConditionNotMet", "BlobAlreadyExists"))
_OVERTAKEN = "InvalidBlockList"
"""What a large put is told when another of the same name has ended first."""


@component(
    "adapter",
    "storage",
    provider="azure-blob",
    priority=0,
    stack_level=-20,
    capabilities=("blob", "stream", "delete", "container", "large", "link"),
    port="oneiric.adapters.storage:Storage",
)
class AzureBlobStorage(InParts):
    """Keeps objects as block blobs of one container, which must exist.

    Needs an account of Azure Blob Storage; the extra `storage-azure-blob`.

    `container`: the container's name.
    `connection_string`: as the portal shows it; instead of `account_url` and `credential`.
    `account_url`: `https://ACCOUNT.blob.core.windows.net`, or `http://HOST:PORT/ACCOUNT` of an emulator.
    `credential`: the account's key or a shared access signature; none for a container that is open to all.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds to connect, for each request of at most 4 MiB, and to wait for a free connection.
    `healthcheck_timeout`: seconds for all of a health check, and of the first connection.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    _provider = PROVIDER

    def __init__(
        self,
        *,
        container: str,
        connection_string: Secret | None = None,
        account_url: str | None = None,
        credential: Secret | None = None,
        ca_file: Path | None = None,
        timeout: float = 10.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 50,
    ) -> None:
        FAULTS.check_above_zero(
            timeout=timeout, healthcheck_timeout=healthcheck_timeout, max_connections=max_connections
        )
        if not _CONTAINER.fullmatch(container) or not 3 <= len(container) <= 63:
            raise FAULTS.no_sense(f"{container!r} is not a valid container name", "container")
        if ca_file is not None and not ca_file.is_file():
            raise FAULTS.no_sense(f"{ca_file} is not a file", "ca_file")
        if connection_string is None and account_url is None:
            raise FAULTS.no_sense("is missing, and connection_string too", "account_url")
        if connection_string is not None and (account_url is not None or credential is not None):
            raise FAULTS.no_sense("is given, and account_url or credential too: write it once", "connection_string")
        self._container = container
        self._connection_string = connection_string
        self._account_url = account_url
        self._credential = credential
        self._where = "connection_string" if account_url is None else "account_url"
        self._signed_by = "connection_string" if account_url is None else "credential"
        self._client_with(None)
        self._ca_file = ca_file
        self._timeout = timeout
        self._healthcheck_timeout = healthcheck_timeout
        self._session: aiohttp.ClientSession | None = None
        self._client: ContainerClient | None = None
        self._blob: Callable[[str], BlobClient]  # of this client
        self._permits = Permits(max_connections)
        self._timeouts = Timeouts()

    async def start(self) -> None:
        await self.aclose()
        context = await asyncio.to_thread(FAULTS.trusting, self._ca_file)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
        # a put that is sent twice meets its own condition
        self._session._retry_connection = False  # pyright: ignore[reportPrivateUsage]
        self._client = self._client_with(AioHttpTransport(session=self._session, session_owner=False))
        self._blob = lru_cache(_KEPT)(self._client.get_blob_client)
        await self._ask_health()

    async def health(self) -> bool:
        try:
            await self._ask_health()
        except StorageError:
            return False
        return True

    async def aclose(self) -> None:
        session, self._session, self._client = self._session, None, None
        self._timeouts.end_all()
        if session is not None:
            await session.close()

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
        condition = condition_for(name, if_absent, if_match)
        options = described(content_type, metadata)
        requests = 2 + len(data) // _PART
        async with self._turn(name):
            work = self._blob(name).upload_blob(data, overwrite=not if_absent, **options, **condition)
            done = await finish(self._within(work, requests * self._timeout))
        return Stored(name, len(data), plain_etag(done["etag"]))

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
        condition = condition_for(name, if_absent, if_match)
        options = described(content_type, metadata)
        blocks: list[BlobBlock] = []
        size = 0
        async with aclosing(regrouped(data, _PART)) as pieces:
            async for piece in pieces:
                identity = f"{uuid4().int:048d}"  # of the length that the SDK's have, as all of a blob must be
                async with self._turn(name):
                    work = self._blob(name).stage_block(identity, BytesIO(piece), len(piece))
                    await self._within(work, self._timeout)
                blocks.append(BlobBlock(identity))
                size += len(piece)
        if if_absent:
            condition["match_condition"] = MatchConditions.IfMissing
        async with self._turn(name):
            work = self._blob(name).commit_block_list(blocks, **options, **condition)
            done = await finish(self._within(work, self._timeout))
        return Stored(name, size, plain_etag(done["etag"]))

    async def stat(self, name: str) -> Entry:
        check_name(name)
        async with self._turn(name):
            return entry_of(await self._within(self._blob(name).get_blob_properties(), self._timeout))

    async def delete(self, name: str) -> bool:
        check_name(name)
        try:
            async with self._turn(name):
                work = self._blob(name).delete_blob(delete_snapshots="include")
                await finish(self._within(work, self._timeout))
        except ObjectNotFound:
            return False
        return True

    async def link(self, name: str, *, method: Literal["GET", "PUT"] = "GET", lasts: float = 900.0) -> Secret:
        check_link(name, method, lasts)
        if self._client is None:
            raise StorageClosed("the storage is not open", provider=PROVIDER)
        blob = self._blob(name)
        key = getattr(blob.credential, "account_key", None)
        if key is None:
            raise _told(FAULTS.no_entry("only the account's key can make links", self._signed_by))
        signature = generate_blob_sas(
            blob.credential.account_name,
            self._container,
            name,
            account_key=key,
            permission="r" if method == "GET" else "cw",
            expiry=datetime.now(UTC) + timedelta(seconds=lasts),
        )
        return Secret(f"{blob.url}?{signature}")

    async def list(self, prefix: str = "") -> AsyncIterator[Listed]:
        if NO_PREFIX.search(prefix):
            return
        pages: Any = None
        while True:
            async with self._turn() as client:
                if pages is None:
                    pages = client.list_blobs(name_starts_with=prefix or None).by_page()
                page = await self._within(next_page(pages), self._timeout)
            if page is None:
                return
            for blob in page:
                yield Listed(blob.name, blob.size, plain_etag(blob.etag), blob.last_modified)

    def _parts(self, name: str, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        return read_in_parts(name, partial(self._part, name), _PART, PROVIDER, start, stop)

    async def _part(self, name: str, start: int, stop: int, etag: str) -> tuple[bytes, str, int]:
        condition = {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
        async with self._turn(name):
            return await self._within(read_range(self._blob(name), start, stop, condition), self._timeout)

    async def _ask_health(self) -> None:
        async with self._turn() as client:
            pages = client.list_blobs(results_per_page=1).by_page()
            await self._within(next_page(pages), self._healthcheck_timeout)

    def _client_with(self, transport: Any) -> ContainerClient:
        options: dict[str, Any] = {
            "transport": transport,
            "retry_total": 0,
            "logging_enable": False,
            "max_single_put_size": STABLE,
            "max_block_size": _PART,
            "min_large_block_upload_threshold": _PART,
            "max_single_get_size": _PART,
            "max_chunk_get_size": _PART,
        }
        url = self._account_url
        credential = None if url is None else credential_for(url, self._credential)
        try:
            if url is not None:
                return ContainerClient(url, self._container, credential=credential, **options)
            assert self._connection_string is not None
            given = self._connection_string.reveal()
            return ContainerClient.from_connection_string(given, self._container, **options)
        except ValueError:
            raise FAULTS.no_sense("is malformed", self._where) from None

    @asynccontextmanager
    async def _turn(self, name: str = "") -> AsyncGenerator[ContainerClient, None]:
        """The client, for one more request; its errors become the port's. `name`: the object it is about."""
        if not self._permits.take():
            await self._permits.wait_in_time(FAULTS, "max_connections", self._timeout)
        try:
            if self._client is None:
                raise StorageClosed("the storage is not open", provider=PROVIDER)
            yield self._client
        except StorageError:
            raise
        except Exception as error:
            if self._client is None:
                raise StorageClosed("the storage was closed meanwhile", provider=PROVIDER) from None
            raise self._translated(error, name) from None
        finally:
            self._permits.give_back()

    async def _within(self, work: Awaitable[Result], seconds: float) -> Result:
        with self._timeouts.within(seconds):
            return await work

    def _translated(self, error: Exception, name: str) -> StorageError:
        """The port's error for what the SDK raised."""
        if isinstance(error, HttpResponseError) and error.status_code:
            code = getattr(error, "error_code", None)
            code = str(getattr(code, "value", code) or error.status_code)
            if error.status_code == 404 and name and code != "ContainerNotFound":
                return ObjectNotFound(name, provider=PROVIDER)
            if code in _UNMET or (error.status_code == 412 and code == "412"):
                return PreconditionFailed(f"{name!r} is not as expected: {code}", provider=PROVIDER)
            if code == _OVERTAKEN:
                return PreconditionFailed(f"another put of {name!r} ended first", provider=PROVIDER)
            what = f"the server answered {error.status_code} {code}"
            if error.status_code in (401, 403):
                return _told(FAULTS.no_entry(what, self._signed_by))
            return _told(FAULTS.no_answer(what, "container" if code == "ContainerNotFound" else self._where))
        if isinstance(error, TimeoutError):
            return _told(FAULTS.no_answer("no answer in time", "timeout"))
        what = told(error, self._connection_string, self._credential)
        if is_about_certificates(error):
            return _told(FAULTS.no_entry(what, "ca_file"))
        return _told(FAULTS.no_answer(what, self._where))


def _told(error: Exception) -> StorageError:
    assert isinstance(error, StorageError)
    return error
