"""What a factory takes, read from its source: parameters and the types that the compiler can check.

Readable types: scalars, Literal, list, tuple[T, ...], set, frozenset, dict[str, T], Optional and unions of these,
Path, Enum classes, `oneiric.Secret`. All else is `Unchecked` and left to the type checker on the wiring.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from oneiric_compiler.diagnostics.found import Place
from oneiric_compiler.source.modules import Function, Module, Sources, Symbol, dotted_name, is_generator, statements

SCALARS = {
    "builtins.str": "str",
    "builtins.int": "int",
    "builtins.float": "float",
    "builtins.bool": "bool",
    "pathlib.Path": "Path",
    "oneiric.Secret": "Secret",
    "oneiric.secret.Secret": "Secret",
    "typing.Any": "Any",
    "builtins.object": "Any",
}
COLLECTIONS = {
    **{f"builtins.{name}": name for name in ("list", "tuple", "set", "frozenset", "dict")},
    **{f"typing.{name.capitalize()}": name for name in ("list", "tuple", "set", "dict")},
    "typing.FrozenSet": "frozenset",
    **{f"{m}.Sequence": "list" for m in ("typing", "collections.abc")},
    **{f"{m}.Iterable": "list" for m in ("typing", "collections.abc")},
    **{f"{m}.Collection": "list" for m in ("typing", "collections.abc")},
    **{f"{m}.Mapping": "dict" for m in ("typing", "collections.abc")},
    **{f"{m}.MutableMapping": "dict" for m in ("typing", "collections.abc")},
}
GENERIC = frozenset(f"{module}.Generic" for module in ("typing", "typing_extensions"))
TYPE_VARIABLES = frozenset(
    f"{module}.{name}"
    for module in ("typing", "typing_extensions")
    for name in ("TypeVar", "ParamSpec", "TypeVarTuple")
)
CONTEXT_MANAGERS = frozenset(("contextlib.contextmanager", "contextlib.asynccontextmanager"))
_ENTERED = frozenset(
    f"{module}.{prefix}{name}"
    for module in ("typing", "contextlib", "collections.abc", "typing_extensions")
    for prefix in ("", "Async", "Abstract", "AbstractAsync")
    for name in ("ContextManager", "Generator", "Iterator")
)
ENUMS = frozenset(f"enum.{name}" for name in ("Enum", "StrEnum", "IntEnum"))


@dataclass(frozen=True, slots=True)
class Scalar:
    """str, int, float, bool, None, Path, Secret or Any."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Choice:
    values: tuple[str | int | bool | None, ...]

    def __str__(self) -> str:
        return f"Literal[{', '.join(repr(value) for value in self.values)}]"


@dataclass(frozen=True, slots=True)
class Enumeration:
    reference: str
    members: tuple[str, ...]

    def __str__(self) -> str:
        return self.reference.rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class Many:
    """A list, tuple, set or frozenset of items, or a dict from strings to items."""

    kind: str
    item: Type

    def __str__(self) -> str:
        inner = {"dict": f"str, {self.item}", "tuple": f"{self.item}, ..."}.get(self.kind, str(self.item))
        return f"{self.kind}[{inner}]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    members: tuple[Type, ...]

    def __str__(self) -> str:
        return " | ".join(str(member) for member in self.members)


@dataclass(frozen=True, slots=True)
class Unchecked:
    """What is not read; `reference` is `module:Name` where it is a class, `is_protocol` when it is seen to be one."""

    text: str
    reference: str = ""
    is_protocol: bool = False

    def __str__(self) -> str:
        return self.text


