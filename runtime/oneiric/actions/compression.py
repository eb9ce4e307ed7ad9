"""Actions `compression.…`: data made smaller and whole again, and digests."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import partial
from typing import Final, Literal, NotRequired, Protocol, TypeAlias, TypedDict

from oneiric import component
from oneiric.actions import Json
from oneiric.actions._codecs import LEVELS, MAX_OUTPUT, Algorithm, compressed, decompressed
from oneiric.actions._libraries import extra_of, worked
from oneiric.actions._payload import NOT_GIVEN, Fields, canonical, chosen, given, payload_of, settings_of

DigestAlgorithm: TypeAlias = Literal[
    "sha256", "sha512", "blake2b", "blake3", "blake2s", "sha224", "sha384", "sha3_256", "sha3_512", "sha1", "md5"
]
Mode: TypeAlias = Literal["compress", "decompress"]
Encoding: TypeAlias = Literal["hex", "base64"]

_ENCODE: Final = "compression.encode"
_HASH: Final = "compression.hash"
_DIGESTS: tuple[DigestAlgorithm, ...] = (
    "sha256",
    "sha512",
    "blake2b",
    "blake3",
    "blake2s",
    "sha224",
    "sha384",
    "sha3_256",
    "sha3_512",
    "sha1",
    "md5",
)
_ENCODINGS: tuple[Encoding, ...] = ("hex", "base64")
_MODES: tuple[Mode, ...] = ("compress", "decompress")


class Encoded(TypedDict):
    """What was done, and what it came to.

    `mode`: as asked for.
    `algorithm`: the one that was used.
    `data`: in base64: what was compressed, or what was decompressed and is not text.
    `text`: what was decompressed, where it is UTF-8.
    """

    mode: str
    algorithm: str
    data: NotRequired[str]
    text: NotRequired[str]


class Encode(Protocol):
    """Compresses or decompresses.

    `mode`: what to do.
    `algorithm`: the setting by default.
    `text`: a text to compress, as UTF-8.
    `data`: in base64: bytes to compress, in place of `text`, or what to decompress.
    `level`: how hard to try, from the least the algorithm has to the most; the setting by default.
    """

    async def __call__(
        self,
        *,
        mode: Mode = "compress",
        algorithm: Algorithm | None = None,
        text: str | None = None,
        data: str | None = None,
        level: int | None = None,
    ) -> Encoded: ...


def compress(data: bytes, *, algorithm: Algorithm = "zlib", level: int | None = None) -> bytes:
    """The bytes compressed, the same for the same input; `level` is by default 6, or the nearest the algorithm has.

    Raises `InvalidPayload` for an unknown algorithm or level, `ActionMissingExtra` where `brotli` or `zstd` is not
    installed.
    """
    checks = payload_of(_ENCODE)
    algorithm = checks.one_of("algorithm", algorithm, LEVELS)
    return compressed(data, algorithm, _level(checks, algorithm, level, 6))


def decompress(data: bytes, *, algorithm: Algorithm = "zlib", max_output: int = MAX_OUTPUT) -> bytes:
    """What was compressed; of `gzip`, `bz2`, `lzma` and `zstd` also several streams in a row.

    Raises `InvalidPayload` for what is not of the algorithm, not whole, or more than `max_output` bytes;
    `ActionMissingExtra` where `brotli` or `zstd` is not installed.
    """
    checks = payload_of(_ENCODE)
    algorithm = checks.one_of("algorithm", algorithm, LEVELS)
    return decompressed(data, algorithm, max_output)


def encode(
    *,
    mode: Mode = "compress",
    algorithm: Algorithm = "zlib",
    text: str | None = None,
    data: str | None = None,
    level: int | None = None,
    max_output: int = MAX_OUTPUT,
) -> Encoded:
    """As the action `compression.encode`. `compress` and `decompress` do the same to bytes."""
    checks = payload_of(_ENCODE)
    mode = checks.one_of("mode", mode, _MODES)
    if mode == "decompress":
        if text is not None:
            raise checks.wrong("text", "is what is compressed: `data` is what is decompressed")
        raw = decompress(checks.base64("data", data), algorithm=algorithm, max_output=max_output)
        return _as_text(raw, algorithm)
    checks.one(text=given(text), data=given(data))
    raw = checks.base64("data", data) if text is None else checks.text("text", text).encode()
    small = compress(raw, algorithm=algorithm, level=level)
    return {"mode": mode, "algorithm": algorithm, "data": b64encode(small).decode()}


def _as_text(raw: bytes, algorithm: str) -> Encoded:
    try:
        return {"mode": "decompress", "algorithm": algorithm, "text": raw.decode()}
    except UnicodeDecodeError:
        return {"mode": "decompress", "algorithm": algorithm, "data": b64encode(raw).decode()}


def _level(checks: Fields, algorithm: Algorithm, level: int | None, setting: int) -> int:
    """A level that the algorithm has: the one asked for, else the nearest to that of the settings."""
    least, most = LEVELS[algorithm]
    return min(max(setting, least), most) if level is None else checks.integer("level", level, least, most)


def _characters(*fields: object) -> int:
    """How long those of them are that are texts."""
    return sum(len(each) for each in fields if isinstance(each, str))


@component(
    "action",
    "compression.encode",
    provider="builtin-compression",
    priority=0,
    stack_level=-10,
    capabilities=("compress", "decompress"),
    port="oneiric.actions.compression:Encode",
)
class Compression:
    """Compresses and decompresses.

    Needs the extra `action-compression` for `brotli`, and for `zstd` before Python 3.14.

    `algorithm`: what is used where a payload names none.
    `level`: how hard to try where a payload does not say, or the nearest to it that the algorithm has.
    `max_output`: bytes that one payload may decompress to; what would be more is refused while it is read.
    """

    def __init__(self, *, algorithm: Algorithm = "zlib", level: int = 6, max_output: int = 67_108_864) -> None:
        checks = settings_of(_ENCODE, "builtin-compression")
        algorithm = checks.one_of("algorithm", algorithm, LEVELS)
        self._level = checks.integer("level", level, *LEVELS[algorithm])
        self._max_output = checks.integer("max_output", max_output, 1, 2**40)
        self._algorithm: Algorithm = algorithm

    def start(self) -> None:
        """See that the library of the settings' algorithm is there."""
        compressed(b"", self._algorithm, self._level)

    async def __call__(
        self,
        *,
        mode: Mode = "compress",
        algorithm: Algorithm | None = None,
        text: str | None = None,
        data: str | None = None,
        level: int | None = None,
    ) -> Encoded:
        checks = payload_of(_ENCODE)
        used = checks.one_of("algorithm", chosen(algorithm, self._algorithm), LEVELS)
        work = partial(
            encode,
            mode=mode,
            algorithm=used,
            text=text,
            data=data,
            level=_level(checks, used, level, self._level),
            max_output=self._max_output,
        )
        return await worked(self._cost(mode, text, data), work)

    def _cost(self, mode: object, text: object, data: object) -> int:
        """Bytes that are worked on: of what is decompressed nobody knows before."""
        size = _characters(text, data)
        return size * 64 if mode == "decompress" else size


