"""The port `storage`: whole objects under names, for ever."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from oneiric.errors import AdapterError, Closed, Misconfigured, Refused, Unavailable
from oneiric.secret import Secret

MAX_NAME = 1024
"""Bytes of a name in UTF-8, at most."""
MAX_METADATA = 2048
"""Bytes of all keys and values of an object's metadata in UTF-8, at most."""
STABLE = 1024 * 1024
"""Bytes at the start of an object that every storage streams of one version, whatever happens to it."""
MAX_LASTS = 7 * 86400.0
"""Seconds a link lasts, at most: what S3 and Google allow."""
DEFAULT_CONTENT_TYPE = "application/octet-stream"


class StorageError(AdapterError):
    """Anything a storage raises."""

    key = "storage"


class StorageClosed(StorageError, Closed):
    """The storage was closed, or not started yet."""


class StorageUnavailable(StorageError, Unavailable):
    """The place the objects are kept does not answer, or not in time, cannot be read or written, or is full.

    A change that was under way may have happened or not.
    """


class StorageRefused(StorageError, Refused):
    """The server turns this component away: its credentials, its certificate or what it may do."""


class StorageMisconfigured(StorageError, Misconfigured, ValueError):
    """Settings that are malformed or contradict each other; `setting` is one of them."""


class ObjectNotFound(StorageError):
    """There is no object of this `name`."""

    def __init__(self, name: str, *, provider: str | None = None) -> None:
        self.name = name
        super().__init__(f"there is no object {name!r}", provider=provider)


