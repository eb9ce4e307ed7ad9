"""YAML that holds what JSON holds, by PyYAML, with the values of YAML 1.2: so `NO` and `12:30:45` are texts."""

from __future__ import annotations

import re
from typing import Any, cast

import yaml

_ALIASED = 100_000  # values that aliases may make besides those that are written

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOLEAN = re.compile(r"true|True|TRUE|false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_CORE = (("null", _NULL), ("bool", _BOOLEAN), ("int", _INTEGER), ("float", _NUMBER))


class NotRead(Exception):
    """A text that is not read; why, with the place where there is one."""


def dumped(value: Any, *, sort_keys: bool, allow_unicode: bool) -> str:
    """The value as YAML that readers of YAML 1.1 and of 1.2 read as the same."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=sort_keys, allow_unicode=allow_unicode)
    return text


def loaded(text: str, depth: int) -> Any:
    """The value of the one document in a text that nests no deeper than so. Raises `NotRead`."""
    try:
        _look_at(text, depth)
        value = yaml.load(text, Loader=_Loader)
        _check_aliases(value, len(text) + _ALIASED)
    except yaml.MarkedYAMLError as error:
        at = (
            f" (line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1})"
            if error.problem_mark
            else ""
        )
        raise NotRead(f"{'is not YAML' if error.note is None else error.note}{at}") from None
    except (yaml.YAMLError, ValueError):
        raise NotRead("is not YAML") from None
    return value


def _look_at(text: str, depth: int) -> None:
    """See how deep a text nests before anything recurses into it, which libyaml does without a limit."""
    now = documents = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        documents += isinstance(event, yaml.DocumentStartEvent)
        now += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if now > depth:
            raise NotRead(f"nests more than {depth} deep")
        if documents > 1:
            raise NotRead("holds more than one document")


def _check_aliases(value: Any, most: int) -> None:
    """See that what aliases repeat is not, written out, more than so many values, nor a part of itself."""
    sizes: dict[int, int | None] = {}  # None while it is being counted

    def size(each: object) -> int:
        if not isinstance(each, dict | list):
            return 1
        inner = cast("dict[str, object] | list[object]", each)
        if id(inner) not in sizes:
            sizes[id(inner)] = None
            sizes[id(inner)] = 1 + sum(map(size, inner.values() if isinstance(inner, dict) else inner))
        found = sizes[id(inner)]
        if found is None:
            raise NotRead("holds an alias of what it is a part of")
        return found

    if size(value) > most:
        raise NotRead("holds aliases that make too much of it")


class _Loader(yaml.CSafeLoader):
    """Refuses what JSON has not: tags of its own, merges, the same name twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        construct = cast("Any", self).construct_object
        names = [construct(name, deep=True) for name, _ in node.value]
        for (name, _), found in zip(node.value, names, strict=True):
            if not isinstance(found, str):
                raise _refused("holds a name that is not a text", name)
            if found == "<<" and not name.style:
                raise _refused("holds a merge (`<<`), which is not read", name)
        if len(set(names)) < len(names):
            raise _refused("holds a mapping with the same name twice", node)
        return {found: construct(each, deep=deep) for found, (_, each) in zip(names, node.value, strict=True)}


class _Dumper(yaml.CSafeDumper):
    """Quotes what YAML 1.2 would not take for a text, besides what YAML 1.1 would not."""


def _refused(note: str, node: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem_mark=node.start_mark, note=note)


def _scalar(kind: str, text: str) -> Any:
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int":
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


def _constructor(kind: str, pattern: re.Pattern[str]) -> Any:
    def construct(loader: Any, node: Any) -> Any:
        text = loader.construct_scalar(node)
        if not pattern.fullmatch(text):
            raise _refused(f"holds what is called !!{kind} and is none", node)
        return _scalar(kind, text)

    return construct


_LOADER: Any = _Loader
_DUMPER: Any = _Dumper
_Loader.yaml_implicit_resolvers = {}  # none of YAML 1.1
for _kind, _pattern in _CORE:
    _anchored = re.compile(rf"(?:{_pattern.pattern})\Z")
    for _either in (_LOADER, _DUMPER):
        _either.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", _anchored, None)
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _constructor(_kind, _pattern))
for _kind in ("timestamp", "binary", "omap", "pairs", "set"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", yaml.SafeLoader.yaml_constructors[None])
