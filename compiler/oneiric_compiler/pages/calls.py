"""The tables in the pages of the actions, and the list of these pages, made from the ports' source."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator

from oneiric_compiler.editor.builtin_schemas import builtins_and_sources, name_of
from oneiric_compiler.model import Candidate
from oneiric_compiler.pages.marked import table
from oneiric_compiler.source.annotations import read_type
from oneiric_compiler.source.docstrings import docstring
from oneiric_compiler.source.modules import Module, Symbol
from oneiric_compiler.source.types import AnyOf, Choice, Many, Record, Scalar, Type

_WORDS = {"str": "text", "int": "integer", "float": "number", "bool": "boolean", "None": "null", "Any": "any value"}


class Calls:
    """The built-in actions by `action/KEY`, each with its port: a class whose `__call__` takes keywords."""

    def __init__(self) -> None:
        found, self._sources = builtins_and_sources()
        self._actions = {
            f"action/{key.name}": candidates[0] for key, candidates in sorted(found.items()) if key.domain == "action"
        }

    def index(self, _: str) -> str:
        """`<!-- actions -->`: each with a link to its page, and what it does."""
        return table(self._index())

    def payload(self, action: str) -> str:
        """`<!-- payload of action/KEY -->`: the fields that a call takes."""
        return table(self._payload(action))

    def result(self, action: str) -> str:
        """`<!-- result of action/KEY -->`: the fields of what a call gives."""
        module, call = self._call(action)
        return table(self._result(read_type(self._sources, module, call.returns)))

    def _index(self) -> Iterator[tuple[str, ...]]:
        yield "action", "does", "provider"
        for candidate in self._actions.values():
            name, about = candidate.key.name, docstring(self._sources, self._port(candidate)).about
            first = about.partition(". ")[0].removesuffix(".")
            yield f"[{name}](actions/{name}.md)", first, f"`{name_of(candidate).rpartition('/')[2]}`"

    def _payload(self, action: str) -> Iterator[tuple[str, ...]]:
        yield "field", "type", "default", "meaning"
        module, call = self._call(action)
        told = docstring(self._sources, self._port(self._actions[action])).settings
        for argument, default in zip(call.args.kwonlyargs, call.args.kw_defaults, strict=True):
            kind = _without_null(read_type(self._sources, module, argument.annotation))
            yield f"`{argument.arg}`", _said(kind), _default(default), _meaning(told[argument.arg])

    def _result(self, type: Type) -> Iterator[tuple[str, ...]]:
        yield "field", "type", "meaning"
        for record in type.members if isinstance(type, AnyOf) else (type,):
            assert isinstance(record, Record), f"the result of an action is a TypedDict: {type}"
            symbol = self._sources.find(record.reference)
            assert symbol is not None
            told = docstring(self._sources, symbol).settings
            for field in record.fields:
                yield f"`{field.name}`", _said(field.type), _meaning(told[field.name])

    def _call(self, action: str) -> tuple[Module, ast.AsyncFunctionDef]:
        module, call = self._sources.members(self._port(self._actions[action])).by_name["__call__"]
        assert isinstance(call, ast.AsyncFunctionDef)
        return module, call

    def _port(self, candidate: Candidate) -> Symbol:
        assert candidate.port is not None
        port = self._sources.find(candidate.port.value)
        assert port is not None
        return port


def _without_null(type: Type) -> Type:
    """What may be given, where null is the same as nothing."""
    if not isinstance(type, AnyOf):
        return type
    members = tuple(each for each in type.members if each != Scalar("None"))
    return members[0] if len(members) == 1 else AnyOf(members)


def _said(type: Type) -> str:
    if isinstance(type, Scalar):
        return _WORDS[type.name]
    if isinstance(type, Choice):
        return _either(f"`{value}`" for value in type.values)
    if isinstance(type, AnyOf):
        return _either(map(_said, type.members))
    if isinstance(type, Many):
        return f"mapping to {_said(type.item)}" if type.kind == "dict" else f"list of {_said(type.item)}"
    assert isinstance(type, Record), f"what is this in words: {type}"
    return f"mapping with {', '.join(f'`{field.name}`' for field in type.fields)}"


def _either(kinds: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(kinds))


def _default(default: ast.expr | None) -> str:
    if default is None:
        return "required"
    if not isinstance(default, ast.Constant) or default.value is None:
        return ""
    value = default.value
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _meaning(text: str) -> str:
    return text.removesuffix(".").replace("|", "\\|")
