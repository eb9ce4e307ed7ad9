"""serialization.encode: every value comes back in every format, hostile texts do not, and no path leads out."""

from __future__ import annotations

import asyncio
import json
import math
import os
import sys
import tomllib
from base64 import b64encode
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from oneiric.actions import ActionMisconfigured, ActionMissingExtra, ActionRefused, ActionUnavailable, InvalidPayload
from oneiric.actions.serialization import Format, Serialization, decode, encode
from oneiric.testing.contracts import ActionContract, started

from tests.unit.actions.payloads import JSON, refused

FORMATS: tuple[Any, ...] = ("json", "yaml", "msgpack")
SMALL = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


class TestSerialization(ActionContract):
    pure = True

    def fresh(self) -> AbstractAsyncContextManager[Any]:
        return started(Serialization(default_format="yaml", sort_keys=True))

    def payloads(self) -> list[dict[str, Any]]:
        return [
            {"value": None},
            {"data": {"b": [1, "é"], "a": {}}, "format": "json", "ensure_ascii": True},
            {"value": [1.5, {"a": "b"}], "format": "msgpack"},
            {"mode": "decode", "text": "a: [1, 2]"},
            {"mode": "decode", "data": "[" * 90 + "1" + "]" * 90 + " " * 70_000, "format": "json"},
        ]

    def refused(self) -> list[dict[str, Any]]:
        return [
            {},
            {"value": math.inf},
            {"value": 1, "format": "pickle"},
            {"value": 1, "path": "x"},
            {"mode": "decode", "text": "a: b: c"},
            {"mode": "decode", "data": {"a": 1}},
            {"value": 1, "sort_keys": 1},
            {"value": 1, "text": "1"},
        ]


@pytest.mark.parametrize("format", FORMATS)
@given(value=SMALL, sort_keys=st.booleans(), ensure_ascii=st.booleans())
def test_what_is_encoded_comes_back(format: Any, value: Any, sort_keys: bool, ensure_ascii: bool) -> None:
    encoded = encode(value, format=format, sort_keys=sort_keys, ensure_ascii=ensure_ascii)
    back = decode(encoded, format=format)
    assert back == value
    assert json.dumps(back, sort_keys=True) == json.dumps(value, sort_keys=True), "1, 1.0 and true are not the same"
    assert isinstance(encoded, bytes) == (format == "msgpack")
    if ensure_ascii and isinstance(encoded, str):
        assert encoded.isascii()
    if sort_keys and isinstance(value, dict):
        assert encode(dict(reversed(value.items())), format=format, sort_keys=True) == encode(
            value, format=format, sort_keys=True
        )


@given(JSON)
def test_json_takes_whole_numbers_of_any_size(value: Any) -> None:
    assert decode(encode(value)) == json.loads(encode(value)) == value


@given(SMALL)
def test_readers_of_yaml_1_1_read_the_same(value: Any) -> None:
    assert yaml.safe_load(encode(value, format="yaml")) == value


@given(st.text(alphabet="0123456789xo+-.eE_:~nulNULtrueTRUEfalsyYoO<>=&*!|%@`'\"#[]{} \n\t", max_size=8))
def test_a_text_that_looks_like_something_else_is_a_text(text: str) -> None:
    assert decode(encode({text: text}, format="yaml"), format="yaml") == {text: text}


YAML_1_2 = {
    "NO": "NO",
    "yes": "yes",
    "on": "on",
    "12:30:45": "12:30:45",
    "2001-01-01": "2001-01-01",
    "010": 10,
    "0o17": 15,
    "0x1F": 31,
    "1_000": "1_000",
    "1e3": 1000.0,
    "+.5": 0.5,
    "~": None,
    "": None,
    "Null": None,
    "TRUE": True,
    "'1'": "1",
    "!!str 1": "1",
    "!!int '7'": 7,
    "=": "=",
    "- 1\n- a": [1, "a"],
    "{a: [1], 'b': }": {"a": [1], "b": None},
    "'<<': 1": {"<<": 1},
    "[&x {a: 1}, *x]": [{"a": 1}, {"a": 1}],
}


