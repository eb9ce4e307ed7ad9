"""How bytes become the document that is verified: JSON, or YAML by the rules of those who sign; else a clear word."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from oneiric_compiler.manifests.document import NotAManifest, Rejected, canonical, is_json, parse

from tests.manifests.signers import ADA, accepted, canonical_form, document


def value_of(text: str) -> object:
    return parse(f"value: {text}\n".encode())["value"]


def rule_of(text: str | bytes, **limits: int) -> str:
    with pytest.raises(Rejected) as caught:
        parse(text if isinstance(text, bytes) else text.encode(), **limits)
    return caught.value.rule


class TestYaml:
    WORDS = (
        *(
            "yes",
            "no",
            "on",
            "off",
            "Yes",
            "NO",
            "true",
            "FALSE",
            "y",
            "n",
            "~",
            "null",
            "Null",
            "nothing",
            "text",
            "=",
        ),
        *("1", "+1", "-1", "0", "00", "010", "08", "089", "0o10", "0x1F", "0b101", "1_000", "12:30", "12:30:45"),
        *("1e3", "1.5e3", "1.5e+3", ".5", "5.", "-0.0", "1.10", "190:20:30.15", "1.2.3", "a=b"),
    )

    @pytest.mark.parametrize("word", WORDS)
    def test_a_plain_word_is_read_as_those_who_sign_read_it(self, word: str) -> None:
        try:
            theirs = yaml.safe_load(word)
        except yaml.YAMLError:
            theirs = word
        assert (type(value_of(word)), value_of(word)) == (type(theirs), theirs)
        assert value_of(f'"{word}"') == word

    @pytest.mark.parametrize("word", ["2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01 00:00:00 +1", "2026-99-99"])
    def test_an_unquoted_timestamp_is_text(self, word: str) -> None:
        assert value_of(word) == word

    def test_an_unquoted_expiry_is_heeded(self) -> None:
        plain = document(expires_at="2026-06-01T11:00:00Z")
        text = yaml.safe_dump({**plain, "signatures": [ADA.listed(plain)]}).replace("'2026-06-01T11:00:00Z'", "{}")
        with pytest.raises(Rejected, match="expired"):
            accepted(text.format("2026-06-01T11:00:00Z").encode())

    @pytest.mark.parametrize("word", [".inf", "-.Inf", ".nan", ".NAN", "1.0e+999", "-9.9e+9999"])
    def test_numbers_that_are_none(self, word: str) -> None:
        assert rule_of(f"value: {word}") == "form"

    @pytest.mark.parametrize("word", ["0b_", "0x_", "-0b__"])
    def test_what_looks_like_a_number_and_is_none(self, word: str) -> None:
        assert rule_of(f"value: {word}") == "form"

    def test_huge_numbers(self) -> None:
        assert rule_of(f"value: {'9' * 5000}") == "limits"
        assert rule_of(f"value: 1.{'9' * 5000}") == "limits"
        assert value_of("9" * 300) == int("9" * 300)

    @pytest.mark.parametrize("key", ["1", "true", "on", "~", "1.5", "[a]", "{a: 1}", "? [a]\n"])
    def test_keys_are_text(self, key: str) -> None:
        assert rule_of(f"a: 1\n{key}: 2\n") == "form"

    def test_a_key_stands_once(self) -> None:
        assert rule_of("source: a\nentries: []\nsource: b\n") == "duplicate-key"
        assert rule_of("entries: [{key: a, 'key': b}]\n") == "duplicate-key"
        assert rule_of("signatures: []\nsignatures: []\n") == "duplicate-key"

    def test_a_bomb_of_aliases(self) -> None:
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
        assert rule_of("\n".join(lines)) == "form"
        assert rule_of("a: *nobody\n") == "form"
        assert rule_of("a: &a [*a]\n") == "form"
        assert rule_of("a: &a 1\n") == "form"

    @pytest.mark.parametrize(
        "text", ["a: !!python/object/apply:os.system [id]", "a: !!str 1", "!!map {a: 1}", "a: ! 1"]
    )
    def test_tags(self, text: str) -> None:
        assert rule_of(text) == "form"

    def test_merge_keys(self) -> None:
        assert rule_of("a:\n  <<: {b: 1}\n") == "form"
        assert value_of("{'<<': 1}") == {"<<": 1}

    def test_a_second_document(self) -> None:
        assert rule_of("a: 1\n---\nb: 2\n") == "form"

    def test_deep_nesting(self) -> None:
        assert rule_of("a: " + "[" * 100_000) == "limits"
        assert rule_of("a: " + "{b: " * 33) == "limits"
        assert rule_of("a: [[1]]", max_depth=2) == "limits"
        assert parse(b"a: [[1]]", max_depth=3) == {"a": [[1]]}

    def test_text_of_all_kinds(self) -> None:
        assert value_of("grün 😀") == "grün 😀"
        assert value_of('"\\U0001F600 \\x00 \\u0085"') == "😀 \x00 \x85"
        assert value_of("|\n  a\n  b\n") == "a\nb\n"

    @pytest.mark.parametrize(
        "text", ['a: "\\ud800"', "a: [", "a: b: c", "\ta: 1", "a: @x", "a: \x01", "%YAML 9.9\n---\n{"]
    )
    def test_what_is_no_yaml(self, text: str) -> None:
        with pytest.raises(NotAManifest):
            parse(text.encode())

    def test_the_line_is_told(self) -> None:
        with pytest.raises(NotAManifest, match=r"^line 3: "):
            parse(b"a: 1\nb: 2\nc: [\n")
        with pytest.raises(Rejected, match="line 2: `a` stands twice"):
            parse(b"a: 1\na: 2\n")


class TestJson:
    def test_json_is_read_as_json(self) -> None:
        """YAML 1.1 would take `1e3` for text."""
        assert parse(b'{"a": 1e3, "b": "yes", "c": "\\ud83d\\ude00"}') == {"a": 1000.0, "b": "yes", "c": "😀"}
        assert is_json(b'\xef\xbb\xbf{"a": 1}') and not is_json(b"{a: 1}")

    def test_a_key_stands_once(self) -> None:
        assert rule_of('{"source": "a", "source": "a"}') == "duplicate-key"
        assert rule_of('{"a": [{"b": {"k": 1, "\\u006b": 2}}]}') == "duplicate-key"

    @pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
    def test_numbers_that_are_none(self, word: str) -> None:
        assert rule_of(f'{{"a": {word}}}') == "form"

    def test_huge_numbers(self) -> None:
        assert rule_of(f'{{"a": {"9" * 5000}}}') == "limits"

    @pytest.mark.parametrize("text", ['{"a": "\\ud800"}', '{"\\udfff": 1}', '{"a": ["\\ude00\\ud83d"]}'])
    def test_surrogates(self, text: str) -> None:
        assert rule_of(text) == "form"

    def test_deep_nesting(self) -> None:
        assert rule_of('{"a": ' + "[" * 200_000 + "]" * 200_000 + "}") == "limits"
        assert rule_of('{"a": ' * 100_000 + "1" + "}" * 100_000) == "limits"
        assert rule_of('{"a": [[1]]}', max_depth=2) == "limits"
        assert parse(b'{"a": [[1]]}', max_depth=3) == {"a": [[1]]}

    def test_a_byte_order_mark(self) -> None:
        assert parse(b'\xef\xbb\xbf{"a": 1e3}') == {"a": 1000.0}
        assert parse(b"\xef\xbb\xbfa: 1\n") == {"a": 1}


@pytest.mark.parametrize(
    "data", [b"", b" \n", b"# nothing\n", b"[]", b'"text"', b"1", b"null", b"- a\n", b"---\n...\n"]
)
def test_what_is_no_mapping_is_no_manifest(data: bytes) -> None:
    with pytest.raises(NotAManifest):
        parse(data)


@pytest.mark.parametrize("data", [b"\xff\xfea\x00", b"a: \xe9\n", b'{"a": "\xed\xa0\x80"}', "{}".encode("utf-16")])
def test_what_is_no_utf_8_is_no_manifest(data: bytes) -> None:
    with pytest.raises(NotAManifest, match="is not UTF-8"):
        parse(data)


@pytest.mark.parametrize(
    ("plain", "form"),
    [
        ({"b": 1, "a": [True, None, 0.1, 1e22, -0.0]}, '{"a":[true,null,0.1,1e+22,-0.0],"b":1}'),
        ({"é": "😀/\u2028"}, '{"\\u00e9":"\\ud83d\\ude00/\\u2028"}'),
        (
            {"signature": "x", "signatures": [], "signature_algorithm": 1, "a": {"signature": 1}},
            '{"a":{"signature":1}}',
        ),
    ],
)
def test_the_canonical_form(plain: dict[str, Any], form: str) -> None:
    assert canonical(plain).decode() == form
    assert canonical(plain) == canonical_form(plain)
    assert json.loads(form) is not None
