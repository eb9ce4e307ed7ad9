"""Classes whose instances settings write as mappings: dataclasses, classes of attrs, models of pydantic, structs of
msgspec. What their source says of the keywords that make an instance.

A class is read as a whole or not at all: with a base out of sight, an `__init__` of its own, a decorator or names that
are made by code, its keywords would be guessed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from oneiric_compiler.source.modules import HARMLESS_BASES, Module, Sources, Symbol
from oneiric_compiler.source.nodes import fields, literal, named, unquoted

_DECORATORS = {
    "dataclasses.dataclass": "dataclass",
    "pydantic.dataclasses.dataclass": "dataclass",
    **{f"{module}.{name}": "attrs" for module in ("attr", "attrs") for name in ("define", "frozen", "mutable")},
}
_MODELS = {"pydantic.BaseModel": "pydantic", "pydantic.main.BaseModel": "pydantic", "msgspec.Struct": "msgspec"}
_HARMLESS_DECORATORS = frozenset(
    ("typing.final", "typing_extensions.final", "functools.total_ordering", "typing.dataclass_transform")
)
_SPECIFIERS = frozenset(
    (
        "dataclasses.field",
        "attrs.field",
        "attr.field",
        "attr.ib",
        "pydantic.Field",
        "pydantic.fields.Field",
        "msgspec.field",
    )
)
_NO_FIELDS = frozenset(("typing.ClassVar", "typing_extensions.ClassVar", "dataclasses.KW_ONLY"))
_INIT_ONLY = "dataclasses.InitVar"
_ANNOTATED = frozenset(("typing.Annotated", "typing_extensions.Annotated"))
_DEFAULTS = frozenset(("default", "default_factory", "factory"))
_MAKERS = frozenset(("__init__", "__new__", "__attrs_init__"))


class Field(NamedTuple):
    """A keyword that makes an instance, and what states it; `converted` where a function takes another type first."""

    name: str
    module: Module
    statement: ast.AnnAssign
    annotation: ast.expr
    required: bool
    converted: bool


def object_fields(sources: Sources, cls: Symbol) -> Mapping[str, Field] | None:
    """The keywords that make an instance, by attribute; None where the class is no such one or cannot be read."""
    kind = _kind(sources, cls, frozenset())
    return None if kind is None else _fields(sources, cls, kind, frozenset())


def _kind(sources: Sources, cls: Symbol, seen: frozenset[str]) -> str | None:
    """What makes the class: its own decorator, else that of a base, or a base that is a model."""
    if not isinstance(cls.node, ast.ClassDef) or cls.qualified in seen:
        return None
    if own := _decorated(sources, cls):
        return own
    for base in sources.bases(cls):
        kind = _MODELS.get(base) if isinstance(base, str) else _kind(sources, base, seen | {cls.qualified})
        if kind is not None:
            return kind
    return None


def _decorated(sources: Sources, cls: Symbol) -> str | None:
    assert isinstance(cls.node, ast.ClassDef)
    names = (named(sources, cls.module, each) for each in cls.node.decorator_list)
    return next((_DECORATORS[name] for name in names if name in _DECORATORS), None)


def _fields(sources: Sources, cls: Symbol, kind: str, seen: frozenset[str]) -> dict[str, Field] | None:
    if not isinstance(cls.node, ast.ClassDef) or cls.qualified in seen or not _readable(sources, cls):
        return None
    found: dict[str, Field] = {}
    for base in reversed(list(sources.bases(cls))):
        if isinstance(base, str):
            if base not in HARMLESS_BASES and base not in _MODELS:
                return None
            continue
        inherited = _fields(sources, base, kind, seen | {cls.qualified})
        if inherited is None:
            return None
        found |= inherited
    if kind in _MODELS.values() or _decorated(sources, cls):
        for attribute, own in _own(sources, cls, kind):
            if own is None:
                return None
            found[attribute] = own
    return found


def _readable(sources: Sources, cls: Symbol) -> bool:
    """Whether the class is made as its fields say: no decorator, option or method has a say in it."""
    assert isinstance(cls.node, ast.ClassDef)
    options = {each.arg: literal(each.value) for each in cls.node.keywords}
    for decorator in cls.node.decorator_list:
        if named(sources, cls.module, decorator) not in _DECORATORS.keys() | _HARMLESS_DECORATORS:
            return False
        stated = decorator.keywords if isinstance(decorator, ast.Call) else []
        options |= {each.arg: literal(each.value) for each in stated}
    if options.keys() & {"alias_generator", "field_transformer", "these"} or options.get("init") is False:
        return False
    return not any(_has_a_say(sources, cls.module, each) for each in cls.node.body)


def _has_a_say(sources: Sources, module: Module, statement: ast.stmt) -> bool:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return statement.name in _MAKERS
    if isinstance(statement, ast.Assign) and named(sources, module, statement.value) in _SPECIFIERS:
        return True
    configures = isinstance(statement, ast.ClassDef) or (
        isinstance(statement, ast.Assign)
        and any(isinstance(each, ast.Name) and each.id == "model_config" for each in statement.targets)
    )
    return configures and "alias_generator" in ast.dump(statement)


def _own(sources: Sources, cls: Symbol, kind: str) -> Iterator[tuple[str, Field | None]]:
    """The fields of the class's own body by attribute; None for one whose keyword is not a literal."""
    computed = _computed_defaults(cls)
    for attribute, statement in fields(cls):
        annotation = unquoted(statement.annotation)
        assert annotation is not None
        wrapper = named(sources, cls.module, annotation)
        if wrapper in _NO_FIELDS or (kind == "pydantic" and attribute.startswith("_")):
            continue
        if wrapper == _INIT_ONLY and isinstance(annotation, ast.Subscript):
            annotation = annotation.slice
        options = _options(sources, cls.module, statement, annotation)
        if literal(options["init"]) is False if "init" in options else False:
            continue
        name = _keyword(attribute, kind, options)
        default = statement.value is not None and named(sources, cls.module, statement.value) not in _SPECIFIERS
        required = not (default or options.keys() & _DEFAULTS or attribute in computed)
        found = Field(name, cls.module, statement, annotation, required, "converter" in options) if name else None
        yield attribute, found