class ObjectDamaged(StorageError):
    """What is kept under this `name` is not what was put."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"the object {name!r} is damaged")


class ObjectReplaced(StorageError):
    """The object of this `name` was replaced or deleted while it was read; what came so far is of one version."""

    def __init__(self, name: str, *, provider: str | None = None) -> None:
        self.name = name
        super().__init__(f"the object {name!r} was replaced or deleted while it was read", provider=provider)


class PreconditionFailed(StorageError):
    """A conditional `put` found another state than the caller expects; nothing was written."""


class InvalidObject(StorageError):
    """A name, data, content type, metadata or condition of a wrong type or outside the limits of the port."""


class StorageUnsupported(StorageError):
    """This provider lacks the `capability` that the call takes: settings choose one that has it by `requires`."""

    def __init__(self, capability: str, *, provider: str | None = None) -> None:
        self.capability = capability
        what = (
            f"it lacks the capability `{capability}`: `requires: {{storage: [{capability}]}}` selects one that has it"
        )
        super().__init__(what, provider=provider)


@dataclass(frozen=True, slots=True)
class Stored:
    """What a put made. `size` is in bytes; `etag` is opaque, and another when the data is. Equal data may share it."""

    name: str
    size: int
    etag: str


@dataclass(frozen=True, slots=True)
class Listed(Stored):
    """What a listing tells of an object; `stat` tells the rest."""

    modified: datetime


@dataclass(frozen=True, slots=True)
class Entry(Listed):
    """All that is known of an object."""

    content_type: str
    metadata: Mapping[str, str]


class Storage(Protocol):
    """Keeps objects: bytes, content type and metadata, read and written whole and together.

    Names are 1 to `MAX_NAME` bytes of UTF-8: parts separated by `/`, none of them empty, `.` or `..`, no
    control characters, no backslash. There are no folders: `a` and `a/b` may both be objects, and `A` is
    another than `a`. A put that returned has happened, whatever crashes later; one that did not return has
    happened whole or not. A cancelled put first waits until it is over.
    """

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
        """Keep an object, in place of the one there was.

        With `if_absent` only if there is none, with `if_match` only if there is one of that etag: otherwise
        `PreconditionFailed`. Of several writers at once exactly one meets a condition; those that put what is
        there already may meet `if_match` as well. Metadata keys are lower-case identifiers, values printable
        text, together at most `MAX_METADATA` bytes.
        """
        ...

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
        """The same for data that comes in pieces and need not fit into memory: capability `large`.

        The object appears when `data` is over. An error of `data` comes through, and nothing is kept.
        """
        ...

    async def get(self, name: str) -> bytes:
        """The data. Raises `ObjectNotFound`, and `ObjectReplaced` if a large object never stays as it is."""
        ...

    def stream(
        self, name: str, *, start: int = 0, stop: int | None = None, chunk_size: int = 65536
    ) -> AsyncIterator[bytes]:
        """The data, or its bytes from `start` until before `stop`, in pieces of at most `chunk_size` bytes.

        All are of one version. A range beyond the end has what there is of it, as a slice has.
        The first piece raises what `get` raises. If the object is replaced or deleted meanwhile, the old version
        goes on where the storage has the capability `stable-stream`; elsewhere that is so for the first
        `STABLE` bytes that are read, and a piece after them raises `ObjectReplaced`.
        """
        ...

    async def stat(self, name: str) -> Entry:
        """What is known of an object, without its data. Raises `ObjectNotFound`."""
        ...

    async def delete(self, name: str) -> bool:
        """Remove an object; whether there was one."""
        ...

    async def link(self, name: str, *, method: Literal["GET", "PUT"] = "GET", lasts: float = 900.0) -> Secret:
        """A URL by which whoever has it reads this object, or puts one, for so many seconds: capability `link`.

        Nothing is asked of the server, so there need be no such object.
        """
        ...

    def list(self, prefix: str = "") -> AsyncIterator[Listed]:
        """The objects whose names start with `prefix`, in the order of their names.

        A prefix is any text: `a/b` finds `a/bc`. Objects put or deleted meanwhile may be missing or not; all
        others are there, once.
        """
        ...


_PART = re.compile(r"[^/\\\x00-\x1f\x7f-\x9f]+")
_METADATA_KEY = re.compile(r"[a-z][a-z0-9_]*")
_CONTENT_TYPE = re.compile(r"[!-.0-:<-~]++/[!-:<-~]++(?: *+;[ -~]*+)?")


def check_name(name: str) -> None:
    """Raise `InvalidObject` unless `name` can name an object. For providers, like `check_object`."""
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidObject(f"a name is text, not {type(name).__name__}")
    if not 1 <= _size(name) <= MAX_NAME:
        raise InvalidObject(f"a name has 1 to {MAX_NAME} bytes of UTF-8, this one has {_size(name)}")
    for part in name.split("/"):
        if part in ("", ".", "..") or not _PART.fullmatch(part):
            raise InvalidObject(f"{name!r} is not a valid name: the part {part!r} is not allowed")


def check_data(data: bytes) -> None:
    """Raise `InvalidObject` unless this can be an object's data, or a piece of it."""
    if not isinstance(data, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidObject(f"data is bytes, not {type(data).__name__}")


def check_object(data: bytes, content_type: str, metadata: Mapping[str, str]) -> None:
    """Raise `InvalidObject` unless these can be an object."""
    check_data(data)
    check_described(content_type, metadata)


def check_described(content_type: str, metadata: Mapping[str, str]) -> None:
    """Raise `InvalidObject` unless these can describe an object."""
    if len(content_type) > 255 or not _CONTENT_TYPE.fullmatch(content_type):
        raise InvalidObject(f"{content_type!r} is not a content type")
    for key, value in metadata.items():
        if not _METADATA_KEY.fullmatch(key):
            raise InvalidObject(f"{key!r} is not a metadata key: a lower-case identifier is expected")
        if not value.isprintable():
            raise InvalidObject(f"the metadata {key!r} is not printable text")
    if sum(_size(key) + _size(value) for key, value in metadata.items()) > MAX_METADATA:
        raise InvalidObject(f"metadata has at most {MAX_METADATA} bytes of UTF-8")


def check_condition(if_absent: bool, if_match: str | None) -> None:
    """Raise `InvalidObject` for two conditions that exclude each other."""
    if if_absent and if_match is not None:
        raise InvalidObject("if_absent and if_match exclude each other")


def check_range(start: int, stop: int | None, chunk_size: int) -> None:
    """Raise `InvalidObject` unless `stream` can read this."""
    if start < 0 or (stop is not None and stop < start):
        raise InvalidObject(f"a range is 0 <= start <= stop, not {start} to {stop}")
    if chunk_size < 1:
        raise InvalidObject("chunk_size is at least 1")


def check_link(name: str, method: str, lasts: float) -> None:
    """Raise `InvalidObject` unless `link` can be made."""
    check_name(name)
    if method not in ("GET", "PUT"):
        raise InvalidObject(f"a link is for GET or PUT, not {method!r}")
    if not 1 <= lasts <= MAX_LASTS:
        raise InvalidObject(f"a link lasts 1 to {MAX_LASTS:.0f} seconds, not {lasts!r}")


def _size(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise InvalidObject("text that UTF-8 can encode is expected; this has a lone surrogate") from None
