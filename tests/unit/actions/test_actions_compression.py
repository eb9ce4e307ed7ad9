"""compression.encode and compression.hash: as functions and as components, on what nobody should send."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import hashlib
import json
import lzma
import math
import sys
import zlib
from base64 import b64decode, b64encode
from contextlib import AbstractAsyncContextManager
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.actions import ActionMisconfigured, ActionMissingExtra, InvalidPayload
from oneiric.actions._codecs import LEVELS, Algorithm
from oneiric.actions._payload import MAX_DEPTH
from oneiric.actions.compression import (
    Compression,
    DigestAlgorithm,
    Hashing,
    compress,
    decompress,
    digest,
    encode,
)
from oneiric.testing.contracts import ActionContract, started

from tests.unit.actions.payloads import HOSTILE, JSON, refused

ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)


class TestCompression(ActionContract):
    pure = True

    def fresh(self) -> AbstractAsyncContextManager[Any]:
        return started(Compression(algorithm="gzip", level=9))

    def payloads(self) -> list[dict[str, Any]]:
        small = encode(text="hello", algorithm="zstd")["data"]
        return [
            {"text": "hello"},
            {"text": "x" * 1_000_000, "algorithm": "brotli", "level": 1},
            {"mode": "decompress", "data": small, "algorithm": "zstd"},
        ]

    def refused(self) -> list[dict[str, Any]]:
        return [{}, {"text": "a", "data": "YQ=="}, {"mode": "decompress", "data": "YQ=="}, {"text": 1}, {"mode": "no"}]


class TestHashing(ActionContract):
    pure = True

    def fresh(self) -> AbstractAsyncContextManager[Any]:
        return started(Hashing(salt="pepper"))

    def payloads(self) -> list[dict[str, Any]]:
        return [{"text": ""}, {"value": None}, {"data": {"b": [1], "a": 0}, "algorithm": "blake3", "salt": 0}]

    def refused(self) -> list[dict[str, Any]]:
        return [{}, {"value": math.nan}, {"value": "\ud800"}, {"text": 1}, {"text": "", "value": ""}]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(data=st.binary(max_size=3000), times=st.integers(1, 40))
def test_what_is_compressed_comes_back(algorithm: Algorithm, data: bytes, times: int) -> None:
    whole = data * times
    small = compress(whole, algorithm=algorithm)
    assert compress(whole, algorithm=algorithm) == small
    assert decompress(small, algorithm=algorithm, max_output=max(len(whole), 1)) == whole
    packed = encode(data=b64encode(whole).decode(), algorithm=algorithm)
    back = encode(mode="decompress", data=packed["data"], algorithm=algorithm)
    assert (back["text"].encode() if "text" in back else b64decode(back["data"])) == whole


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(text=st.text())
def test_a_text_comes_back_as_a_text(algorithm: Algorithm, text: str) -> None:
    packed = encode(text=text, algorithm=algorithm)
    back = encode(mode="decompress", data=packed["data"], algorithm=algorithm)
    assert back == {"mode": "decompress", "algorithm": algorithm, "text": text}


def test_the_formats_are_those_of_everybody_else() -> None:
    assert zlib.decompress(compress(b"x")) == b"x"
    assert gzip.decompress(compress(b"x", algorithm="gzip")) == b"x"
    assert bz2.decompress(compress(b"x", algorithm="bz2")) == b"x"
    assert lzma.decompress(compress(b"x", algorithm="lzma")) == b"x"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_bomb_is_left_at_the_limit(algorithm: Algorithm) -> None:
    bomb = compress(bytes(50_000_000), algorithm=algorithm)
    assert decompress(compress(bytes(1000), algorithm=algorithm), algorithm=algorithm, max_output=1000) == bytes(1000)
    for most in (1, 1000, 49_999_999):
        with pytest.raises(InvalidPayload, match=f"`data` decompresses to more than {most} bytes"):
            decompress(bomb, algorithm=algorithm, max_output=most)


@pytest.mark.parametrize("algorithm", ["gzip", "bz2", "lzma", "zstd"])
def test_streams_in_a_row_are_one_and_share_the_limit(algorithm: Algorithm) -> None:
    small = compress(b"half", algorithm=algorithm)
    assert decompress(small * 2, algorithm=algorithm, max_output=8) == b"halfhalf"
    with pytest.raises(InvalidPayload, match="more than 7 bytes"):
        decompress(small * 2, algorithm=algorithm, max_output=7)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(data=st.binary(max_size=200), cut=st.integers(0, 220), junk=st.binary(max_size=40))
def test_what_is_damaged_is_refused_and_never_by_an_error_of_a_library(
    algorithm: Algorithm, data: bytes, cut: int, junk: bytes
) -> None:
    small = compress(b"something to lose", algorithm=algorithm)
    for damaged in (data, small[:cut] + junk, junk + small):
        try:
            decompress(damaged, algorithm=algorithm, max_output=1000)
        except InvalidPayload as error:
            assert error.field == "data"
    for short in (small[:-1], b""):
        with pytest.raises(InvalidPayload, match="ends before"):
            decompress(short, algorithm=algorithm)


@pytest.mark.parametrize(
    ("algorithm", "header"),
    [
        ("lzma", b"\x5d" + (2**30).to_bytes(4, "little") + b"\xff" * 8),
        ("zstd", bytes.fromhex("28b52ffd 00 a0")),  # a window of 2**(10 + 0xa0 // 8)
    ],
)
def test_a_header_cannot_ask_for_a_gigabyte(algorithm: Algorithm, header: bytes) -> None:
    with pytest.raises(InvalidPayload, match=f"not {algorithm} data"):
        decompress(header + bytes(99), algorithm=algorithm)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_levels_are_those_of_the_algorithm(algorithm: Algorithm) -> None:
    least, most = LEVELS[algorithm]
    for level in (least, most):
        assert decompress(compress(b"x", algorithm=algorithm, level=level), algorithm=algorithm) == b"x"
    for level in (least - 1, most + 1, True, 1.0, "6", 10**5000):
        refused("level", encode, text="x", algorithm=algorithm, level=level)
    for level in (least - 1, most + 1):
        with pytest.raises(ActionMisconfigured) as caught:
            Compression(algorithm=algorithm, level=level)
        assert caught.value.setting == "level"


def test_a_level_of_the_settings_is_held_within_the_algorithm_of_the_payload() -> None:
    async def story() -> None:
        action = Compression(algorithm="zstd", level=19)
        for algorithm in ALGORITHMS:
            _, most = LEVELS[algorithm]
            wanted = compress(b"text" * 99, algorithm=algorithm, level=min(19, most))
            assert b64decode((await action(text="text" * 99, algorithm=algorithm))["data"]) == wanted
            with pytest.raises(InvalidPayload):
                await action(text="x", algorithm=algorithm, level=most + 1)

    asyncio.run(story())


def test_settings_and_payload_name_what_is_wrong() -> None:
    assert refused("mode", encode, mode="shrink") == "`mode` is one of compress, decompress, and this one is not"
    assert refused("algorithm", encode, text="", algorithm="rar").startswith("`algorithm` is one of zlib, gzip")
    assert refused("data", encode, text="a", data="YQ==").startswith("`data` is given and `text` too")
    assert refused("text", encode) == "`text` is missing: `text` or `data` is wanted"
    assert refused("data", encode, mode="decompress") == "`data` is null, not a text"
    assert refused("text", encode, mode="decompress", text="x").startswith("`text` is what is compressed")
    for bad in ("é", "YQ", "YQ==\n", "Y Q==", "\ud800"):
        refused("data", encode, mode="decompress", data=bad)
    refused("text", encode, text="\udfff")
    for hostile in HOSTILE:
        refused("text", encode, text=hostile)
    with pytest.raises(ActionMisconfigured, match=r"action:compression.encode \(builtin-compression\): .*max_output"):
        Compression(max_output=0)


@pytest.mark.parametrize(("algorithm", "module"), [("brotli", "brotli"), ("zstd", "backports"), ("blake3", "blake3")])
def test_a_library_that_is_missing_names_the_extra(
    algorithm: Any, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "oneiric.actions._zstd", raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, "compression", None)
    with pytest.raises(ActionMissingExtra) as caught:
        digest(text="", algorithm=algorithm) if algorithm == "blake3" else compress(b"", algorithm=algorithm)
    assert caught.value.extra == "action-compression"
    assert "which the extra action-compression has" in str(caught.value)


def test_what_takes_long_runs_beside_the_loop() -> None:
    async def story() -> None:
        for begun in (
            Compression(algorithm="lzma", level=9)(text="abc" * 1_000_000),
            Hashing()(value="a" * 5_000_000),
        ):
            turns = 0
            call = asyncio.ensure_future(begun)
            while not call.done():
                await asyncio.sleep(0)
                turns += 1
            assert turns > 1, "where it holds the loop up, it is done by the next turn"

    asyncio.run(story())


@given(JSON)
def test_digests_are_of_canonical_json(value: Any) -> None:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))
    wanted = hashlib.sha256(text.encode()).hexdigest()
    assert digest(value=value)["digest"] == digest(data=value)["digest"] == digest(text=text)["digest"] == wanted


@pytest.mark.parametrize("algorithm", get_args(DigestAlgorithm))
def test_every_digest(algorithm: DigestAlgorithm) -> None:
    got = digest(text="é", algorithm=algorithm)
    assert got["algorithm"] == algorithm
    assert b64decode(digest(text="é", algorithm=algorithm, encoding="base64")["digest"]).hex() == got["digest"]
    if algorithm != "blake3":
        assert got["digest"] == hashlib.new(algorithm, "é".encode()).hexdigest()
    else:
        assert digest(text="", algorithm="blake3")["digest"].startswith("af1349b9f5f9a1a6a0404dea36dcc949")


@pytest.mark.parametrize("value", [0, "", False, None, [], {}])
def test_a_value_that_is_false_is_a_value(value: Any) -> None:
    assert digest(value=value)["status"] == "hashed"


def test_a_salt_goes_before_the_value_whatever_it_is() -> None:
    for salt, written in (("s", "s"), (7, "7"), ([1], "[1]")):
        got = digest(text="x", salt=salt)
        assert got == {**digest(text=f"{written}x"), "salted": True}
    assert digest(text="x", salt="") == digest(text="x")

    async def story() -> None:
        salted = Hashing(salt="s")
        assert await salted(text="x") == digest(text="x", salt="s")
        assert await salted(text="x", salt="") == digest(text="x"), "a payload may do without"
        assert (await Hashing(algorithm="md5", encoding="base64")(value=0))["encoding"] == "base64"

    asyncio.run(story())


def test_what_is_no_json_has_no_digest() -> None:
    deep: Any = []
    for _ in range(MAX_DEPTH):
        deep = [deep]
    for bad in (math.nan, -math.inf, "\ud800", {"a": "\udfff"}, {1: 2}, {"\ud800": 1}, b"x", {1, 2}, deep, 10**5000):
        refused("value", digest, value=bad)
    refused("salt", digest, text="", salt=math.nan)
    cyclic: list[Any] = []
    cyclic.append(cyclic)
    refused("value", digest, value=cyclic)
    assert "hunter2" not in refused("algorithm", digest, text="", algorithm="hunter2")
    refused("encoding", digest, text="", encoding="utf-8")
    refused("value", digest)
