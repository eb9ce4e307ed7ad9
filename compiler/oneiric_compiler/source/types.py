"""The types that the compiler reads, as values, and what a parameter is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from oneiric_compiler.diagnostics.found import Place


@dataclass(frozen=True, slots=True)
class Scalar:
    """str, int, float, bool, None, Path, Secret, Any, or one of `tables.forms`."""

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
    """An Enum class: its members' names and, in the same order, their values, None where they are not literals.

    Those that are a `flag` may be joined; `whole` where Python makes no member of a text.
    """

    reference: str
    members: tuple[str, ...]
    values: tuple[str | int | float | None, ...] = ()
    flag: bool = False
    whole: bool = False

    def __str__(self) -> str:
        return self.reference.rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class Many:
    """A list, tuple, set or frozenset of items, or a dict from strings to items."""

    kind: str
    item: Type

    def __str__(self) -> str:
        before, after = {"dict": ("str, ", ""), "tuple": ("", ", ...")}.get(self.kind, ("", ""))
        return f"{self.kind}[{before}{self.item}{after}]"


@dataclass(frozen=True, slots=True)
class Fixed:
    """A tuple of so many items."""

    items: tuple[Type, ...]

    def __str__(self) -> str:
        return f"tuple[{', '.join(map(str, self.items)) or '()'}]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    members: tuple[Type, ...]

    def __str__(self) -> str:
        return " | ".join(str(member) for member in self.members)


@dataclass(frozen=True, slots=True)
class Bounded:
    """A type with bounds, such as `("ge", 1)`."""

    inner: Type
    bounds: tuple[tuple[str, object], ...]

    def __str__(self) -> str:
        return f"{self.inner} ({', '.join(f'{name}={bound}' for name, bound in self.bounds)})"


@dataclass(frozen=True, slots=True)
class Named:
    """A NewType: a type by another name."""

    reference: str
    inner: Type

    def __str__(self) -> str:
        return self.reference.rpartition(":")[2]


@dataclass(unsafe_hash=True, slots=True)
class Record:
    """A class whose values are written as mappings, field by field; one `made` by a call, or a dict as it stands.

    Its fields may lead back to it: it is compared by its name.
    """

    reference: str
    fields: tuple[Parameter, ...] = field(compare=False, repr=False)
    made: bool

    def __str__(self) -> str:
        return self.reference.rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class Unchecked:
    """What is not read; `reference` is `module:Name` where it is a class, `is_protocol` when it is seen to be one."""

    text: str
    reference: str = ""
    is_protocol: bool = False

    def __str__(self) -> str:
        return self.text


Type: TypeAlias = "Scalar | Choice | Enumeration | Many | Fixed | AnyOf | Bounded | Named | Record | Unchecked"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter; `by_name` unless it can only be given by position, which a wiring never does."""

    name: str
    type: Type
    required: bool
    by_name: bool = True
    place: Place | None = None


def parts(type: Type) -> tuple[Type, ...]:
    """The types that a type is made of."""
    if isinstance(type, AnyOf):
        return type.members
    if isinstance(type, Fixed):
        return type.items
    if isinstance(type, Record):
        return tuple(each.type for each in type.fields)
    if isinstance(type, Many):
        return (type.item,)
    return (type.inner,) if isinstance(type, (Bounded, Named)) else ()


def inside(type: Type, path: tuple[str | int, ...]) -> Iterator[Type]:
    """The types that what stands at a path in a value may have."""
    if isinstance(type, (AnyOf, Bounded, Named)):
        yield from (each for part in parts(type) for each in inside(part, path))
    elif not path:
        yield type
    elif isinstance(type, Record):
        yield from (found for each in type.fields if each.name == path[0] for found in inside(each.type, path[1:]))
    elif isinstance(type, Fixed):
        at = slice(path[0], path[0] + 1) if isinstance(path[0], int) else slice(0)
        yield from (found for each in type.items[at] for found in inside(each, path[1:]))
    elif isinstance(type, Many):
        yield from inside(type.item, path[1:])
    else:
        yield type


def all_in(type: Type) -> Iterator[Type]:
    """A type and the types that it is made of, at any depth; each class with fields once."""
    seen: set[str] = set()
    pending = [type]
    while pending:
        each = pending.pop()
        if isinstance(each, Record):
            if each.reference in seen:
                continue
            seen.add(each.reference)
        yield each
        pending.extend(reversed(parts(each)))


def unread(type: Type) -> Iterator[str]:
    """The types in a type that are not read, as the source writes them."""
    return (each.text for each in all_in(type) if isinstance(each, Unchecked))


def record_in(type: Type) -> Record | None:
    """The one class with fields that a value of the type may be of; None where there is none, or several."""
    if isinstance(type, (Bounded, Named)):
        return record_in(type.inner)
    if isinstance(type, AnyOf):
        found = [record for each in type.members if (record := record_in(each))]
        return found[0] if len(found) == 1 else None
    return type if isinstance(type, Record) else None
