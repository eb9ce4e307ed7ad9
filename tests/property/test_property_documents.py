"""Reading YAML: whatever the bytes are there is an answer, places lie in the text, and plain JSON means itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from oneiric_compiler.diagnostics.found import Diagnostics, Source, Span
from oneiric_compiler.settings.documents import MAX_DEPTH, Document, parse_document, read_document

YAML_SIGNS = "-:?{}[],&*!|>'\"%@`#~=<./\\ \t\n\r\x0b\x0c\x00\x1b\x85\u2028\u2029\ufeff\U0001f600aN01eE+_"
yaml_like = st.text(st.sampled_from(YAML_SIGNS), max_size=60)
lines = st.lists(
    st.sampled_from(
        (
            "a: 1",
            "b: [x, {y: z}]",
            "- item",
            "  nested: yes",
            "? complex",
            ": value",
            "a: &x 1",
            "*x",
            "<<: {}",
            "text: |",
            "  more",
            "'quoted': \"\\u00e9\"",
            "---",
            "...",
            "!tag v",
            "%YAML 1.2",
            "\tz: 1",
            "é: ü",
            "",
        )
    ),
    max_size=12,
).map("\n".join)
any_text = st.one_of(st.text(max_size=60), yaml_like, lines)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**40), 10**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=("Cs",), max_codepoint=0xFFFF), max_size=20),
)
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(st.characters(exclude_categories=("Cs",), max_codepoint=0xFFFF), max_size=8), inner),
    ),
    max_leaves=20,
)


def parsed(text: str) -> tuple[Document, list[Any]]:
    diagnostics = Diagnostics()
    return parse_document(Source("settings/x.yml", text), diagnostics), list(diagnostics)


def assert_inside(span: Span, text: str) -> None:
    count = text.count("\n") + 1
    assert 1 <= span.line <= count
    assert 1 <= span.column <= len(text.split("\n")[span.line - 1]) + 1
    assert (span.line, span.column) <= (span.end_line, span.end_column)
    assert span.end_line <= count + 1


@given(text=any_text)
@example(text="a\r\nb: [")
@example(text="a: 1\r\rb: {")
@example(text="a\x85b: [")
@example(text="a\u2028b: [")
@example(text="\x00")
def test_any_text_has_an_answer_with_places_inside_it(text: str) -> None:
    document, found = parsed(text)
    assert document.broken == bool(found)
    for span in (*(span for pair in document.spans.values() for span in pair), *(each.span for each in found)):
        assert_inside(span, text)


@given(data=st.one_of(st.binary(max_size=60), any_text.map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_any_bytes_have_an_answer(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yml"
    path.write_bytes(data)
    diagnostics = Diagnostics()
    document = read_document(path, "settings/any.yml", diagnostics)
    assert (document is None or document.broken) == bool(list(diagnostics))


@given(value=json_values)
def test_json_means_itself(value: Any) -> None:
    document, found = parsed(json.dumps(value))
    assert [each.message for each in found] == []
    assert same(document.value, value)


@given(value=json_values)
def test_every_value_has_a_place(value: Any) -> None:
    document, _ = parsed(json.dumps(value))

    def visit(part: Any, path: tuple[str | int, ...]) -> None:
        assert path in document.spans
        items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
        for name, item in items:
            visit(item, (*path, name))

    visit(value, ())


@given(value=json_values, data=st.data())
def test_what_stands_at_a_place_is_the_value(value: Any, data: st.DataObject) -> None:
    text = json.dumps(value)
    document, _ = parsed(text)
    path = data.draw(st.sampled_from(sorted(document.spans, key=str)))
    expected: Any = value
    for part in path:
        expected = expected[part]
    span = document.spans[path][1]
    if not isinstance(expected, (list, dict)):
        assert text[span.column - 1 : span.end_column - 1] == json.dumps(expected)


@pytest.mark.parametrize("sign", ["\r", "\x85", "\u2028", "\u2029"])
def test_what_only_some_readers_end_a_line_at_is_refused_unless_escaped(sign: str) -> None:
    document, found = parsed(f"a: 1\nb: x{sign}y\n")
    assert [(each.code, each.span.line, each.span.column) for each in found] == [("ONE107", 2, 5)]
    assert document.broken
    assert parsed(json.dumps({"b": f"x{sign}y"}))[0].value == {"b": f"x{sign}y"}
    assert parsed("a: 1\r\nb: 2\r\n")[0].value == {"a": 1, "b": 2}


def test_depth_is_limited(tmp_path: Path) -> None:
    def nested(depth: int) -> str:
        return "[" * depth + "1" + "]" * depth

    assert not parsed(nested(MAX_DEPTH))[0].broken
    assert [each.code for each in parsed(nested(MAX_DEPTH + 1))[1]] == ["ONE103"]
    assert [each.code for each in parsed(nested(100_000))[1]] == ["ONE103"]


@pytest.mark.parametrize(
    "text", ["NO", "off", "12:30:45", "2001-01-01", "1_000", "0b1", "0o8", "+-1", "1e", ".", "=", "y"]
)
def test_what_only_older_yaml_reads_otherwise_is_text(text: str) -> None:
    assert parsed(f"a: {text}")[0].value == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"), [("0o17", 15), ("0xff", 255), ("-12", -12), (".5", 0.5), ("1.", 1.0), ("~", None)]
)
def test_numbers_of_the_core_schema(text: str, value: object) -> None:
    assert same(parsed(f"a: {text}")[0].value, {"a": value})


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types: 1 is neither True nor 1.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == sorted(other) and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