@pytest.mark.parametrize("text", YAML_1_2)
def test_values_are_those_of_yaml_1_2(text: str) -> None:
    got = decode(text, format="yaml")
    assert (got, type(got)) == (YAML_1_2[text], type(YAML_1_2[text]))


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE: dict[Any, dict[str, Any]] = {
    "json": {
        "nothing": "",
        "NaN": "NaN",
        "an infinity": "[-Infinity]",
        "one by overflow": "1e999",
        "digits": "1" * 5000,
        "nesting": "[" * 100_000,
        "nesting that ends": "[" * 101 + "]" * 101,
        "a surrogate": r'"\ud800"',
        "one as a name": r'{"\udfff": 1}',
        "two documents": "1 2",
        "one in the text": '"\ud800"',
    },
    "yaml": {
        "nesting": "[" * 100_000,
        "nesting by indentation": "- " * 100_000,
        "nesting of names": "? " * 100_000,
        "laughs": LAUGHS,
        "a circle": "&a [*a]",
        "a circle of mappings": "&a {b: {c: *a}}",
        "merges": "a: &a {b: 1}\nc: {<<: *a}",
        "a name twice": "{a: 1, a: 2}",
        "a number for a name": "{1: a}",
        "a list for a name": "{[1]: a}",
        "NaN": ".nan",
        "an infinity": "[-.inf]",
        "digits": "1" * 5000,
        "two documents": "--- 1\n--- 2",
        "a tag": "!!python/object/apply:os.system [ls]",
        "a tag of its own": "!x 1",
        "a date": "!!timestamp 2001-01-01",
        "bytes": "!!binary aGk=",
        "a set": "!!set {a}",
        "no number": "!!int x",
        "a control": "\x00",
        "no end": "'",
        "a tab": "\ta: 1",
        "no anchor": "*x",
    },
    "toml": {
        "nesting": "a = " + "[" * 100_000,
        "twice": "a = 1\na = 2",
        "NaN": "a = nan",
        "an infinity": "a = [inf]",
        "digits": "a = " + "1" * 5000,
        "nothing like it": "{",
        "no end": "a = '",
    },
    "msgpack": {
        "nothing": b"",
        "nesting": b"\x91" * 100_000,
        "bytes": b"\xc4\x01a",
        "a date": msgspec.msgpack.encode(msgspec.msgpack.Ext(5, b"x")),
        "NaN": msgspec.msgpack.encode(math.nan),
        "a number for a name": b"\x81\x01\x02",
        "too short": b"\x93\x01",
        "no base64": "é",
        "no utf-8": b"\xa1\xff",
        "more": b"\x01\x02",
    },
}


@pytest.mark.parametrize(("format", "name"), [(format, name) for format, texts in HOSTILE.items() for name in texts])
def test_what_is_hostile_is_refused_and_never_by_an_error_of_a_library(format: Any, name: str) -> None:
    with pytest.raises(InvalidPayload) as caught:
        decode(HOSTILE[format][name], format=format)
    assert caught.value.field == "data"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("format", ["json", "yaml", "toml", "msgpack"])
@given(source=st.binary(max_size=60) | st.text(max_size=60))
def test_anything_is_read_or_refused(format: Format, source: str | bytes) -> None:
    try:
        value = decode(source, format=format)
    except InvalidPayload:
        return
    json.dumps(value, allow_nan=False).encode()


def test_a_place_is_told_and_what_stands_there_is_not() -> None:
    assert refused("data", lambda: decode('{"password": hunter2}')) == "`data` is not JSON (line 1, column 14)"
    assert refused("data", lambda: decode("1" * 5000)) == "`data` holds a number of more than 4300 digits"
    assert refused("data", lambda: decode("[NaN]")) == "`data` holds NaN, which JSON has no number for"
    assert refused("data", lambda: decode("1e999")) == "`data` holds a number that is larger than one can be"
    assert refused("data", lambda: decode("a: 1\npassword: hunter2: x", format="yaml")) == (
        "`data` is not YAML (line 2, column 18)"
    )
    assert (
        refused("data", lambda: decode("a = 1\nb = hunter2", format="toml")) == "`data` is not TOML (line 2, column 5)"
    )
    assert refused("data", lambda: decode("a: {b: 1, b: 2}", format="yaml")) == (
        "`data` holds a mapping with the same name twice (line 1, column 4)"
    )


def test_toml_has_dates_and_is_decoded_alone() -> None:
    text = "a = 1979-05-27T07:32:00Z\nb = [07:32:00, {c = 1979-05-27}]\nd = 'x'\n"
    assert decode(text, format="toml") == {
        "a": "1979-05-27T07:32:00+00:00",
        "b": ["07:32:00", {"c": "1979-05-27"}],
        "d": "x",
    }
    assert tomllib.loads(text)["d"] == "x"
    refused("format", lambda: encode({}, format="toml"))  # type: ignore[call-overload]


def test_what_json_has_not_is_not_encoded() -> None:
    for bad in (math.nan, -math.inf, "\ud800", {1: 2}, b"x", {1}, 10**5000):
        for format in FORMATS:
            refused("value", lambda format=format, bad=bad: encode(bad, format=format))
    assert "64 bits" in refused("value", lambda: encode([2**64], format="msgpack"))
    assert "pickle runs" in refused("format", lambda: decode(b"", format="pickle"))  # type: ignore[arg-type]


