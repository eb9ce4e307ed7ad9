"""Reads `@component` declarations out of parsed modules."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, cast

from oneiric_compiler.diagnostics.found import Diagnostics, Place, Span, did_you_mean
from oneiric_compiler.model import Declaration, Key
from oneiric_compiler.settings.documents import Document, Value
from oneiric_compiler.settings.schema import report, validator
from oneiric_compiler.source.modules import Function, Module, Sources, Symbol, dotted_name, inner_statements
from oneiric_compiler.tables.options import OPTIONS

COMPONENT = frozenset(("oneiric.component", "oneiric.declaration.component"))
"""The names of the decorator."""


def declarations(
    sources: Sources, module: Module, domains: Iterable[str], diagnostics: Diagnostics
) -> Iterator[Declaration | None]:
    """The declarations of a module in the order of their lines; None for one that cannot be read, and is reported."""
    for node, decorator, top_level in _decorated(sources, module):
        if not top_level:
            message = f"`{node.name}` is declared where it cannot be read from source"
            help = "move it to the top level of the module, outside of `if`, `try`, functions and classes"
            diagnostics.add("ONE203", message, module.span(decorator), help=help)
            yield None
        elif isinstance(decorator, ast.Call):
            yield _declaration(module, node, decorator, frozenset(domains), diagnostics)
        else:
            message = "`@component` needs its arguments"
            help = 'write `@component("adapter", "cache", provider="mine")`'
            diagnostics.add("ONE203", message, module.span(decorator), help=help)
            yield None


def _decorated(sources: Sources, module: Module) -> Iterator[tuple[ast.ClassDef | Function, ast.expr, bool]]:
    """Each `@component` with what it decorates, and whether that stands at the top level."""
    pending = [(statement, True) for statement in reversed(module.tree.body)]
    while pending:
        statement, top_level = pending.pop()
        if isinstance(statement, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            for decorator in statement.decorator_list:
                if is_component(sources, module, decorator):
                    yield statement, decorator, top_level
        pending.extend((inner, False) for inner in reversed(inner_statements(statement)))


def is_component(sources: Sources, module: Module, decorator: ast.expr) -> bool:
    """Whether an expression is `component`, or a call of it."""
    name = dotted_name(decorator.func if isinstance(decorator, ast.Call) else decorator)
    return name is not None and names_component(sources, module, name)


def names_component(sources: Sources, module: Module, name: str) -> bool:
    """Whether a dotted name means `component` at the top level of a module."""
    head = name.partition(".")[0]
    if head not in module.imports and head not in module.definitions:
        return any(f"{star}.{name}" in COMPONENT for star in module.stars)
    found = sources.resolve_in(module, name)
    return (found.qualified if isinstance(found, Symbol) else found) in COMPONENT


def _declaration(
    module: Module,
    node: ast.ClassDef | Function,
    call: ast.Call,
    domains: frozenset[str],
    diagnostics: Diagnostics,
) -> Declaration | None:
    arguments = _literals(module, call, diagnostics)
    if arguments is None:
        return None
    fields: dict[str, Any] = {name: value for name, (value, _) in arguments.items()}
    document = Document(module.source)
    at = module.span(call)
    names = {each.arg: module.keyword_span(each) for each in call.keywords if each.arg}
    document.spans = {(): (at, at)}
    document.spans |= {(name,): (names.get(name, span), span) for name, (_, span) in arguments.items()}
    stated: Value = fields.pop("domain", None)
    domain = stated if isinstance(stated, str) and stated in domains else None
    if domain is None:
        message = "`domain` is missing" if stated is None else f"`{stated}` is not a domain"
        help = partial(did_you_mean, str(stated), domains)
        diagnostics.add("ONE203", message, document.place("domain"), help=help)
    fields["factory"] = f"{module.name}:{node.name}"
    for option in OPTIONS:
        if option.alone and isinstance(fields.get(option.name), str):
            fields[option.name] = [fields[option.name]]
    errors = list(validator("domain", "component").iter_errors(fields))
    for error in errors:
        report(error, document, diagnostics)
    if errors or domain is None:
        return None
    place = module.place(node)
    places = {name: Place(place.pointer, document.spans.get((name,), (at, at))[1]) for name in fields}
    return Declaration(Key(domain, fields["key"]), fields["provider"], fields["factory"], place, fields, places)


def _literals(module: Module, call: ast.Call, diagnostics: Diagnostics) -> dict[str, tuple[Value, Span]] | None:
    found: dict[str, tuple[Value, Span]] = {}
    named = [*zip(("domain", "key"), call.args, strict=False), *((each.arg, each.value) for each in call.keywords)]
    complete = len(call.args) <= 2
    if not complete:
        message = "`component` takes the domain and the key by position, and nothing else"
        diagnostics.add("ONE203", message, module.span(call.args[2]), help="name the argument: `provider=`")
    for name, node in named:
        span = module.span(node)
        value = _literal(node)
        if name == "factory":
            message = "the factory is what the decorator stands on"
            diagnostics.add("ONE203", message, span, help="remove the argument `factory`")
            complete = False
        elif name == "provided":
            message = "what stands under a decorator makes the instance, and one that is provided is handed in"
            help = "write it into settings: `components: [{key: …, provided: true, port: …}]`"
            diagnostics.add("ONE203", message, span, help=help)
            complete = False
        elif name is None or value is _NOT_LITERAL:
            what = f"`{name}`" if name else "`**`"
            message = f"{what} is not a literal, so it cannot be read from source"
            diagnostics.add("ONE203", message, span, help="write the value out in the decorator")
            complete = False
        else:
            if value is not None:
                found[name] = (value, span)
    return found if complete else None


_NOT_LITERAL: Any = object()


def _literal(node: ast.expr) -> Any:
    try:
        return _plain(ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return _NOT_LITERAL


def _plain(value: object) -> Value:
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in cast("Iterable[object]", value)]
    if isinstance(value, dict):
        mapping = cast("dict[object, object]", value)
        return {_text(key): _plain(item) for key, item in mapping.items()}
    if isinstance(value, (str, int, float, type(None))):
        return value
    raise ValueError(value)


def _text(key: object) -> str:
    if isinstance(key, str):
        return key
    raise ValueError(key)
