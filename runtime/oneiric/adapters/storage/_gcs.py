"""What the JSON API of Google Cloud Storage takes and gives, in the words of the port."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, urlencode, urlsplit
from uuid import uuid4

import msgspec

from oneiric.adapters._common.api import Answer
from oneiric.adapters._common.network import Faults
from oneiric.adapters.storage import (
    DEFAULT_CONTENT_TYPE,
    Entry,
    InvalidObject,
    Listed,
    ObjectNotFound,
    PreconditionFailed,
    StorageMisconfigured,
    StorageRefused,
    StorageUnavailable,
    check_condition,
)

PROVIDER = "gcs"
FAULTS = Faults(PROVIDER, StorageUnavailable, StorageRefused, StorageMisconfigured)
CREDENTIALS = "credentials_file"
"""The setting that says who asks."""
WHERE = "endpoint_url"
"""The setting to look at when nobody answers."""
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_PROJECT = re.compile(r"[a-z0-9][a-z0-9.:-]{1,98}")
_GENERATION = re.compile(r"[1-9][0-9]{0,17}")
_REASON = re.compile(r"[A-Za-z]{1,50}")
_FIELDS = "name,size,generation,updated,contentType,metadata"
_UNSATISFIABLE = 416
_Type = TypeVar("_Type")


class Found(msgspec.Struct, rename="camel"):
    """An object, as the server tells of it."""

    name: str
    size: int
    generation: str
    updated: datetime
    content_type: str = DEFAULT_CONTENT_TYPE
    metadata: dict[str, str] = {}

    def listed(self) -> Listed:
        return Listed(self.name, self.size, self.generation, self.updated.astimezone(UTC))

    def entry(self) -> Entry:
        modified = self.updated.astimezone(UTC)
        return Entry(self.name, self.size, self.generation, modified, self.content_type, self.metadata)


class Page(msgspec.Struct, rename="camel"):
    """A piece of a listing, and what the next one is asked by."""

    items: list[Found] = []
    next_page_token: str = ""


class Place(NamedTuple):
    """The settings that say where the bucket is."""

    bucket: str
    project: str | None
    endpoint_url: str

    @property
    def is_of_google(self) -> bool:
        url = urlsplit(self.endpoint_url)
        return url.scheme == "https" and f".{url.hostname}".endswith(".googleapis.com")

    def check(self) -> None:
        """Raise the port's error for settings that are malformed."""
        if not _BUCKET.fullmatch(self.bucket):
            raise FAULTS.no_sense(f"{self.bucket!r} is not a valid bucket name", "bucket")
        if self.project is not None and not _PROJECT.fullmatch(self.project):
            raise FAULTS.no_sense(f"{self.project!r} is not a project's name or number", "project")
        if urlsplit(self.endpoint_url).path.strip("/"):
            raise FAULTS.no_sense("is not of the form https://HOST:PORT", WHERE)

    def list(self, **query: str) -> str:
        return self._path("/storage/v1", "", {**query, "fields": f"items({_FIELDS}),nextPageToken"})

    def object(self, name: str, **query: str) -> str:
        return self._path("/storage/v1", f"/{quote(name, safe='')}", {"fields": _FIELDS, **query})

    def upload(self, kind: str, condition: Mapping[str, str]) -> str:
        return self._path("/upload/storage/v1", "", {"uploadType": kind, "fields": _FIELDS, **condition})

    def _path(self, service: str, name: str, query: dict[str, str]) -> str:
        payer = {} if self.project is None else {"userProject": self.project}
        return f"{service}/b/{self.bucket}/o{name}?{urlencode({**query, **payer}, quote_via=quote)}"

    def failure(self, answer: Answer, method: str, name: str) -> Exception | None:
        """The port's error for an answer that is one; `name` is the object it was about. Only its code is told."""
        status = answer.status
        if status < 400 or status == _UNSATISFIABLE:
            return None
        message, reason = _said(answer)
        what = f"the server answered {status}{reason}"
        if status == 404 and name and method in ("GET", "DELETE") and "bucket does not exist" not in message:
            return ObjectNotFound(name, provider=PROVIDER)
        if status == 412:
            return PreconditionFailed(f"{name!r} is not as expected", provider=PROVIDER)
        if "serviceusage." in message or "user project" in message:
            return FAULTS.no_entry(f"{what}: the project that pays is missing, or may not be used", "project")
        if status in (401, 403):
            return FAULTS.no_entry(what, CREDENTIALS)
        if status in (400, 413) and name and method == "POST":
            return InvalidObject(f"the server does not take {name!r}: {status}{reason}", provider=PROVIDER)
        return FAULTS.no_answer(what, "bucket" if status == 404 and method != "PUT" else WHERE)


def _said(answer: Answer) -> tuple[str, str]:
    """What an answer says in lower case, and the reason it gives, if that is a word."""
    match answer.json():
        case {"error": {"message": str(message), "errors": [{"reason": str(reason)}, *_]}}:
            return message.lower(), f" {reason}" if _REASON.fullmatch(reason) else ""
        case {"error": {"message": str(message)}}:
            return message.lower(), ""
        case _:
            return answer.body[:1000].decode(errors="replace").lower(), ""


def decoded(answer: Answer, kind: type[_Type]) -> _Type:
    """What an answer tells of. Raises the port's error for anything else."""
    try:
        return msgspec.json.decode(answer.body, type=kind, strict=False)
    except ValueError:
        raise FAULTS.no_answer("what came back is not JSON that makes sense", WHERE) from None


def part_of(answer: Answer) -> tuple[bytes, str, int]:
    """The bytes of a range, the object's generation and its size."""
    if answer.status == _UNSATISFIABLE:  # the object ends before
        return b"", "", 0
    total = answer.headers.get("content-range", "").rpartition("/")[2]
    generation = answer.headers.get("x-goog-generation", "")
    if not total.isdecimal() or not generation:
        raise FAULTS.no_answer("what came back is not the range that was asked for", WHERE)
    return answer.body, generation, int(total)


def condition_for(name: str, if_absent: bool, if_match: str | None) -> dict[str, str]:
    """The parameters of a request for a condition. Raises the port's errors."""
    check_condition(if_absent, if_match)
    if if_absent:
        return {"ifGenerationMatch": "0"}
    if if_match is None:
        return {}
    if not _GENERATION.fullmatch(if_match):
        raise PreconditionFailed(f"{if_match!r} is not the etag of {name!r}", provider=PROVIDER)
    return {"ifGenerationMatch": if_match}


def described(name: str, content_type: str, metadata: Mapping[str, str] | None) -> dict[str, Any]:
    """The object that a put asks for, without its data."""
    return {"name": name, "contentType": content_type, "metadata": dict(metadata or {})}


def multipart(described: Mapping[str, Any], data: bytes) -> tuple[bytes, dict[str, str]]:
    """Both in one body, and its headers."""
    boundary = uuid4().hex
    of_json = "content-type: application/json; charset=UTF-8"
    head = f"--{boundary}\r\n{of_json}\r\n\r\n{msgspec.json.encode(described).decode()}\r\n"
    head += f"--{boundary}\r\ncontent-type: {described['contentType']}\r\n\r\n"
    body = b"".join((head.encode(), data, f"\r\n--{boundary}--\r\n".encode()))
    return body, {"content-type": f"multipart/related; boundary={boundary}"}
