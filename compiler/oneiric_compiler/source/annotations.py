"""What an annotation states, read from source: the types that the compiler can check.

All else is `Unchecked` and left to the type checker on the wiring.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from datetime import timedelta
from decimal import Decimal

from oneiric.texts import decimal

from oneiric_compiler.source.modules import Module, Sources, Symbol, dotted_name
from oneiric_compiler.source.nodes import fields, literal, named, unquoted
from oneiric_compiler.source.objects import Field, object_fields
from oneiric_compiler.source.types import (
    AnyOf,
    Bounded,
    Choice,
    Enumeration,
    Fixed,
    Many,
    Named,
    Parameter,
    Record,
    Scalar,
    Type,
    Unchecked,
)
from oneiric_compiler.tables.forms import FORMS

_TYPING = ("typing", "typing_extensions")
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
    **{name: form for form, each in FORMS.items() for name in each.names},
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
_PROTOCOLS = frozenset(f"{module}.Protocol" for module in _TYPING)
_ANNOTATED = frozenset(f"{module}.Annotated" for module in _TYPING)
_LITERALS = frozenset(f"{module}.Literal" for module in _TYPING)
_NEW_TYPES = frozenset(f"{module}.NewType" for module in _TYPING)
_TYPED_DICTS = frozenset(f"{module}.TypedDict" for module in _TYPING)
_NAMED_TUPLES = frozenset(f"{module}.NamedTuple" for module in _TYPING)
_PRESENCE = {f"{module}.{name}": name == "Required" for module in _TYPING for name in ("Required", "NotRequired")}
_ENUMS = frozenset(f"enum.{name}" for name in ("Enum", "StrEnum", "IntEnum", "Flag", "IntFlag"))
_FLAGS = frozenset(("enum.Flag", "enum.IntFlag"))
_WHOLE = frozenset(("enum.IntEnum", "enum.IntFlag"))
_BOUNDS = {
    **{f"annotated_types.{name.capitalize()}": name for name in ("ge", "gt", "le", "lt")},
    "annotated_types.MultipleOf": "multiple_of",
    "annotated_types.MinLen": "min_length",
    "annotated_types.MaxLen": "max_length",
}
_SEVERAL_BOUNDS = frozenset(
    ("annotated_types.Interval", "annotated_types.Len", "pydantic.Field", "pydantic.fields.Field", "msgspec.Meta")
)
BOUND_NAMES = ("ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length", "pattern")


def is_protocol(sources: Sources, symbol: Symbol) -> bool:
    """Whether a class is derived from `typing.Protocol` itself, as protocols have to be."""
    return isinstance(symbol.node, ast.ClassDef) and any(base in _PROTOCOLS for base in sources.bases(symbol))


def read_type(
    sources: Sources, module: Module, annotation: ast.expr | None, seen: frozenset[str] = frozenset()
) -> Type:
    """The type an annotation states, as far as the compiler reads it.

    `seen` are the names that led here: what is stated by means of itself is not read.
    """
    node = unquoted(annotation)
    if node is None:
        return Scalar("Any")
    if isinstance(node, ast.Constant) and node.value is None:
        return Scalar("None")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union(read_type(sources, module, side, seen) for side in (node.left, node.right))
    if isinstance(node, ast.Subscript):
        return _generic(sources, module, node, seen)
    name = dotted_name(node)
    found = sources.resolve_in(module, name) if name else None
    qualified = found.qualified if isinstance(found, Symbol) else found or ""
    if qualified in SCALARS:
        return Scalar(SCALARS[qualified])
    if qualified in COLLECTIONS:
        return Many(COLLECTIONS[qualified], Scalar("Any"))
    if isinstance(found, Symbol) and qualified not in seen and (type := _defined(sources, found, seen | {qualified})):
        return type
    owner, _, last = qualified.rpartition(".")
    return Unchecked(ast.unparse(node), f"{owner}:{last}", isinstance(found, Symbol) and is_protocol(sources, found))


def _defined(sources: Sources, symbol: Symbol, seen: frozenset[str]) -> Type | None:
    """The type that a definition in sight makes: an alias, a NewType, an Enum, a class with fields."""
    node, reference = symbol.node, f"{symbol.module.name}:{symbol.name}"
    if isinstance(node, (ast.Subscript, ast.BinOp)):
        return read_type(sources, symbol.module, node, seen)
    if isinstance(node, ast.Call) and named(sources, symbol.module, node) in _NEW_TYPES and len(node.args) == 2:
        return Named(reference, read_type(sources, symbol.module, node.args[1], seen))
    if not isinstance(node, ast.ClassDef):
        return None
    bases = frozenset(_all_bases(sources, symbol, frozenset()))
    if bases & _ENUMS and (members := _members(symbol, bases)):
        names, values = zip(*members, strict=True)
        return Enumeration(reference, names, values, bool(bases & _FLAGS), bool(bases & _WHOLE))
    if bases & _TYPED_DICTS:
        return Record(reference, tuple(_typed_dict(sources, symbol, seen).values()), made=False)
    if any(base in _NAMED_TUPLES for base in sources.bases(symbol) if isinstance(base, str)):
        return Record(reference, tuple(_named_tuple(sources, symbol, seen)), made=True)
    return _object(sources, symbol)


def _object(sources: Sources, cls: Symbol) -> Record | None:
    """A class with fields, read once: it may lead back to itself."""
    if cls.qualified not in sources.objects:
        stated = object_fields(sources, cls)
        record = None if stated is None else Record(f"{cls.module.name}:{cls.name}", (), made=True)
        sources.objects[cls.qualified] = record
        if record is not None and stated is not None:
            record.fields = tuple(_field(sources, each) for each in stated.values())
    return sources.objects[cls.qualified]


def _field(sources: Sources, field: Field) -> Parameter:
    kind = read_type(sources, field.module, field.annotation)
    if field.converted:
        kind = Unchecked(f"{kind}, of a converter")
    elif isinstance(field.statement.value, ast.Call):
        kind = _within(kind, tuple(read_bounds(sources, field.module, field.statement.value)))
    return Parameter(field.name, kind, field.required, place=field.module.annotated(field.statement, field.name))


def _all_bases(sources: Sources, cls: Symbol, seen: frozenset[str]) -> Iterator[str]:
    """The bases out of sight, of those in sight too."""
    for base in sources.bases(cls):
        if isinstance(base, str):
            yield base
        elif isinstance(base.node, ast.ClassDef) and base.qualified not in seen:
            yield from _all_bases(sources, base, seen | {base.qualified})


def _typed_dict(sources: Sources, cls: Symbol, seen: frozenset[str]) -> dict[str, Parameter]:
    assert isinstance(cls.node, ast.ClassDef)
    found: dict[str, Parameter] = {}
    for base in sources.bases(cls):
        if isinstance(base, Symbol) and isinstance(base.node, ast.ClassDef) and base.qualified not in seen:
            found |= _typed_dict(sources, base, seen | {base.qualified})
    total = next((literal(each.value) for each in cls.node.keywords if each.arg == "total"), True) is not False
    for name, statement in fields(cls):
        node, required = unquoted(statement.annotation), total
        wrapper = dotted_name(node.value) if isinstance(node, ast.Subscript) else None
        presence = _PRESENCE.get(str(sources.resolve_in(cls.module, wrapper))) if wrapper else None
        if isinstance(node, ast.Subscript) and presence is not None:
            node, required = node.slice, presence
        kind = read_type(sources, cls.module, node, seen)
        found[name] = Parameter(name, kind, required, place=cls.module.annotated(statement, name))
    return found


def _named_tuple(sources: Sources, cls: Symbol, seen: frozenset[str]) -> Iterator[Parameter]:
    for name, statement in fields(cls):
        kind = read_type(sources, cls.module, statement.annotation, seen)
        yield Parameter(name, kind, statement.value is None, place=cls.module.annotated(statement, name))


def _generic(sources: Sources, module: Module, node: ast.Subscript, seen: frozenset[str]) -> Type:
    name = dotted_name(node.value)
    found = sources.resolve_in(module, name) if name else None
    arguments = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if found in _LITERALS:
        values = tuple(literal(argument) for argument in arguments)
        stated = tuple(value for value in values if isinstance(value, (str, int, bool, type(None))))
        return Choice(stated) if len(stated) == len(values) else Unchecked(ast.unparse(node))
    if found in _ANNOTATED:
        inner = read_type(sources, module, arguments[0], seen)
        bounds = tuple(bound for each in arguments[1:] for bound in read_bounds(sources, module, each))
        return _within(inner, bounds)
    variadic = len(arguments) == 2 and isinstance(last := arguments[-1], ast.Constant) and last.value is ...
    types = [read_type(sources, module, each, seen) for each in (arguments[:1] if variadic else arguments)]
    if found == "typing.Optional":
        return _union([*types, Scalar("None")])
    if found == "typing.Union":
        return _union(types)
    if SCALARS.get(str(found)) == "Pattern" and types == [Scalar("str")]:
        return Scalar("Pattern")
    kind = COLLECTIONS.get(found, "") if isinstance(found, str) else ""
    if kind == "dict" and len(types) == 2 and types[0] == Scalar("str"):
        return Many(kind, types[1])
    if kind in ("list", "set", "frozenset") and len(types) == 1 and not variadic:
        return Many(kind, types[0])
    if kind == "tuple":
        empty = len(arguments) == 1 and isinstance(only := arguments[0], ast.Tuple) and not only.elts
        return Many(kind, types[0]) if variadic else Fixed(() if empty else tuple(types))
    return Unchecked(ast.unparse(node))


def read_bounds(sources: Sources, module: Module, node: ast.expr) -> Iterator[tuple[str, object]]:
    """The bounds that a call of annotated-types or pydantic states by literals, or constants of the module."""
    if not isinstance(node, ast.Call):
        return
    called = named(sources, module, node)
    stated: list[tuple[str | None, ast.expr]] = [(each.arg, each.value) for each in node.keywords]
    if called in _BOUNDS:
        stated = [(_BOUNDS[called], value) for value in (*node.args, *(value for _, value in stated))]
    elif called == "annotated_types.Len":
        stated += zip(("min_length", "max_length"), node.args, strict=False)
    elif called not in _SEVERAL_BOUNDS:
        return
    for name, value in stated:
        bound = _constant(sources, module, value)
        if name in BOUND_NAMES and isinstance(bound, (int, float, str, Decimal)):
            yield name, bound


def _within(inner: Type, bounds: tuple[tuple[str, object], ...]) -> Type:
    if inner == Scalar("timedelta") and any(name in ("ge", "gt") and _below_zero(bound) for name, bound in bounds):
        inner = Scalar("signed timedelta")
    return Bounded(inner, bounds) if bounds else inner


def _below_zero(bound: object) -> bool:
    return isinstance(bound, (int, float, Decimal)) and bound < 0


def _constant(sources: Sources, module: Module, node: ast.expr) -> object:
    """A literal; that of a name which stands for one; seconds for `timedelta(…)`, the number of `Decimal("…")`."""
    if isinstance(node, ast.Call):
        return _called_constant(sources, module, node)
    if name := dotted_name(node):
        found = sources.resolve_in(module, name)
        if not isinstance(found, Symbol) or not isinstance(found.node, ast.expr):
            return None
        node = found.node
    return literal(node)


def _called_constant(sources: Sources, module: Module, node: ast.Call) -> object:
    called = named(sources, module, node)
    given = {each.arg: literal(each.value) for each in node.keywords}
    if called == "datetime.timedelta" and not node.args and all(isinstance(v, (int, float)) for v in given.values()):
        return timedelta(**given).total_seconds()  # type: ignore[arg-type]
    if called != "decimal.Decimal" or len(node.args) != 1:
        return None
    try:
        return decimal(str(literal(node.args[0])))
    except ValueError:
        return None


def _union(types: Iterable[Type]) -> Type:
    members: list[Type] = []
    for each in types:
        members.extend(each.members if isinstance(each, AnyOf) else [each])
    return AnyOf(tuple(dict.fromkeys(members)))


def _members(symbol: Symbol, bases: frozenset[str]) -> list[tuple[str, str | int | float | None]]:
    """The members of an Enum with their values, None where a value is not a literal."""
    assert isinstance(symbol.node, ast.ClassDef)
    found: list[tuple[str, str | int | float | None]] = []
    for statement in (each for each in symbol.node.body if isinstance(each, ast.Assign)):
        value = literal(statement.value)
        lowered = "enum.StrEnum" in bases and ast.unparse(statement.value).rpartition(".")[2] == "auto()"
        for target in statement.targets:
            if isinstance(target, ast.Name) and not target.id.startswith("_"):
                known = target.id.lower() if lowered else value
                found.append((target.id, known if isinstance(known, (str, int, float)) else None))
    return found
