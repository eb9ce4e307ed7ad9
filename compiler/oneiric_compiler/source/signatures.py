"""What a factory takes and what it makes, read from its source."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from oneiric_compiler.diagnostics.found import Place
from oneiric_compiler.source import entering
from oneiric_compiler.source.annotations import read_type
from oneiric_compiler.source.modules import Function, Module, Sources, Symbol, dotted_name, statements
from oneiric_compiler.source.nodes import unquoted
from oneiric_compiler.source.types import Parameter

GENERIC = frozenset(f"{module}.Generic" for module in ("typing", "typing_extensions"))
TYPE_VARIABLES = frozenset(
    f"{module}.{name}"
    for module in ("typing", "typing_extensions")
    for name in ("TypeVar", "ParamSpec", "TypeVarTuple")
)

_KNOWN = frozenset(
    (
        *("oneiric.component", "oneiric.declaration.component", "dataclasses.dataclass", *entering.MANAGERS),
        *("builtins.classmethod", "builtins.staticmethod"),
    )
)
_SELF = frozenset(("typing.Self", "typing_extensions.Self"))


@dataclass(frozen=True, slots=True)
class Signature:
    """A factory: what it takes and what it makes.

    `parameters` is None when they cannot be read; `open` when further keywords are taken; `made` is the class an
    instance has, when in sight, and `result` its `module:Class`. What it gives is `entered` for the instance, which
    `is_async` or not, as the call of one that gives the instance itself; `mistake` is why it cannot be.
    """

    place: Place
    parameters: Mapping[str, Parameter] | None
    open: bool = False
    is_async: bool = False
    entered: bool = False
    made: Symbol | None = None
    result: str | None = None
    mistake: entering.Mistake | None = None


def signature(sources: Sources, factory: Symbol) -> Signature:
    """The signature of a class or function; see `Signature` for what is unknown."""
    node = factory.node
    if isinstance(node, ast.ClassDef):
        parameters, takes_more = _class_parameters(sources, factory)
        return Signature(factory.place, parameters, takes_more, made=factory, result=_named(sources, factory))
    assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    module, foreign = factory.module, _foreign_decorators(sources, factory.module, node.decorator_list)
    way = entering.way(sources, module, node, foreign=foreign)
    returns = entering.yielded(sources, module, node) if way else node.returns
    made, result = _own_class(sources, factory, returns) or _made(sources, module, returns)
    is_async = way == "async" if way or foreign else isinstance(node, ast.AsyncFunctionDef)
    of_class = _of_class(sources, factory)
    parameters, takes_more = (None, True) if foreign else _parameters(sources, module, node, skip_self=of_class)
    mistake = entering.mistake(sources, factory) if way and not foreign else None
    return Signature(factory.place, parameters, takes_more, is_async, way is not None, made, result, mistake)


def is_factory(sources: Sources, method: Symbol) -> bool:
    """Whether a method is called on its class: a classmethod or a staticmethod."""
    assert isinstance(method.node, (ast.FunctionDef, ast.AsyncFunctionDef))
    kinds = {_decorator(sources, method.module, each) for each in method.node.decorator_list}
    return not kinds.isdisjoint(("builtins.classmethod", "builtins.staticmethod"))


def _of_class(sources: Sources, factory: Symbol) -> bool:
    """Whether it is a classmethod, whose first parameter is the class."""
    decorators = getattr(factory.node, "decorator_list", ())
    return any(_decorator(sources, factory.module, each) == "builtins.classmethod" for each in decorators)


def _own_class(sources: Sources, factory: Symbol, returns: ast.expr | None) -> tuple[Symbol | None, str | None] | None:
    """The class that a method is called on, where that is what it makes: `Self`, or T of `cls: type[T]`."""
    node = unquoted(returns)
    name = dotted_name(node) if node is not None else None
    if factory.owner is None or name is None:
        return None
    found = sources.resolve_in(factory.module, name)
    itself = found in _SELF if isinstance(found, str) else _is_type_variable(sources, factory.module, name)
    return (factory.owner, _named(sources, factory.owner)) if itself else None


def _class_parameters(sources: Sources, cls: Symbol) -> tuple[dict[str, Parameter] | None, bool]:
    assert isinstance(cls.node, ast.ClassDef)
    own = [s for s in statements(cls.node.body) if isinstance(s, ast.FunctionDef) and s.name == "__init__"]
    if own:
        return _parameters(sources, cls.module, own[-1], skip_self=True)
    if _is_dataclass(sources, cls):
        return _dataclass_fields(sources, cls), False
    members = sources.members(cls)
    if "__init__" in members.by_name:
        module, statement = members.by_name["__init__"]
        if isinstance(statement, ast.FunctionDef):
            return _parameters(sources, module, statement, skip_self=True)
    dataclass_bases = any(isinstance(base, Symbol) and _is_dataclass(sources, base) for base in sources.bases(cls))
    if dataclass_bases:
        return _dataclass_fields(sources, cls, own=False), False
    readable = members.complete and not _foreign_decorators(sources, cls.module, cls.node.decorator_list)
    return ({}, False) if readable else (None, True)


def _parameters(
    sources: Sources, module: Module, node: Function, *, skip_self: bool = False
) -> tuple[dict[str, Parameter] | None, bool]:
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = len(positional) - len(arguments.defaults)
    found: dict[str, Parameter] = {}
    for index, argument in enumerate(positional):
        if (skip_self and index == 0) or (index < len(arguments.posonlyargs) and index >= defaults):
            continue
        by_name = index >= len(arguments.posonlyargs)
        found[argument.arg] = _parameter(sources, module, argument, index < defaults, by_name)
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found[argument.arg] = _parameter(sources, module, argument, default is None)
    return found, arguments.kwarg is not None


def _parameter(sources: Sources, module: Module, argument: ast.arg, required: bool, by_name: bool = True) -> Parameter:
    kind = read_type(sources, module, argument.annotation)
    return Parameter(argument.arg, kind, required, by_name, module.annotated(argument, argument.arg))


def _is_dataclass(sources: Sources, cls: Symbol) -> bool:
    return isinstance(cls.node, ast.ClassDef) and any(
        _decorator(sources, cls.module, each) == "dataclasses.dataclass" for each in cls.node.decorator_list
    )


def _dataclass_fields(sources: Sources, cls: Symbol, *, own: bool = True) -> dict[str, Parameter]:
    found: dict[str, Parameter] = {}
    for base in sources.bases(cls):
        if isinstance(base, Symbol) and _is_dataclass(sources, base):
            found.update(_dataclass_fields(sources, base))
    assert isinstance(cls.node, ast.ClassDef)
    for statement in cls.node.body if own else ():
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        annotation = ast.unparse(statement.annotation)
        options = statement.value.keywords if isinstance(statement.value, ast.Call) else []
        given = {option.arg: option.value for option in options}
        hidden = isinstance(init := given.get("init"), ast.Constant) and init.value is False
        if hidden or "ClassVar" in annotation or annotation.rpartition(".")[2] == "KW_ONLY":
            continue
        called = statement.value.func if isinstance(statement.value, ast.Call) else None
        is_field = called is not None and (dotted_name(called) or "").rpartition(".")[2] == "field"
        has_default = bool(given.keys() & {"default", "default_factory"}) if is_field else statement.value is not None
        name = statement.target.id
        kind = read_type(sources, cls.module, statement.annotation)
        found[name] = Parameter(name, kind, not has_default, place=cls.module.annotated(statement, name))
    return found


def _foreign_decorators(sources: Sources, module: Module, decorators: list[ast.expr]) -> bool:
    return any(_decorator(sources, module, each) not in _KNOWN for each in decorators)


def _decorator(sources: Sources, module: Module, node: ast.expr) -> str:
    name = dotted_name(node.func if isinstance(node, ast.Call) else node)
    found = sources.resolve_in(module, name) if name else "?"
    return found.qualified if isinstance(found, Symbol) else found


def _made(sources: Sources, module: Module, returns: ast.expr | None) -> tuple[Symbol | None, str | None]:
    node = unquoted(returns)
    of_something = isinstance(node, ast.Subscript)
    name = dotted_name(node.value if isinstance(node, ast.Subscript) else node) if node is not None else None
    found = sources.resolve_in(module, name) if name else None
    if isinstance(found, Symbol):
        return (found, _named(sources, found)) if isinstance(found.node, ast.ClassDef) else (None, None)
    if of_something:
        return None, None
    owner, _, last = (found or "").rpartition(".")
    if owner in ("", "builtins") or (sources.exists(owner.partition(".")[0]) and not sources.module(owner)):
        return None, None
    return None, f"{owner}:{last}"


def _named(sources: Sources, cls: Symbol) -> str | None:
    """How the wiring names a class; None where it cannot, since it would have to say of what the class is."""
    return None if is_generic(sources, cls) else f"{cls.module.name}:{cls.name}"


def is_generic(sources: Sources, cls: Symbol) -> bool:
    """Whether the class has type parameters left open."""
    assert isinstance(cls.node, ast.ClassDef)
    return bool(getattr(cls.node, "type_params", ())) or any(
        isinstance(base, ast.Subscript)
        and (
            sources.resolve_in(cls.module, dotted_name(base.value) or "?") in GENERIC
            or any(_is_type_variable(sources, cls.module, name) for name in _names(base.slice))
        )
        for base in cls.node.bases
    )


def _is_type_variable(sources: Sources, module: Module, name: str) -> bool:
    found = sources.resolve_in(module, name)
    if not isinstance(found, Symbol) or not isinstance(found.node, ast.Call):
        return False
    return _decorator(sources, found.module, found.node) in TYPE_VARIABLES


def _names(node: ast.expr) -> Iterable[str]:
    return (each.id for each in ast.walk(node) if isinstance(each, ast.Name))
