"""Untrusted bytes to plain values, read once and strictly, and the canonical form that signatures are over.

A manifest is JSON if it parses as JSON, else YAML, and YAML is read as the signers' tool reads it: by the scalar rules
of YAML 1.1 (`yes` is true, `1e3` is text). One reading, so what is signed is what is used. Where that tool cannot sign
a document at all, a reading is not a contradiction: an unquoted timestamp is text here. What two readers may take for
different things (duplicate keys, aliases, tags, NaN, keys that are not text) is refused.
Source of the form: upstream's signing rules, 1 to 3.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from math import isfinite
from typing import Any

import yaml
from yaml.reader import ReaderError

from oneiric_compiler.settings.documents import Value

UNSIGNED = ("signature", "signature_algorithm", "signatures")
MAX_BYTES, MAX_ENTRIES, MAX_DEPTH = 1024 * 1024, 10_000, 32
MAX_DIGITS = 300
_TAG = "tag:yaml.org,2002:"
_QUOTE = "the manifest's author puts it in quotes"


class NotAManifest(Exception):
    """The bytes are no manifest of any kind; `line` counts from 1."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message if line is None else f"line {line}: {message}")
        self.message, self.line = message, line


class Rejected(Exception):
    """A manifest that may not be used, and the rule that says so."""

    def __init__(self, rule: str, message: str, help: str | None = None) -> None:
        super().__init__(f"{rule}: {message}")
        self.rule, self.message, self.help = rule, message, help