def _computed_defaults(cls: Symbol) -> set[str]:
    """The attributes that a method gives a default: `@NAME.default`, of attrs."""
    assert isinstance(cls.node, ast.ClassDef)
    methods = (each for each in cls.node.body if isinstance(each, ast.FunctionDef))
    decorators = (each for method in methods for each in method.decorator_list)
    return {
        each.value.id
        for each in decorators
        if isinstance(each, ast.Attribute) and each.attr == "default" and isinstance(each.value, ast.Name)
    }


def _options(sources: Sources, module: Module, statement: ast.AnnAssign, annotation: ast.expr) -> dict[str, ast.expr]:
    """What the calls that specify a field say of it, the default among it, also where it is given by position."""
    calls = [statement.value]
    if named(sources, module, annotation) in _ANNOTATED and isinstance(annotation, ast.Subscript):
        calls = [*getattr(annotation.slice, "elts", ())[1:], *calls]
    found: dict[str, ast.expr] = {}
    for call in calls:
        if isinstance(call, ast.Call) and named(sources, module, call) in _SPECIFIERS:
            found |= {each.arg: each.value for each in call.keywords if each.arg}
            if call.args and literal(call.args[0]) is not ...:
                found["default"] = call.args[0]
    return found


def _keyword(attribute: str, kind: str, options: Mapping[str, ast.expr]) -> str | None:
    """The keyword that gives the attribute its value; None where no literal says it."""
    stated = options.get("validation_alias", options.get("alias")) if kind in ("pydantic", "attrs") else None
    if stated is None:
        return attribute.lstrip("_") if kind == "attrs" else attribute
    name = literal(stated)
    return name if isinstance(name, str) and name.isidentifier() else None
