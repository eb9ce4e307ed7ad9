"""How the text of a variable becomes a value of a parameter's type, as expressions say it: see `docs/wiring.md`."""

from __future__ import annotations

from typing import Any

from oneiric.convert import word

from oneiric_compiler.linking.unfit import Unfit
from oneiric_compiler.source.types import (
    AnyOf,
    Bounded,
    Choice,
    Enumeration,
    Fixed,
    Many,
    Named,
    Record,
    Scalar,
    Type,
    Unchecked,
)
from oneiric_compiler.tables.forms import FORMS

_NONE = Scalar("None")
_TEXTS = {"str": "str", "Any": "any", "Secret": "secret"}
_SCALARS = {"int": "int", "float": "float", "bool": "bool", "Path": "path"}


def conversion_of(target: Type) -> Any:
    """How a variable's text is converted; None where it stays as it is. Raises `Unfit` where it cannot be."""
    if isinstance(target, Scalar) and target.name in _TEXTS:
        return None
    return _conversion(target, ())


def null_of(type: Type) -> Type | None:
    """What a type is besides None, where `null` in a variable is None: where no text is of it as it is."""
    if not isinstance(type, AnyOf) or _NONE not in type.members:
        return None
    others = [each for each in type.members if each != _NONE]
    if any(isinstance(each, Unchecked) or each in (Scalar("str"), Scalar("Any")) for each in others):
        return None
    return others[0] if len(others) == 1 else None


def is_deep(type: Type) -> bool:
    """Whether the values of a type are lists, mappings or settings objects."""
    if isinstance(type, (Bounded, Named)):
        return is_deep(type.inner)
    return isinstance(type, (Many, Fixed, Record))


def _conversion(type: Type, within: tuple[str, ...]) -> Any:
    if isinstance(type, Bounded):
        return _conversion(type.inner, within)
    if isinstance(type, Named):
        return {"then": type.reference, "of": _conversion(type.inner, within)}
    if isinstance(type, Unchecked):
        return "any"
    if isinstance(type, AnyOf):
        return _either(type, within)
    if isinstance(type, Many):
        return {type.kind: _conversion(type.item, within)}
    if isinstance(type, Fixed):
        return {"fixed": [_conversion(each, within) for each in type.items]}
    if isinstance(type, Record):
        return _record(type, within)
    if isinstance(type, Enumeration):
        return {"enum": type.reference, **({"whole": True} if type.whole else {})}
    if isinstance(type, Choice):
        return _one_of(type)
    if type.name in FORMS:
        return {"by": FORMS[type.name].converter}
    known = _SCALARS.get(type.name) or _TEXTS.get(type.name)
    if known is None:
        raise _cannot(type)
    return known


def _either(type: AnyOf, within: tuple[str, ...]) -> Any:
    others = [each for each in type.members if each != _NONE]
    if any(isinstance(each, Unchecked) or each == Scalar("Any") for each in others):
        return "any"
    if len(others) != 1:
        raise _cannot(type)
    inner = _conversion(others[0], within)
    return inner if len(others) == len(type.members) else {"optional": inner}


def _record(type: Record, within: tuple[str, ...]) -> Any:
    if type.reference in within:
        raise Unfit("ONE411", f"a reference cannot become {type}, which holds itself", "write a mapping of references")
    return {
        "record": type.reference,
        "fields": {each.name: _conversion(each.type, (*within, type.reference)) for each in type.fields},
        "required": [each.name for each in type.fields if each.required],
    }


def _one_of(type: Choice) -> Any:
    if len({*map(word, type.values)}) < len(type.values):
        raise Unfit("ONE411", f"a reference cannot become {type}", "write the value: two of them are written alike")
    return {"one_of": list(type.values)}


def _cannot(type: Type) -> Unfit:
    return Unfit("ONE411", f"a reference cannot become {type}", "write the value, with references in it")
