"""What carries an event, CloudEvents 1.0 in its JSON format, and what became of it.

The rules are those of the specification and of its JSON event format (cloudevents/spec, v1.0.2): attributes are lower
case, extensions stand beside them, `data` is any JSON value.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias, cast

import msgspec

from oneiric.errors import OneiricError

CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"
"""The media type of what `encoded` gives."""
State: TypeAlias = Literal["completed", "failed", "submitted", "known", "stored"]
_OWN = ("specversion", "id", "source", "type", "time", "subject", "datacontenttype", "dataschema", "tenant")
_NAME = re.compile(r"[a-z0-9]+")
_NOT_URI = re.compile(r"[\s\x00-\x1f\x7f<>\"{}|\\^`]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_JSON = re.compile(r"(?i)[^/]+/(?:[^;]+\+)?json\s*(?:;.*)?")


class EnvelopeError(OneiricError, ValueError):
    """What is not an event by CloudEvents; `attribute` is what of it is wrong, None for the whole."""

    def __init__(self, what: str, attribute: str | None = None) -> None:
        self.attribute = attribute
        super().__init__(what if attribute is None else f"`{attribute}` {what}")


class EventError(OneiricError):
    """An event cannot be emitted, or not be delivered to a handler."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """One event, with what tells it from every other: `id` is unique within `source`.

    `type` is the topic; `time` when it happened; `subject` what it is about; `tenant` whose it is, None for the base.
    `extensions` are further attributes. `data` is JSON: what a topic's type is read from.
    """

    id: str
    source: str
    type: str
    time: datetime | None = None
    subject: str | None = None
    datacontenttype: str | None = "application/json"
    dataschema: str | None = None
    tenant: str | None = None
    extensions: dict[str, str | int | bool] = {}
    data: Any = None


def checked(envelope: Envelope) -> Envelope:
    """The same envelope. Raises `EnvelopeError` where an attribute is not what CloudEvents allows."""
    for name in ("id", "source", "type"):
        _check_text(name, getattr(envelope, name))
    for name in ("subject", "datacontenttype", "dataschema", "tenant"):
        if getattr(envelope, name) is not None:
            _check_text(name, getattr(envelope, name))
    for name in ("source", "dataschema"):
        if _NOT_URI.search(getattr(envelope, name) or ""):
            raise EnvelopeError("is not a URI reference", name)
    if envelope.time is not None and envelope.time.tzinfo is None:
        raise EnvelopeError("has no time zone", "time")
    for name, value in envelope.extensions.items():
        _check_extension(name, value)
    return envelope


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise EnvelopeError("is a text that is not empty", name)
    if _CONTROL.search(value):
        raise EnvelopeError("has control characters", name)
    if not value.isascii() and _SURROGATE.search(value):
        raise EnvelopeError("has a lone surrogate", name)


def _check_extension(name: str, value: object) -> None:
    if not _NAME.fullmatch(name) or name in _OWN or name in ("data", "database64"):
        raise EnvelopeError("is not a valid name of an extension: lower-case letters and digits are", name)
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        if not -(2**31) <= value < 2**31:
            raise EnvelopeError("is outside the signed 32-bit range", name)
        return
    if not isinstance(value, str):
        raise EnvelopeError("is a text, an integer or a boolean", name)
    if value:
        _check_text(name, value)


def written(envelope: Envelope) -> dict[str, Any]:
    """The event as a JSON object, as its JSON format has it."""
    attributes: dict[str, Any] = {"specversion": "1.0"}
    for name in _OWN[1:]:
        value = getattr(envelope, name)
        if value is not None:
            attributes[name] = instant(value) if isinstance(value, datetime) else value
    return {**attributes, **envelope.extensions, "data": envelope.data}


def encoded(envelope: Envelope) -> bytes:
    """The event in the JSON format. Raises `EnvelopeError` where it is none."""
    try:
        return msgspec.json.encode(written(checked(envelope)))
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(error, EnvelopeError):
            raise
        raise EnvelopeError(f"is not JSON: {error}", "data") from None


def decoded(document: bytes | str) -> Envelope:
    """The event that a JSON document is. Raises `EnvelopeError`."""
    try:
        found = msgspec.json.decode(document)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise EnvelopeError(f"the document is not JSON: {error}") from None
    return read(found)


def read(found: object) -> Envelope:
    """The event that a JSON object is. Raises `EnvelopeError`."""
    if not isinstance(found, Mapping):
        raise EnvelopeError("the document is not a JSON object")
    members = cast("Mapping[str, Any]", found)
    attributes = {name: value for name, value in members.items() if value is not None}
    if (version := attributes.pop("specversion", None)) != "1.0":
        raise EnvelopeError("is missing" if version is None else "is not 1.0", "specversion")
    for name in ("id", "source", "type"):
        if name not in attributes:
            raise EnvelopeError("is missing", name)
    data = _data(attributes)
    own = {name: attributes.pop(name) for name in _OWN if name in attributes}
    if "time" in own:
        own["time"] = _time(own["time"])
    own.setdefault("datacontenttype", None)
    return checked(Envelope(**own, extensions=attributes, data=data))


def _data(attributes: dict[str, Any]) -> Any:
    data, encoded_data = attributes.pop("data", None), attributes.pop("data_base64", None)
    if encoded_data is None:
        return data
    if data is not None:
        raise EnvelopeError("stands beside `data`", "data_base64")
    kind = attributes.get("datacontenttype", "application/json")
    if not isinstance(kind, str) or not _JSON.fullmatch(kind):
        raise EnvelopeError("is not JSON by `datacontenttype`: topics carry JSON", "data_base64")
    try:
        return msgspec.json.decode(b64decode(encoded_data, validate=True))
    except (msgspec.DecodeError, UnicodeError, ValueError, TypeError, RecursionError):
        raise EnvelopeError("is not JSON in base64", "data_base64") from None


def _time(text: object) -> datetime:
    try:
        found = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        found = None
    if found is None or found.tzinfo is None or isinstance(text, datetime):
        raise EnvelopeError("is not an RFC 3339 timestamp", "time")
    return found


def instant(when: datetime) -> str:
    """An instant in RFC 3339, in UTC: `2026-10-25T00:30:00Z`."""
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a delivery came to: directly `completed` or `failed`; durably `submitted`, or `known` where the same event
    was submitted before; `stored` where it follows the commit of a transaction.

    `duration` is in seconds, `attempts` are calls, `error` is class and text, `run` the id of a durable one.
    """

    handler: str
    state: State
    duration: float = 0.0
    value: Any = None
    error: str | None = None
    attempts: int = 0
    run: str | None = None

    @property
    def success(self) -> bool:
        """Whether it did not fail."""
        return self.state != "failed"


@dataclass(frozen=True, slots=True)
class Emitted:
    """What became of an event: an answer per handler, by priority; none where nobody listens."""

    id: str
    source: str
    topic: str
    time: datetime
    tenant: str | None = None
    handlers: Sequence[Delivered] = ()

    @property
    def failed(self) -> tuple[Delivered, ...]:
        """The answers of those that failed for good."""
        return tuple(each for each in self.handlers if not each.success)
