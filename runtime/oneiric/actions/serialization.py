"""The action `serialization.encode`: values of JSON as texts and bytes, and back."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, Literal, NotRequired, Protocol, TypeAlias, TypedDict, overload

from oneiric import component
from oneiric.actions import Json
from oneiric.actions._folder import Folder
from oneiric.actions._formats import (
    KEY,
    from_json,
    from_msgpack,
    from_toml,
    from_yaml,
    json_text,
    msgpack_bytes,
    yaml_text,
)
from oneiric.actions._libraries import worked
from oneiric.actions._payload import NOT_GIVEN, Fields, chosen, given, payload_of, settings_of

Mode: TypeAlias = Literal["encode", "decode"]
Format: TypeAlias = Literal["json", "yaml", "toml", "msgpack"]
TextFormat: TypeAlias = Literal["json", "yaml"]

_FORMATS: tuple[Format, ...] = ("json", "yaml", "toml", "msgpack")
_MODES: tuple[Mode, ...] = ("encode", "decode")
_COST: dict[Format, int] = {"json": 1, "msgpack": 1, "toml": 30, "yaml": 50}  # how much longer than JSON it takes
_PICKLE: Final = (
    "is one of json, yaml, toml, msgpack: pickle runs what its writer wants, and is neither read nor written"
)


class Serialized(TypedDict):
    """What was done, and what it came to.

    `status`: `encoded` or `decoded`.
    `format`: the one that was used.
    `text`: what was encoded as `json` or `yaml`.
    `encoding`: `base64`, where `data` is what was encoded as `msgpack`.
    `data`: what was decoded, or what was encoded as `msgpack`.
    """

    status: str
    format: str
    text: NotRequired[str]
    encoding: NotRequired[str]
    data: NotRequired[Json]


class Serialize(Protocol):
    """Makes a text or bytes of a value, or a value of them.

    `mode`: what to do.
    `format`: the setting by default. `toml` is decoded alone.
    `value`: what is encoded; null is a value. To decode it is the same as `text`.
    `data`: what is encoded, in place of `value`; what is decoded: a text, of `msgpack` in base64.
    `text`: what is decoded.
    `path`: of a file, within the `folder` of the settings: what is encoded is written there as well, what is decoded
    is read from there.
    `sort_keys`: whether mappings are encoded with sorted names; the setting by default.
    `ensure_ascii`: whether texts are encoded with nothing but ASCII; the setting by default.
    """

    async def __call__(
        self,
        *,
        mode: Mode = "encode",
        format: Format | None = None,
        value: Json = NOT_GIVEN,
        data: Json = NOT_GIVEN,
        text: str | None = None,
        path: str | None = None,
        sort_keys: bool | None = None,
        ensure_ascii: bool | None = None,
    ) -> Serialized: ...


@overload
def encode(value: Json, *, format: TextFormat = "json", sort_keys: bool = False, ensure_ascii: bool = False) -> str: ...
@overload
def encode(
    value: Json, *, format: Literal["msgpack"], sort_keys: bool = False, ensure_ascii: bool = False
) -> bytes: ...
def encode(value: Json, *, format: Format = "json", sort_keys: bool = False, ensure_ascii: bool = False) -> str | bytes:
    """A value of JSON as a text, or as bytes of `msgpack`.

    Raises `InvalidPayload` for what JSON has not, `ActionMissingExtra` where the library of `yaml` is not installed.
    """
    return _encoded(payload_of(KEY), "value", value, format, sort_keys, ensure_ascii)


def decode(source: str | bytes, *, format: Format = "json") -> Json:
    """The value of JSON that a text holds, or bytes of UTF-8 or `msgpack`.

    Raises `InvalidPayload` for what is not of the format, and for what JSON has not: numbers that are not finite, names
    that are not texts, more than one document. Dates of TOML are texts by ISO 8601.
    """
    return _decoded(payload_of(KEY), "data", source, format)


def _encoded(
    checks: Fields, field: str, value: Json, format: Format, sort_keys: bool, ensure_ascii: bool
) -> str | bytes:
    format = _format(checks, "format", format)
    value = checks.json(field, value)
    if format == "msgpack":
        return msgpack_bytes(value, checks, field, sort_keys=sort_keys)
    if format == "toml":
        raise checks.wrong("format", "is toml, which is decoded alone")
    write = json_text if format == "json" else yaml_text
    return write(value, sort_keys=sort_keys, ensure_ascii=ensure_ascii)


_READERS: dict[str, Callable[[str, Fields, str], Json]] = {"json": from_json, "yaml": from_yaml, "toml": from_toml}


def _decoded(checks: Fields, field: str, source: str | bytes, format: Format) -> Json:
    format = _format(checks, "format", format)
    if format == "msgpack":
        raw = source if isinstance(source, bytes) else checks.base64(field, source)
        return checks.json(field, from_msgpack(raw, checks, field))
    if isinstance(source, bytes):
        try:
            source = source.decode()
        except UnicodeDecodeError:
            raise checks.wrong(field, "is not UTF-8") from None
    return checks.json(field, _READERS[format](checks.text(field, source), checks, field))


def _format(checks: Fields, field: str, format: object) -> Format:
    if isinstance(format, str) and format.lower() == "pickle":
        raise checks.wrong(field, _PICKLE)
    return checks.one_of(field, format, _FORMATS)


@component(
    "action",
    "serialization.encode",
    provider="builtin-serialization",
    priority=0,
    stack_level=-10,
    capabilities=("encode", "decode", "serialize"),
    port="oneiric.actions.serialization:Serialize",
)
class Serialization:
    """Reads and writes texts and bytes that hold values of JSON.

    Needs the extra `action-serialization` for `yaml`.

    `default_format`: what is used where a payload names none.
    `sort_keys`: whether mappings are encoded with sorted names.
    `ensure_ascii`: whether texts are encoded with nothing but ASCII.
    `folder`: where payloads may have files read and written by `path`; without it there are no paths.
    `max_file`: bytes of a file that is read, at most.
    """

    def __init__(
        self,
        *,
        default_format: Format = "json",
        sort_keys: bool = False,
        ensure_ascii: bool = False,
        folder: Path | None = None,
        max_file: int = 67_108_864,
    ) -> None:
        checks = settings_of(KEY, "builtin-serialization")
        self._format = _format(checks, "default_format", default_format)
        self._sort_keys = sort_keys
        self._ensure_ascii = ensure_ascii
        self._max_file = checks.integer("max_file", max_file, 1, 2**40)
        self._folder = None if folder is None else Folder(folder, KEY, payload_of(KEY))

    def start(self) -> None:
        """See that the library of the settings' format is there."""
        if self._format == "yaml":
            encode(None, format="yaml")

    async def __call__(
        self,
        *,
        mode: Mode = "encode",
        format: Format | None = None,
        value: Json = NOT_GIVEN,
        data: Json = NOT_GIVEN,
        text: str | None = None,
        path: str | None = None,
        sort_keys: bool | None = None,
        ensure_ascii: bool | None = None,
    ) -> Serialized:
        checks = payload_of(KEY)
        used = _format(checks, "format", chosen(format, self._format))
        if path is not None and self._folder is None:
            raise checks.wrong("path", "is given, and the settings have no `folder`")
        if path is not None:
            path = checks.text("path", path)
        if checks.one_of("mode", mode, _MODES) == "decode":
            return await self._decode(checks, used, path, value=value, data=data, text=text)
        if text is not None:
            raise checks.wrong("text", "is what is decoded: `value` is what is encoded")
        field = checks.one(value=value, data=data)
        encoded = _encoded(
            checks,
            field,
            value if field == "value" else data,
            used,
            checks.boolean("sort_keys", chosen(sort_keys, self._sort_keys)),
            checks.boolean("ensure_ascii", chosen(ensure_ascii, self._ensure_ascii)),
        )
        raw = encoded.encode() if isinstance(encoded, str) else encoded
        if path is not None and self._folder is not None:
            await asyncio.to_thread(self._folder.write, path, raw)
        if isinstance(encoded, str):
            return {"status": "encoded", "format": used, "text": encoded}
        return {"status": "encoded", "format": used, "encoding": "base64", "data": b64encode(raw).decode()}

    async def _decode(self, checks: Fields, format: Format, path: str | None, **sources: Json) -> Serialized:
        """`sources` are the fields that may hold what is decoded, in place of a file."""
        sources = {name: given(source) for name, source in sources.items()}
        field = checks.one(**sources, path=given(path))
        if path is not None and self._folder is not None:
            source: str | bytes = await asyncio.to_thread(self._folder.read, path, self._max_file)
        else:
            source = checks.text(field, sources[field])
        work = partial(_decoded, checks, field, source, format)
        return {"status": "decoded", "format": format, "data": await worked(len(source) * _COST[format], work)}