def parse(data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> dict[str, Value]:
    """The mapping that the bytes hold, every text of it encodable and every number finite.

    Raises `NotAManifest`, and `Rejected` by the rules `limits`, `duplicate-key` and `form`.
    """
    if len(data) > max_bytes:
        raise Rejected("limits", f"{len(data)} bytes, of at most {max_bytes}", "raise `caps` in settings/remote.yml")
    text = _text(data)
    try:
        value = _value(text, max_depth)
        if not isinstance(value, dict):
            raise NotAManifest("it is not a mapping")
        if "\\u" in text:  # nothing else makes a surrogate
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise _too_deep(max_depth) from error
    except UnicodeEncodeError as error:
        raise Rejected("form", "text with an unpaired surrogate") from error
    return value


def canonical(document: Mapping[str, Any]) -> bytes:
    """What is signed: all but the signatures, as JSON with sorted keys, no spaces, and non-ASCII as `\\uXXXX`."""
    signed = {name: value for name, value in document.items() if name not in UNSIGNED}
    return json.dumps(signed, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def is_json(data: bytes) -> bool:
    """Whether a document that `parse` accepts is JSON; else it is YAML."""
    try:
        json.loads(_text(data))
    except json.JSONDecodeError:
        return False
    return True


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise NotAManifest(f"byte 0x{data[error.start]:02x} is not UTF-8", line) from error


def _value(text: str, max_depth: int) -> Value:
    try:
        value: Value = json.loads(
            text, object_pairs_hook=_mapping, parse_int=_int, parse_float=_finite, parse_constant=_not_finite
        )
    except json.JSONDecodeError:
        return _yaml(text, max_depth)
    level: list[Value] = [value]
    for _ in range(max_depth + 1):
        level = [inner for each in level for inner in _within(each)]
    if level:
        raise _too_deep(max_depth)
    return value


def _within(value: Value) -> Iterable[Value]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        names = Counter(name for name, _ in pairs)
        twice = names.most_common(1)[0][0]
        raise Rejected("duplicate-key", f"{_shown(twice)} stands twice in one mapping")
    return mapping


def _int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise Rejected("limits", f"a number of {len(text)} characters, of at most {MAX_DIGITS}")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    return number if isfinite(number) else _not_finite(text)


def _not_finite(text: str) -> float:
    raise Rejected("form", f"{_shown(text)} is not a finite number")


def _yaml(text: str, max_depth: int) -> Value:
    try:
        return _Events(text, max_depth).read()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = min(mark.line, text.rstrip("\n").count("\n")) + 1 if mark else None
        raise NotAManifest(error.problem or "neither JSON nor YAML", line) from error
    except ReaderError as error:
        raise NotAManifest(f"the character U+{error.character:04X} cannot be in YAML") from error


class _Events:
    """Folds libyaml's events into values."""

    def __init__(self, text: str, max_depth: int) -> None:
        self.max_depth = max_depth
        self.stream: Iterator[yaml.Event] = iter(yaml.parse(text, Loader=yaml.CLoader))

    def read(self) -> Value:
        value: Value = None
        documents = 0
        for event in self.stream:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _refused(event, "form", "a second document")
            elif not isinstance(event, (yaml.StreamStartEvent, yaml.StreamEndEvent, yaml.DocumentEndEvent)):
                value = self._value(event, 0)
        return value

    def _value(self, event: yaml.Event, depth: int) -> Value:
        if depth > self.max_depth:
            raise _too_deep(self.max_depth)
        if isinstance(event, yaml.AliasEvent):
            raise _refused(event, "form", f"an alias, {_shown('*' + str(event.anchor))}")
        if getattr(event, "anchor", None):
            raise _refused(event, "form", "an anchor")
        if getattr(event, "tag", None):
            raise _refused(event, "form", "a tag", "the manifest's author leaves it out")
        if isinstance(event, yaml.ScalarEvent):
            return event.value if event.style else _scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Value] = []
            while not isinstance(inner := next(self.stream), yaml.SequenceEndEvent):
                items.append(self._value(inner, depth + 1))
            return items
        return self._mapping(depth)

    def _mapping(self, depth: int) -> dict[str, Value]:
        mapping: dict[str, Value] = {}
        while not isinstance(event := next(self.stream), yaml.MappingEndEvent):
            key = self._value(event, depth + 1)
            if not isinstance(key, str):
                raise _refused(event, "form", "a key that is not text", _QUOTE)
            if key == "<<" and isinstance(event, yaml.ScalarEvent) and not event.style:
                raise _refused(event, "form", "a merge key, `<<`")
            if key in mapping:
                raise _refused(event, "duplicate-key", f"{_shown(key)} stands twice in one mapping")
            mapping[key] = self._value(next(self.stream), depth + 1)
        return mapping


_RULES: Any = yaml.SafeLoader("")


def _scalar(event: yaml.ScalarEvent) -> Value:
    text: str = event.value
    try:
        return _word(text) if len(text) <= _WORD else _plain(text)
    except Rejected as error:
        raise _refused(event, error.rule, error.message, _QUOTE) from error


def _plain(text: str) -> bool | int | float | str | None:
    """A plain scalar by the rules of YAML 1.1, as PyYAML has them; a timestamp is text."""
    tag = str(_RULES.resolve(yaml.ScalarNode, text, (True, False)))
    node = yaml.ScalarNode(tag, text)
    kind = tag.removeprefix(_TAG)
    if kind == "null":
        return None
    if kind == "bool":
        return bool(_RULES.construct_yaml_bool(node))
    if kind not in ("int", "float"):
        return text
    if len(text) > MAX_DIGITS:
        raise Rejected("limits", f"a number of {len(text)} characters, of at most {MAX_DIGITS}")
    try:
        number: int | float = _RULES.construct_yaml_int(node) if kind == "int" else _RULES.construct_yaml_float(node)
    except (ValueError, OverflowError) as error:
        raise Rejected("form", f"{_shown(text)}, which is not a number") from error
    return number if isfinite(number) else _not_finite(text)


_WORD = 64
_word = lru_cache(maxsize=4096)(_plain)
"""The same, remembered: manifests say few words often. What is longer than that could fill the memory."""


def _refused(event: yaml.Event, rule: str, what: str, help: str | None = None) -> Rejected:
    assert event.start_mark is not None
    return Rejected(rule, f"line {event.start_mark.line + 1}: {what}", help)


def _too_deep(max_depth: int) -> Rejected:
    return Rejected("limits", f"nested deeper than {max_depth} levels", "raise `caps` in settings/remote.yml")


def _shown(text: str) -> str:
    return f"`{text}`" if len(text) <= 60 else f"`{text[:57]}...`"