class Digest(TypedDict):
    """A digest, and how it was made.

    `status`: `hashed`.
    `algorithm`: the one that was used.
    `encoding`: that of `digest`.
    `digest`: in that encoding.
    `salted`: whether a salt went before what is digested.
    """

    status: Literal["hashed"]
    algorithm: str
    encoding: str
    digest: str
    salted: bool


class Hash(Protocol):
    """Gives the digest of a value.

    A text is digested as its UTF-8; any other value as JSON with sorted names, no spaces and non-ASCII as `\\uXXXX`.

    `value`: what is digested; null is a value.
    `text`: the same of a text.
    `data`: the same of any value.
    `algorithm`: the setting by default.
    `encoding`: of the digest; the setting by default.
    `salt`: what goes before it, as a value does; the setting by default. An empty text is no salt.
    """

    async def __call__(
        self,
        *,
        value: Json = NOT_GIVEN,
        text: str | None = None,
        data: Json = NOT_GIVEN,
        algorithm: DigestAlgorithm | None = None,
        encoding: Encoding | None = None,
        salt: Json = None,
    ) -> Digest: ...


def digest(
    *,
    value: Json = NOT_GIVEN,
    text: str | None = None,
    data: Json = NOT_GIVEN,
    algorithm: DigestAlgorithm = "sha256",
    encoding: Encoding = "hex",
    salt: Json = None,
) -> Digest:
    """As the action `compression.hash`.

    Raises `InvalidPayload`; `ActionMissingExtra` where `blake3` is not installed.
    """
    checks = payload_of(_HASH)
    algorithm = checks.one_of("algorithm", algorithm, _DIGESTS)
    encoding = checks.one_of("encoding", encoding, _ENCODINGS)
    name = checks.one(value=value, text=given(text), data=data)
    content = checks.text("text", text) if name == "text" else checks.json(name, value if name == "value" else data)
    before = b"" if salt is None else canonical(checks.json("salt", salt))
    raw = _digest(algorithm, before + canonical(content))
    shown = raw.hex() if encoding == "hex" else b64encode(raw).decode()
    return {"status": "hashed", "algorithm": algorithm, "encoding": encoding, "digest": shown, "salted": bool(before)}


def _digest(algorithm: DigestAlgorithm, content: bytes) -> bytes:
    if algorithm == "blake3":
        with extra_of(_HASH, "action-compression"):
            from blake3 import blake3
        return blake3(content).digest()
    return hashlib.new(algorithm, content, usedforsecurity=False).digest()


@component(
    "action",
    "compression.hash",
    provider="builtin-hash",
    priority=0,
    stack_level=-10,
    capabilities=("hash", "checksum"),
    port="oneiric.actions.compression:Hash",
)
class Hashing:
    """Digests of values.

    Needs the extra `action-compression` for `blake3`.

    `algorithm`: what is used where a payload names none.
    `encoding`: that of the digest where a payload names none.
    `salt`: what goes before each value whose payload brings none.
    """

    def __init__(
        self, *, algorithm: DigestAlgorithm = "sha256", encoding: Encoding = "hex", salt: str | None = None
    ) -> None:
        checks = settings_of(_HASH, "builtin-hash")
        self._algorithm: DigestAlgorithm = checks.one_of("algorithm", algorithm, _DIGESTS)
        self._encoding: Encoding = checks.one_of("encoding", encoding, _ENCODINGS)
        self._salt = salt

    def start(self) -> None:
        """See that the library of the settings' algorithm is there."""
        _digest(self._algorithm, b"")

    async def __call__(
        self,
        *,
        value: Json = NOT_GIVEN,
        text: str | None = None,
        data: Json = NOT_GIVEN,
        algorithm: DigestAlgorithm | None = None,
        encoding: Encoding | None = None,
        salt: Json = None,
    ) -> Digest:
        work = partial(
            digest,
            value=value,
            text=text,
            data=data,
            algorithm=chosen(algorithm, self._algorithm),
            encoding=chosen(encoding, self._encoding),
            salt=chosen(salt, self._salt),
        )
        return await worked(_characters(value, text, data), work)
