"""Storage provider `gcs`: a bucket of Google Cloud Storage."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any, Literal

from oneiric import Secret, component
from oneiric.adapters._common.api import Answer, Api, Deadline
from oneiric.adapters._common.finish import finish
from oneiric.adapters._common.google import Tokens
from oneiric.adapters.storage import (
    DEFAULT_CONTENT_TYPE,
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
from oneiric.adapters.storage._gcs import (
    CREDENTIALS,
    FAULTS,
    PROVIDER,
    WHERE,
    Found,
    Page,
    Place,
    condition_for,
    decoded,
    described,
    multipart,
    part_of,
)
from oneiric.adapters.storage._gcs_links import signed_url
from oneiric.adapters.storage._gcs_upload import PART, Upload
from oneiric.adapters.storage._pieces import NO_PREFIX, InParts, read_in_parts, regrouped

_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
_READ = 4 * 1024 * 1024  # bytes that one request reads
_PAGE = 1000  # objects that one request lists


@component(
    "adapter",
    "storage",
    provider="gcs",
    priority=0,
    stack_level=-20,
    capabilities=("blob", "stream", "delete", "bucket", "large", "link"),
    port="oneiric.adapters.storage:Storage",
)
class GCSStorage(InParts):
    """Keeps objects in one bucket, which must exist.

    Needs a bucket of Google Cloud Storage; the extra `storage-gcs`.

    `bucket`: the bucket's name.
    `project`: the project that pays for requests and traffic, as buckets of `requester pays` need it.
    `credentials_file`: the key of a service account; without it the credentials of the environment: of
        `GOOGLE_APPLICATION_CREDENTIALS`, of gcloud, of the machine or the workload.
    `endpoint_url`: `https://HOST:PORT` of another server than Google's, which gets no credentials of the environment.
    `ca_file`: a file of certificates to trust, instead of those the system trusts; for the API, not for who gives
        tokens.
    `timeout`: seconds to connect, for each request of at most 8 MiB, and to wait for a free connection.
    `healthcheck_timeout`: seconds for all of a health check, and of the first connection.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    _provider = PROVIDER

    def __init__(
        self,
        *,
        bucket: str,
        project: str | None = None,
        credentials_file: Path | None = None,
        endpoint_url: str = "https://storage.googleapis.com",
        ca_file: Path | None = None,
        timeout: float = 10.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 50,
    ) -> None:
        FAULTS.check_above_zero(timeout=timeout, healthcheck_timeout=healthcheck_timeout)
        self._api = Api(
            FAULTS,
            StorageClosed,
            base_url=endpoint_url,
            setting=WHERE,
            headers={"accept-encoding": "identity"},
            ca_file=ca_file,
            max_connections=max_connections,
            decompress=False,  # of data: it is given as it is kept
        )
        self._place = Place(bucket, project, endpoint_url.rstrip("/"))
        self._place.check()
        known = credentials_file is not None or self._place.is_of_google
        self._tokens = Tokens(FAULTS, credentials_file, _SCOPE) if known else None
        self._timeout = timeout
        self._healthcheck_timeout = healthcheck_timeout

    async def start(self) -> None:
        await self._api.open()
        deadline = Deadline.within(self._healthcheck_timeout)
        if self._tokens is not None:
            await self._tokens.load(deadline)
        await self._ask_health(deadline)

    async def health(self) -> bool:
        try:
            await self._ask_health(Deadline.within(self._healthcheck_timeout))
        except StorageError:
            return False
        return True

    async def aclose(self) -> None:
        await self._api.aclose()

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
        return await self._put_whole(described(name, content_type, metadata), data, condition)

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
        wanted = described(name, content_type, metadata)
        async with aclosing(regrouped(data, PART)) as pieces:
            part = await anext(pieces, b"")
            if len(part) < PART:
                return await self._put_whole(wanted, part, condition)
            await self._expect(name, condition)
            async with Upload(self._ask, self._place.upload("resumable", condition), wanted) as upload:
                async for following in pieces:
                    await upload.add(part)
                    part = following
                return await upload.complete(part)

    async def stat(self, name: str) -> Entry:
        check_name(name)
        return (await self._found(name)).entry()

    async def delete(self, name: str) -> bool:
        check_name(name)
        try:
            await finish(self._ask("DELETE", self._place.object(name), name))
        except ObjectNotFound:
            return False
        return True

    async def link(self, name: str, *, method: Literal["GET", "PUT"] = "GET", lasts: float = 900.0) -> Secret:
        check_link(name, method, lasts)
        self._api.check_open()
        key = None if self._tokens is None else self._tokens.key
        if key is None:
            raise FAULTS.no_entry("only the key of a service account can make links", CREDENTIALS)
        return Secret(signed_url(key, self._place, name, method, ceil(lasts), datetime.now(UTC)))

    async def list(self, prefix: str = "") -> AsyncIterator[Listed]:
        if NO_PREFIX.search(prefix):
            return
        more: dict[str, str] = {}
        while True:
            path = self._place.list(prefix=prefix, maxResults=str(_PAGE), **more)
            page = decoded(await self._ask("GET", path), Page)
            for each in page.items:
                yield each.listed()
            if not page.next_page_token:
                return
            more = {"pageToken": page.next_page_token}

    async def _put_whole(self, wanted: dict[str, Any], data: bytes, condition: Mapping[str, str]) -> Stored:
        body, headers = multipart(wanted, data)
        name, deadline = wanted["name"], Deadline.within(self._timeout * ceil(len(body) / PART))
        path = self._place.upload("multipart", condition)
        answer = await finish(self._ask("POST", path, name, body=body, headers=headers, deadline=deadline))
        return Stored(name, len(data), decoded(answer, Found).generation)

    async def _expect(self, name: str, condition: Mapping[str, str]) -> None:
        """See that a condition is met before much is sent: the server looks at it when all is there."""
        if not condition:
            return
        try:
            generation = (await self._found(name)).generation
        except ObjectNotFound:
            generation = "0"
        if generation != condition["ifGenerationMatch"]:
            raise PreconditionFailed(f"{name!r} is not as expected", provider=PROVIDER)

    async def _found(self, name: str, **version: str) -> Found:
        return decoded(await self._ask("GET", self._place.object(name, **version), name), Found)

    def _parts(self, name: str, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        return read_in_parts(name, partial(self._part, name), _READ, PROVIDER, start, stop)

    async def _part(self, name: str, start: int, stop: int, etag: str) -> tuple[bytes, str, int]:
        version = {"generation": etag} if etag else {}
        if start == stop:  # no range has no bytes
            found = await self._found(name, **version)
            return b"", found.generation, found.size
        headers = {"range": f"bytes={start}-{stop - 1}", "accept-encoding": "gzip"}  # or it unpacks what is kept so
        path = self._place.object(name, alt="media", **version)
        return part_of(await self._ask("GET", path, name, headers=headers))

    async def _ask_health(self, deadline: Deadline) -> None:
        decoded(await self._ask("GET", self._place.list(maxResults="1"), deadline=deadline), Page)

    async def _ask(
        self,
        method: str,
        path: str,
        name: str = "",
        *,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        deadline: Deadline | None = None,
    ) -> Answer:
        """The answer to a request, if it is not an error; `name` is the object it is about, if any."""
        deadline = deadline or Deadline.within(self._timeout)
        self._api.check_open()
        ask = self._api.ask if self._tokens is None else partial(self._tokens.ask, self._api)
        answer = await ask(method, path, body, deadline=deadline, headers=headers or {})
        failure = self._place.failure(answer, method, name)
        if failure is not None:
            raise failure
        return answer
