"""Lists and mappings in one text: what is read is what a settings file would have there, or nothing."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.convert import Unshown
from oneiric.structures import Plain, natural, read
from oneiric_compiler.diagnostics.found import Diagnostics, Source
from oneiric_compiler.settings.documents import parse_document

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(json_values, st.sampled_from([None, 1]), st.booleans())
def test_json_is_read_as_json(value: Any, indent: int | None, ascii: bool) -> None:
    text = json.dumps([value], indent=indent, ensure_ascii=ascii)
    try:
        found = natural(read(text))
    except Unshown as error:
        assert "each name once" not in str(error)
        assert re.search(r"[0-9]{301}", text) or "\\ud" in text
    else:
        assert same(found, [value])


PIECES = [
    *(
        "a",
        "b",
        "1",
        "0",
        "-1",
        "+2",
        "1.5",
        ".5",
        "1.",
        "1e3",
        "0x1F",
        "0o17",
        "0644",
        "1_000",
        "12:30",
        "~",
        "null",
        "true",
    ),
    *(
        "No",
        "'",
        '"',
        "\\n",
        "\\",
        ": ",
        ":",
        ", ",
        ",",
        "[",
        "]",
        "{",
        "}",
        " ",
        "\n ",
        "#",
        " #",
        "-",
        "- ",
        "?",
        "? ",
    ),
    *("&", "*", "!", "|", ">", "%", "@", "`", "=", "<<", "\t", "é", "\x85", "/", ".inf", ".nan", "''"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join), st.sampled_from(["[]", "{}"]))
def test_what_is_read_is_what_a_settings_file_would_have(inside: str, around: str) -> None:
    text = around[0] + inside + around[1]
    try:
        found = natural(read(text))
    except Unshown:
        return
    diagnostics = Diagnostics()
    document = parse_document(Source("settings/x.yml", f"x: {text}"), diagnostics)
    told = [each.message for each in diagnostics]
    assert document is not None
    assert not told, told
    assert same(found, document.value["x"])  # type: ignore[call-overload,index]


@given(st.text(st.sampled_from("[]{},:'\"ab1 \n-#"), max_size=30))
def test_any_text_is_read_or_refused_in_words_that_do_not_repeat_it(text: str) -> None:
    try:
        read(text)
    except Unshown as error:
        assert str(error)


@pytest.mark.parametrize("text", ["[" * 40 + "]" * 40, '{"a": ' * 40, "[" * 100_000, "'" * 100_001, '["\\' * 50_000])
def test_depth_and_length_hurt_nobody(text: str) -> None:
    with pytest.raises(Unshown):
        read(text)


@pytest.mark.parametrize(
    ("text", "value"), [("~", None), ("null", None), ("True", True), ("0x1f", 31), ("1.50", 1.5), ("No", "No")]
)
def test_a_scalar_is_what_settings_take_it_for(text: str, value: object) -> None:
    assert same(Plain(text).value, value)


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types."""
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return (
            isinstance(other, dict) and one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
        )
    return one.__class__ is other.__class__ and one == other