def test_bytes_are_utf_8() -> None:
    assert decode("é".encode(), format="yaml") == "é"
    assert refused("data", lambda: decode(b"\xff")) == "`data` is not UTF-8"


def test_a_library_that_is_missing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "oneiric.actions._yaml", raising=False)
    monkeypatch.setitem(sys.modules, "yaml", None)
    for call in (lambda: encode(1, format="yaml"), lambda: decode("1", format="yaml")):
        with pytest.raises(ActionMissingExtra) as caught:
            call()
        assert caught.value.extra == "action-serialization"


def test_a_payload_overrides_the_settings() -> None:
    async def story() -> None:
        action = Serialization(default_format="yaml", ensure_ascii=True)
        assert await action(value={"b": "é", "a": 1}) == {
            "status": "encoded",
            "format": "yaml",
            "text": 'b: "\\xE9"\na: 1\n',
        }
        told = await action(value={"b": "é", "a": 1}, format="JSON", sort_keys=True, ensure_ascii=False)  # type: ignore[arg-type]
        assert told == {"status": "encoded", "format": "json", "text": '{"a": 1, "b": "é"}'}
        packed = await action(value=[1], format="msgpack")
        assert packed == {
            "status": "encoded",
            "format": "msgpack",
            "encoding": "base64",
            "data": b64encode(b"\x91\x01").decode(),
        }
        assert await action(mode="decode", data=packed["data"], format="msgpack") == {
            "status": "decoded",
            "format": "msgpack",
            "data": [1],
        }
        assert (await action(mode="decode", value="null", format="json"))["data"] is None

    asyncio.run(story())
    with pytest.raises(ActionMisconfigured, match="pickle runs"):
        Serialization(default_format="pickle")  # type: ignore[arg-type]


def test_files_are_written_and_read_within_the_folder(tmp_path: Path) -> None:
    async def story() -> None:
        (tmp_path / "in").mkdir()
        (tmp_path / "other").mkdir()
        os.symlink(tmp_path / "other", tmp_path / "link")
        action = Serialization(folder=tmp_path)
        assert (await action(value={"a": 1}, path="in/a.json"))["text"] == '{"a": 1}'
        assert (tmp_path / "in/a.json").read_text() == '{"a": 1}'
        assert (await action(mode="decode", path="in/./a.json"))["data"] == {"a": 1}
        await action(value=[1], path="in/a.json", format="msgpack")
        assert (tmp_path / "in/a.json").read_bytes() == b"\x91\x01"
        assert (await action(mode="decode", path="in/a.json", format="msgpack"))["data"] == [1]
        assert sorted(each.name for each in (tmp_path / "in").iterdir()) == ["a.json"]

    asyncio.run(story())


def test_no_path_leads_out_of_the_folder(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "secret.json").write_text('"hunter2"')
    os.symlink(outside, root / "folder")
    os.symlink(outside / "secret.json", root / "file")
    os.symlink("nowhere", root / "dangling")
    os.mkfifo(root / "pipe")
    (root / "inner").mkdir()
    (root / "large").write_bytes(bytes(1001))
    paths = (
        "",
        ".",
        "/",
        "..",
        "../outside/secret.json",
        "inner/../../outside/secret.json",
        str(outside / "secret.json"),
        "folder/secret.json",
        "file",
        "dangling",
        "inner",
        "pipe",
        "file/x",
        "no/such",
        "a\0b",
        "x" * 300,
        "inner/..",
    )

    async def story() -> None:
        action = Serialization(folder=root, max_file=1000)
        for path in (*paths, "no such", "large"):
            with pytest.raises(InvalidPayload) as caught:
                await action(mode="decode", path=path)
            assert caught.value.field == "path"
        for path in set(paths) - {"file", "dangling", "pipe"}:
            with pytest.raises(InvalidPayload):
                await action(value=1, path=path)
        for path in (1, b"file", True, ["file"], "\ud800"):
            with pytest.raises(InvalidPayload):
                await action(value=1, path=path)  # type: ignore[arg-type]
        await action(value=1, path="file"), await action(value=1, path="dangling")
        assert not (root / "file").is_symlink(), "the link is replaced, not what it leads to"

    asyncio.run(story())
    assert [each.read_text() for each in outside.iterdir()] == ['"hunter2"']
    assert not list(root.rglob("*.tmp"))


def test_what_the_system_forbids_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> int:
        raise PermissionError(13, "Permission denied")  # which nobody tells root

    monkeypatch.setattr("oneiric.actions._folder._opened", forbidden)
    with pytest.raises(ActionRefused):
        asyncio.run(Serialization(folder=tmp_path)(mode="decode", path="a"))


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ActionUnavailable, match="No space left on device"):
        asyncio.run(Serialization(folder=tmp_path)(value="new", path="a"))
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("a", "old")]