Type: TypeAlias = "Scalar | Choice | Enumeration | Many | AnyOf | Unchecked"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter; `by_name` unless it can only be given by position, which a wiring never does."""

    name: str
    type: Type
    required: bool
    by_name: bool = True
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """A factory: what it takes and what it makes.

    `parameters` is None when they cannot be read; `open` when further keywords are taken; `made` is the class an
    instance has, when in sight, and `result` its `module:Class`.
    """

    place: Place
    parameters: Mapping[str, Parameter] | None
    open: bool = False
    is_async: bool = False
    made: Symbol | None = None
    result: str | None = None


def signature(sources: Sources, factory: Symbol) -> Signature:
    """The signature of a class or function; see `Signature` for what is unknown."""
    node = factory.node
    if isinstance(node, ast.ClassDef):
        parameters, takes_more = _class_parameters(sources, factory)
        return Signature(factory.place, parameters, takes_more, made=factory, result=_named(sources, factory))
    assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    made, result = _made(sources, factory.module, node.returns)
    if _foreign_decorators(sources, factory.module, node.decorator_list):
        return Signature(factory.place, None, True, made=made, result=result)
    parameters, takes_more = _parameters(sources, factory.module, node)
    return Signature(factory.place, parameters, takes_more, isinstance(node, ast.AsyncFunctionDef), made, result)


def is_entered(sources: Sources, factory: Symbol) -> bool:
    """Whether a function gives no instance, but a generator or context manager that has to be entered first."""
    node = factory.node
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return False
    if any(_decorator(sources, factory.module, each) in CONTEXT_MANAGERS for each in node.decorator_list):
        return True
    if _foreign_decorators(sources, factory.module, node.decorator_list):
        return False
    returns = _unquoted(node.returns)
    name = dotted_name(returns.value if isinstance(returns, ast.Subscript) else returns) if returns else None
    return is_generator(node) or (name is not None and sources.resolve_in(factory.module, name) in _ENTERED)


def is_protocol(sources: Sources, symbol: Symbol) -> bool:
    """Whether a class is derived from `typing.Protocol` itself, as protocols have to be."""
    return isinstance(symbol.node, ast.ClassDef) and any(
        base in ("typing.Protocol", "typing_extensions.Protocol") for base in sources.bases(symbol)
    )


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
    return Parameter(argument.arg, kind, required, by_name, _place(module, argument.arg, argument))


def _place(module: Module, name: str, node: ast.arg | ast.AnnAssign) -> Place:
    return Place(f"{module.source.path}#{name}", module.span(node))


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
        found[name] = Parameter(name, kind, not has_default, place=_place(cls.module, name, statement))
    return found


def _foreign_decorators(sources: Sources, module: Module, decorators: list[ast.expr]) -> bool:
    known = {"oneiric.component", "oneiric.declaration.component", "dataclasses.dataclass"}
    return any(_decorator(sources, module, each) not in known for each in decorators)


def _decorator(sources: Sources, module: Module, node: ast.expr) -> str:
    name = dotted_name(node.func if isinstance(node, ast.Call) else node)
    found = sources.resolve_in(module, name) if name else "?"
    return found.qualified if isinstance(found, Symbol) else found


def _made(sources: Sources, module: Module, returns: ast.expr | None) -> tuple[Symbol | None, str | None]:
    node = _unquoted(returns)
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


def unread(type: Type) -> Iterator[str]:
    """The types in a type that are not read, as the source writes them."""
    if isinstance(type, Unchecked):
        yield type.text
    elif isinstance(type, AnyOf):
        yield from (each for member in type.members for each in unread(member))
    elif isinstance(type, Many):
        yield from unread(type.item)


def read_type(
    sources: Sources, module: Module, annotation: ast.expr | None, aliases: frozenset[str] = frozenset()
) -> Type:
    """The type an annotation states, as far as the compiler reads it.

    `aliases` are those that led here: one that is stated by means of itself is not read.
    """
    node = _unquoted(annotation)
    if node is None:
        return Scalar("Any")
    if isinstance(node, ast.Constant) and node.value is None:
        return Scalar("None")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union(read_type(sources, module, side, aliases) for side in (node.left, node.right))
    if isinstance(node, ast.Subscript):
        return _generic(sources, module, node, aliases)
    name = dotted_name(node)
    found = sources.resolve_in(module, name) if name else None
    qualified = found.qualified if isinstance(found, Symbol) else found or ""
    if qualified in SCALARS:
        return Scalar(SCALARS[qualified])
    if qualified in COLLECTIONS:
        return Many(COLLECTIONS[qualified], Scalar("Any"))
    if isinstance(found, Symbol) and (members := _enum_members(sources, found)):
        return Enumeration(f"{found.module.name}:{found.name}", members)
    if isinstance(found, Symbol) and isinstance(found.node, (ast.Subscript, ast.BinOp)) and qualified not in aliases:
        return read_type(sources, found.module, found.node, aliases | {qualified})
    owner, _, last = qualified.rpartition(".")
    return Unchecked(ast.unparse(node), f"{owner}:{last}", isinstance(found, Symbol) and is_protocol(sources, found))


def _generic(sources: Sources, module: Module, node: ast.Subscript, aliases: frozenset[str]) -> Type:
    name = dotted_name(node.value)
    found = sources.resolve_in(module, name) if name else None
    arguments = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if found in ("typing.Literal", "typing_extensions.Literal"):
        values = tuple(_literal(argument) for argument in arguments)
        stated = tuple(value for value in values if isinstance(value, (str, int, bool, type(None))))
        return Choice(stated) if len(stated) == len(values) else Unchecked(ast.unparse(node))
    types = [read_type(sources, module, argument, aliases) for argument in arguments]
    if found == "typing.Optional":
        return _union([*types, Scalar("None")])
    if found == "typing.Union":
        return _union(types)
    if found in ("typing.Annotated", "typing_extensions.Annotated"):
        return types[0]
    kind = COLLECTIONS.get(found, "") if isinstance(found, str) else ""
    if kind == "dict" and len(types) == 2 and types[0] == Scalar("str"):
        return Many(kind, types[1])
    variadic = len(arguments) == 2 and isinstance(last := arguments[-1], ast.Constant) and last.value is ...
    if (kind in ("list", "set", "frozenset") and len(types) == 1) or (kind == "tuple" and variadic):
        return Many(kind, types[0])
    return Unchecked(ast.unparse(node))


def _literal(node: ast.expr) -> object:
    """The value of a constant, signed numbers included; the node itself of all else."""
    try:
        value: object = ast.literal_eval(node)
    except ValueError:
        return node
    return value


def _union(types: Iterable[Type]) -> Type:
    members: list[Type] = []
    for each in types:
        members.extend(each.members if isinstance(each, AnyOf) else [each])
    return AnyOf(tuple(dict.fromkeys(members)))


def _enum_members(sources: Sources, symbol: Symbol) -> tuple[str, ...]:
    if not isinstance(symbol.node, ast.ClassDef) or not _is_enum(sources, symbol, frozenset()):
        return ()
    return tuple(
        target.id
        for statement in symbol.node.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name) and not target.id.startswith("_")
    )


def _is_enum(sources: Sources, cls: Symbol, seen: frozenset[str]) -> bool:
    return any(
        base in ENUMS
        if isinstance(base, str)
        else isinstance(base.node, ast.ClassDef)
        and base.qualified not in seen
        and _is_enum(sources, base, seen | {base.qualified})
        for base in sources.bases(cls)
    )


def _unquoted(node: ast.expr | None) -> ast.expr | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return ast.parse(node.value, mode="eval").body
        except SyntaxError:
            return node
    return node
