"""Algorithms that compress, each with a limit on what it may decompress to."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, Literal, Protocol, TypeAlias

from oneiric.actions._libraries import extra_of
from oneiric.actions._payload import payload_of
from oneiric.errors import ActionError

Algorithm: TypeAlias = Literal["zlib", "gzip", "bz2", "lzma", "brotli", "zstd"]

LEVELS: Final[dict[Algorithm, tuple[int, int]]] = {
    "zlib": (0, 9),
    "gzip": (0, 9),
    "bz2": (1, 9),
    "lzma": (0, 9),
    "brotli": (0, 11),
    "zstd": (1, 19),
}
"""The least and the most that each can be told to try."""
MAX_OUTPUT: Final = 64 * 1024 * 1024
"""Bytes that data may decompress to, where nothing else is said."""

_KEY = "compression.encode"
_EXTRA = "action-compression"
_GZIP = 16 + zlib.MAX_WBITS
_LZMA_MEMORY = 128 * 1024 * 1024  # twice what the highest preset wants; a header may want 4 GiB
_ZSTD_WINDOW = 27  # 128 MiB, what the reference decoder allows; a header may want 2 GiB


def compressed(data: bytes, algorithm: Algorithm, level: int) -> bytes:
    """The bytes compressed; the same bytes for the same input and release of the library."""
    if algorithm == "brotli":
        return bytes(_brotli_module().compress(data, quality=level))
    if algorithm == "zstd":
        with extra_of(_KEY, _EXTRA):
            from oneiric.actions._zstd import zstd
        return zstd.compress(data, level)
    if algorithm == "bz2":
        return bz2.compress(data, level)
    if algorithm == "lzma":
        return lzma.compress(data, preset=level)
    return zlib.compress(data, level, _GZIP if algorithm == "gzip" else zlib.MAX_WBITS)


def decompressed(data: bytes, algorithm: Algorithm, most: int) -> bytes:
    """The bytes that were compressed. Raises `InvalidPayload` once they are more than `most`, or make no sense."""
    if algorithm == "brotli":
        return _brotli(data, most)
    begin, errors = _STREAMS[algorithm]()
    try:
        return _streams(data, algorithm, begin, most)
    except errors:
        raise _wrong(f"is not {algorithm} data") from None


class _Decompressor(Protocol):
    """What decompressors of the standard library have in common; zlib's keeps what it did not come to by itself."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


_Begin: TypeAlias = Callable[[], _Decompressor]
_Errors: TypeAlias = tuple[type[Exception], ...]


def _streams(data: bytes, algorithm: str, begin: _Begin, most: int) -> bytes:
    """One stream after the other until nothing is left, as files of these formats may be put together."""
    parts: list[bytes] = []
    left = most + 1  # one more than may be says that there is more
    while True:
        decompressor = begin()
        while not decompressor.eof:
            part = decompressor.decompress(data, left)
            data = getattr(decompressor, "unconsumed_tail", b"")
            parts.append(part)
            left -= len(part)
            if left <= 0:
                raise _too_much(most)
            if not part and not data and not decompressor.eof:
                raise _wrong(f"ends before its {algorithm} data does")
        data = decompressor.unused_data
        if not data:
            return b"".join(parts)
        if algorithm == "zlib":
            raise _wrong("goes on after its zlib data")


def _brotli(data: bytes, most: int) -> bytes:
    brotli = _brotli_module()
    decompressor = brotli.Decompressor()
    parts: list[bytes] = []
    size = 0
    try:
        while not decompressor.is_finished():
            part = decompressor.process(data, output_buffer_limit=most + 1 - size)
            data = b""
            parts.append(part)
            size += len(part)
            if size > most:
                raise _too_much(most)
            if not part and decompressor.can_accept_more_data() and not decompressor.is_finished():
                raise _wrong("ends before its brotli data does")
    except brotli.error:
        raise _wrong("is not brotli data") from None
    return b"".join(parts)


def _brotli_module() -> Any:
    with extra_of(_KEY, _EXTRA):
        return import_module("brotli")  # which has no types


def _zlib_streams(bits: int) -> tuple[_Begin, _Errors]:
    return lambda: zlib.decompressobj(bits), (zlib.error,)


def _zstd_streams() -> tuple[_Begin, _Errors]:
    with extra_of(_KEY, _EXTRA):
        from oneiric.actions._zstd import zstd
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW}
    return lambda: zstd.ZstdDecompressor(options=options), (zstd.ZstdError,)


_STREAMS: dict[str, Callable[[], tuple[_Begin, _Errors]]] = {
    "zlib": lambda: _zlib_streams(zlib.MAX_WBITS),
    "gzip": lambda: _zlib_streams(_GZIP),
    "bz2": lambda: (bz2.BZ2Decompressor, (OSError,)),
    "lzma": lambda: (lambda: lzma.LZMADecompressor(memlimit=_LZMA_MEMORY), (lzma.LZMAError,)),
    "zstd": _zstd_streams,
}


def _too_much(most: int) -> ActionError:
    return _wrong(f"decompresses to more than {most} bytes")


def _wrong(reason: str) -> ActionError:
    return payload_of(_KEY).wrong("data", reason)
