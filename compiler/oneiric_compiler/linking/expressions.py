"""A setting's value, held against its parameter's type, as an expression that is evaluated at activation.

Expressions are JSON (see `docs/wiring.md`): `emit` writes them as Python, the runtime evaluates those of tenants.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple, TypeAlias, cast

from oneiric.convert import Unshown, boolean, one_of
from oneiric.secrecy.names import secret_name
from oneiric.secrecy.shapes import UNKNOWN
from oneiric.structures import entries_of, items_of, natural

from oneiric_compiler.diagnostics.edits import bracing, quoting, unquoting, without_default, writing
from oneiric_compiler.diagnostics.found import did_you_mean
from oneiric_compiler.linking.bounds import broken
from oneiric_compiler.linking.conversions import conversion_of, is_deep, null_of
from oneiric_compiler.linking.unfit import Unfit
from oneiric_compiler.settings.documents import Path_, Value
from oneiric_compiler.settings.schema import shortened
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
    all_in,
)
from oneiric_compiler.tables.forms import FORMS, Form, make
from oneiric_compiler.text.references import Malformed, Part, Reference, parse, references_in

Expr: TypeAlias = dict[str, Any]
Written: TypeAlias = Callable[[Path_, "int | float"], str]

SECRET_PREFIX = "ONEIRIC_SECRET_"
_VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_WORDS = {
    **dict.fromkeys(("true", "yes", "on", "y"), "true"),
    **dict.fromkeys(("false", "no", "off", "n"), "false"),
}
_NO_DEFAULT = without_default("remove the default: nothing secret is committed")
_CHECKS: dict[str, Callable[[str], object]] = {"int": int, "float": float, "bool": boolean}
_READ: dict[str, Callable[[str], object]] = {
    "int": Decimal,
    "float": Decimal,
    **{name: form.read for name, form in FORMS.items()},
}


@dataclass(slots=True)
class Converted:
    """An expression, with the secrets it asks for and whether it reads anything at activation.

    `served` are the ports and classes, as `module:Name`, of which components are instances. `written` gives the text
    of a number by its path and value. `unchecked` are the paths in the value to what stands where the type is not read.
    While `partial`, fields may be missing: another level may state them. What is `in_text` stands in the text of a
    variable, and is written as one is.
    """

    expr: Expr
    served: Container[str] = frozenset[str]()
    written: Written = field(default=lambda path, value: repr(value))
    secrets: set[str] = field(default_factory=set[str])
    reads: bool = False
    unchecked: set[Path_] = field(default_factory=set[Path_])
    path: Path_ = ()
    partial: bool = False
    in_text: bool = False


def convert(
    value: Value,
    type: Type,
    served: Container[str] = frozenset(),
    written: Written = lambda path, value: repr(value),
    *,
    partial: bool = False,
) -> Converted:
    """The expression of a setting; raises `Unfit` when the value does not fit the type.

    `served` are the ports and classes, as `module:Name`, of which components are instances: no value is one. `written`
    gives the text of a number by its path and value. A `partial` value may lack fields, which another level states.
    """
    converted = Converted({}, served, written, partial=partial)
    converted.expr = _convert(value, type, converted)
    return converted


class Told(NamedTuple):
    """What a text writes out: `literal`, with `UNKNOWN` for what is known at activation only; what of it is its `own`,
    the defaults of its references, or the text itself where it has none; and the `reasons` of its references."""

    literal: str
    own: list[str]
    reasons: list[str]


def told(text: str) -> Told:
    """What a text writes out. Raises `Unfit` for a malformed one."""
    parts = _parse(text)
    literal = _literal(parts)
    references = [part for part in parts if isinstance(part, Reference)]
    own = [_literal(each.default or ()).replace(UNKNOWN, "") for each in references] if references else [literal]
    return Told(literal, own, [each.why for each in references_in(parts) if each.why])


def _literal(parts: tuple[Part, ...]) -> str:
    """The text with the default of each reference in its place, `UNKNOWN` where it has none."""
    return "".join(part if isinstance(part, str) else _literal(part.default or ()) or UNKNOWN for part in parts)


def _convert(value: Value, type: Type, into: Converted) -> Expr:
    _check_no_instance(type, into)
    if isinstance(type, Unchecked):
        into.unchecked.add(into.path)
        type = Scalar("Any")
    if isinstance(type, Bounded):
        return _bounded(value, type, into)
    if isinstance(type, Named):
        return {"make": type.reference, "args": [_convert(value, type.inner, into)]}
    if isinstance(value, str):
        parts = _parse(value)
        if any(isinstance(part, Reference) for part in parts):
            into.reads = True
            return _reference(value, parts, type, into)
        value = "".join(cast("tuple[str, ...]", parts))
    return _LITERALS[type.__class__](value, type, into)


def _any_of(value: Value, type: AnyOf, into: Converted) -> Expr:
    errors: list[Unfit] = []
    unchecked = frozenset(into.unchecked)
    for member in sorted(type.members, key=lambda each: isinstance(each, Unchecked)):
        try:
            return _convert(value, member, into)
        except Unfit as error:
            errors.append(error)
            into.unchecked = set(unchecked)
    special = [error for error in errors if error.code != "ONE408"]
    if special:
        raise special[0]
    inside = [error for error in errors if error.path]
    if len(inside) == 1:
        raise inside[0]
    help = next((error.help for error in errors if error.help), None)
    instance = next((error.instance for error in errors if error.instance), None)
    raise Unfit("ONE408", f"{_shown(value)} is not {type}", help, instance)


def _check_no_instance(type: Type, into: Converted) -> None:
    if not isinstance(type, (Unchecked, Record)):
        return
    if (isinstance(type, Unchecked) and type.is_protocol) or type.reference in into.served:
        raise Unfit("ONE408", f"a setting cannot be an instance of {type}", instance=type.reference)


def _choice(value: Value, type: Choice, into: Converted) -> Expr:
    if not any(value == each and value.__class__ is each.__class__ for each in type.values):
        other_kind = any(str(each) == str(value) and each is not None for each in type.values)
        quotes = unquoting("remove the quotes") if isinstance(value, str) else quoting("put it in quotes")
        help = quotes if other_kind else partial(did_you_mean, str(value), [str(each) for each in type.values])
        raise Unfit("ONE408", f"{_shown(value)} is not one of {type}", help)
    return {"value": value}


def _scalar(value: Value, type: Scalar, into: Converted) -> Expr:
    if type.name == "Any":
        return _anything(value, into)
    if form := FORMS.get(type.name):
        return _formed(value, type, form, into)
    fits = {
        "str": isinstance(value, str),
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, (int, float)) and not isinstance(value, bool),
        "bool": isinstance(value, bool),
        "None": value is None,
        "Path": isinstance(value, str),
        "Secret": False,
    }
    if type.name == "Secret" and value is not None:
        raise Unfit("ONE410", "a secret is written out", "write a reference: ${ONEIRIC_SECRET_NAME}")
    if not fits[type.name]:
        raise Unfit("ONE408", f"{_shown(value)} is not {type}", _as_scalar(value, type))
    return {"path": value} if type.name == "Path" else {"value": value}


def _as_scalar(value: Value, type: Scalar) -> str | None:
    """How to write what was probably meant."""
    if type.name in ("str", "Path") and isinstance(value, (int, float)):
        return quoting("quote it to make it text")
    if not isinstance(value, str):
        return None
    if variable := _VARIABLE.fullmatch(value):
        return bracing(f"write ${{{variable[1]}}}", variable[1])
    if type.name == "bool" and (value in ("true", "false") or value.lower() in _WORDS):
        meant = value if value in ("true", "false") else _WORDS[value.lower()]
        is_text = f"write `{meant}`: to YAML 1.2 `{value}` is text"
        return unquoting("remove the quotes") if meant == value else writing(is_text, value, meant)
    checks: dict[str, Callable[[str], object]] = {"int": int, "float": float}
    try:
        checks[type.name](value)
    except (KeyError, ValueError):
        return None
    return unquoting("remove the quotes")


def _formed(value: Value, type: Scalar, form: Form, into: Converted) -> Expr:
    """A value whose type is written as text; as a number too, whose digits count, where the type takes one."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not isinstance(value, str) and not number:
        raise Unfit("ONE408", f"{_shown(value)} is not {type}")
    text = value if isinstance(value, str) else into.written(into.path, cast("int | float", value))
    try:
        expression = form.expression(form.read(text))
    except ValueError as error:
        raise Unfit("ONE408", f"{_shown(value)} is not {type}", f"write {error}") from None
    if number and not form.numbers:
        raise Unfit("ONE408", f"{_shown(value)} is not {type}", quoting("quote it to make it text"))
    return expression


def _bounded(value: Value, type: Bounded, into: Converted) -> Expr:
    expr = _convert(value, type.inner, into)
    if reason := broken(type.bounds, _held(value, type.inner, into)):
        raise Unfit("ONE408", f"{_shown(value)} is {reason}")
    return expr


def _held(value: Value, type: Type, into: Converted) -> object:
    """What is held against bounds: the value, or what its text or that of a default stands for; None if unknown."""
    if isinstance(value, str):
        parts = _parse(value)
        if any(isinstance(part, Reference) for part in parts):
            default = _default(parts)
            return None if default is None else _of_default(default, type)
        value = "".join(cast("tuple[str, ...]", parts))
    if isinstance(value, float):
        return _meant(into.written(into.path, value), type)
    return _meant(value, type)


def _of_default(default: str, type: Type) -> object:
    """What a default is held against bounds as."""
    if other := null_of(type):
        return None if default == "null" else _of_default(default, other)
    return _structure(default, type)[1] if is_deep(type) else _meant(default, type)


def _meant(value: Value, type: Type) -> object:
    for member in type.members if isinstance(type, AnyOf) else (type,):
        read = _READ.get(member.name) if isinstance(member, Scalar) else None
        if read and isinstance(value, (str, int, float)) and not isinstance(value, bool):
            try:
                return read(str(value))
            except (ValueError, ArithmeticError):
                continue
    return value


def _member(value: Value, type: Enumeration, into: Converted) -> Expr:
    """A member by its name, else by its value; of a flag several, in a list or joined by `|`."""
    stated = [value]
    if type.flag and isinstance(value, list) and into.in_text:
        raise Unfit("ONE408", f"{_shown(value)} is not {type}", "in a text join the members by `|`: [A | B, C]")
    if type.flag and isinstance(value, (str, list)):
        stated = [each.strip() for each in value.split("|")] if isinstance(value, str) else value
    names = [_member_name(each, type) for each in stated]
    if len(names) == 1:
        return {"enum": type.reference, "name": names[0]}
    return {"flags": type.reference, "names": names} if names else make(type.reference, 0)


def _member_name(value: Value, type: Enumeration) -> str:
    if isinstance(value, str) and value in type.members:
        return value
    for name, known in zip(type.members, type.values, strict=False):
        same = value == known and value.__class__ is known.__class__
        if known is not None and (same or value == str(known)):
            return name
    help = partial(did_you_mean, str(value), type.members)
    raise Unfit("ONE408", f"{_shown(value)} is not a member of {type}", help)


def _fixed(value: Value, type: Fixed, into: Converted) -> Expr:
    if not isinstance(value, list) or len(value) != len(type.items):
        shown = f"a list of {len(value)}" if isinstance(value, list) else _shown(value)
        raise Unfit("ONE408", f"{shown} is not {type}", f"write a list of {len(type.items)}")
    return {"tuple": _items(zip(range(len(value)), value, type.items, strict=True), into)}


def _record(value: Value, type: Record, into: Converted) -> Expr:
    """A mapping held against the fields of a class; all that is wrong with it is raised at once."""
    if not isinstance(value, dict):
        names = ", ".join(each.name for each in type.fields)
        raise Unfit("ONE408", f"{_shown(value)} is not {type}", f"write a mapping of its fields: {names}")
    known = {each.name: each.type for each in type.fields}
    wrong = [_unknown(name, type) for name in value if name not in known]
    lacking = () if into.partial else type.fields
    wrong += [_missing(each.name, type) for each in lacking if each.required and each.name not in value]
    given = [(name, value[name], kind) for name, kind in known.items() if name in value]
    expressions: list[Expr] = []
    try:
        expressions = _each(given, into)
    except Unfit as error:
        wrong += [error, *error.others]
    if wrong:
        wrong[0].others = tuple(wrong[1:])
        raise wrong[0]
    fields = dict(zip((name for name, _, _ in given), expressions, strict=True))
    if type.made:
        return {"make": type.reference, "named": fields} if fields else {"make": type.reference}
    return _mapping(fields)


def _unknown(name: str, type: Record) -> Unfit:
    known = [each.name for each in type.fields]
    error = Unfit("ONE407", f"`{type}` has no field `{name}`", partial(did_you_mean, name, known, "remove it"))
    error.path = (name,)
    return error


def _missing(name: str, type: Record) -> Unfit:
    return Unfit("ONE409", f"`{type}` requires `{name}`", f"add `{name}`")


def _many(value: Value, type: Many, into: Converted) -> Expr:
    if type.kind == "dict":
        if not isinstance(value, dict):
            raise Unfit("ONE408", f"{_shown(value)} is not {type}")
        entries = _items(((name, each, type.item) for name, each in value.items()), into)
        return _mapping(dict(zip(value, entries, strict=True)))
    if not isinstance(value, list):
        raise Unfit("ONE408", f"{_shown(value)} is not {type}")
    items = _items(((index, each, type.item) for index, each in enumerate(value)), into)
    if type.kind == "list" and all("value" in each for each in items):
        return {"value": [each["value"] for each in items]}
    return {type.kind: items}


def _mapping(entries: dict[str, Expr]) -> Expr:
    plain = all("value" in each for each in entries.values())
    return {"value": {name: each["value"] for name, each in entries.items()}} if plain else {"dict": entries}


def _items(items: Iterable[tuple[str | int, Value, Type]], into: Converted) -> list[Expr]:
    """The expressions of items, none of which another level states a part of."""
    lacks, into.partial = into.partial, False
    try:
        return _each(items, into)
    finally:
        into.partial = lacks


def _each(items: Iterable[tuple[str | int, Value, Type]], into: Converted) -> list[Expr]:
    """The expressions of the items; raises one `Unfit` with all that do not fit."""
    found: list[Expr] = []
    unfit: list[Unfit] = []
    at = into.path
    for key, item, type in items:
        into.path = (*at, key)
        try:
            found.append(_convert(item, type, into))
        except Unfit as error:
            unfit.extend((error, *error.others))
            for each in (error, *error.others):
                each.path = (key, *each.path)
    into.path = at
    if unfit:
        unfit[0].others = tuple(unfit[1:])
        raise unfit[0]
    return found


def _anything(value: Value, into: Converted) -> Expr:
    if isinstance(value, (list, dict)):
        return _many(value, Many("list" if isinstance(value, list) else "dict", Scalar("Any")), into)
    return {"value": value}


_LITERALS: dict[type[Any], Callable[[Value, Any, Converted], Expr]] = {
    Scalar: _scalar,
    Choice: _choice,
    Enumeration: _member,
    Many: _many,
    Fixed: _fixed,
    Record: _record,
    AnyOf: _any_of,
}


def _reference(text: str, parts: tuple[Part, ...], type: Type, into: Converted) -> Expr:
    target = _target(type)
    if (other := null_of(type)) and len(parts) == 1:
        return _read_or_null(cast("Reference", parts[0]), other, into)
    if isinstance(target, (Bounded, Named)):
        return _convert(text, target, into)
    _check_no_instance(target, into)
    if isinstance(target, Unchecked):
        into.unchecked.add(into.path)
        target = Scalar("Any")
    whole = len(parts) == 1
    if whole:
        return _read(cast("Reference", parts[0]), target, into)
    if not isinstance(target, Scalar) or target.name not in ("str", "Path", "Secret", "Any"):
        raise Unfit("ONE411", f"a reference inside text cannot become {type}", "let the reference be the whole value")
    if target == Scalar("Secret"):
        _check_no_default(parts)
    pieces = _pieces(parts, into)
    if target.name in ("Path", "Secret"):
        return {"text": pieces, "as": target.name.lower()}
    return {"text": pieces}


def _pieces(parts: tuple[Part, ...], into: Converted) -> list[str | Expr]:
    """The parts of a text, each reference as it is read verbatim."""
    return [part if isinstance(part, str) else _read(part, Scalar("str"), into) for part in parts]


def _check_no_default(parts: tuple[Part, ...]) -> None:
    """Defaults of a secret are references alone, and none is empty."""
    stated = [each.default for each in references_in(parts) if each.default is not None]
    if any(not default or any(isinstance(part, str) for part in default) for default in stated):
        raise Unfit("ONE410", "a secret has a default", _NO_DEFAULT)


def _target(type: Type) -> Type:
    """The member of a union that a reference becomes: text if it may be, else a secret, else the first that can."""
    if not isinstance(type, AnyOf):
        return type
    for name in ("Secret", "str"):
        if Scalar(name) in type.members:
            return Scalar(name)
    others = [each for each in type.members if each != Scalar("None")]
    plain = [each for each in others if not is_deep(each)]
    return plain[0] if plain else others[0] if len(others) == 1 else type


def _read(reference: Reference, target: Type, into: Converted) -> Expr:
    if secret := _secret_in(reference):
        return _read_secret(secret, reference, target, into)
    if target == Scalar("Secret"):
        _check_no_default((reference,))
        return {"text": [_variable(reference, into)], "as": "secret"}
    conversion = conversion_of(target)
    if conversion is None:
        return _variable(reference, into)
    _check_convertible(reference, target, into)
    if (default := _default((reference,))) is not None:
        _check_default(default, target, into)
    return {**_variable(reference, into), "as": conversion}


def _read_or_null(reference: Reference, target: Type, into: Converted) -> Expr:
    """What is of the type, or None for `null`."""
    if secret := _secret_in(reference):
        return _read_secret(secret, reference, target, into)
    default = _default((reference,))
    if target == Scalar("Secret"):
        if default != "null":
            _check_no_default((reference,))
    else:
        _check_convertible(reference, target, into)
        if default not in (None, "null"):
            _check_default(default, target, into)
    inner = conversion_of(target) or "secret"
    return {**_variable(reference, into), "as": {"optional": inner}}


def _check_convertible(reference: Reference, target: Type, into: Converted) -> None:
    """That what the variable and its defaults come to may be converted."""
    if any(_secret_in(each) for each in references_in((reference,))):
        raise _no_secret(target)
    for each in all_in(target):
        _check_no_instance(each, into)
        if isinstance(each, Unchecked):
            into.unchecked.add(into.path)
    if is_deep(target) and not _is_alone(reference):
        help = "let a reference be the whole default, or write the value with references in it"
        raise Unfit("ONE411", f"a default of {target} holds a reference amid its text", help)


def _is_alone(reference: Reference) -> bool:
    """Whether each default within is a text, or a reference and nothing else."""
    default = reference.default or ()
    return not any(isinstance(each, Reference) for each in default) or (
        len(default) == 1 and isinstance(default[0], Reference) and _is_alone(default[0])
    )


def _variable(reference: Reference, into: Converted) -> Expr:
    """The text of a variable, or what stands in for it; a default with references in it is an expression too."""
    expr: Expr = {"env": reference.name}
    if reference.why is not None:
        expr["why"] = reference.why
    if reference.default is not None:
        pieces = _pieces(reference.default, into)
        if all(isinstance(each, str) for each in pieces):
            expr["default"] = "".join(cast("list[str]", pieces))
        else:
            expr["default"] = pieces[0] if len(pieces) == 1 else {"text": pieces}
    return expr


def _read_secret(name: str, reference: Reference, target: Type, into: Converted) -> Expr:
    if reference.default is not None:
        raise Unfit("ONE410", "a secret has a default", _NO_DEFAULT)
    if reference.why is not None:
        raise Unfit("ONE411", "a secret has a reason", "remove it: a secret that is missing is always an error")
    into.secrets.add(name)
    if isinstance(target, Scalar) and target.name == "Secret":
        return {"secret": name}
    if target in (Scalar("str"), Scalar("Any")):
        return {"secret": name, "reveal": True}
    raise _no_secret(target)


def _no_secret(target: Type) -> Unfit:
    return Unfit("ONE411", f"a secret cannot become {target}", "annotate the parameter as `oneiric.Secret`")


def _secret_in(reference: Reference) -> str | None:
    """The secret that a reference is to; None where it is to a variable."""
    name = reference.name.removeprefix(SECRET_PREFIX)
    return name if name and name != reference.name else None


def _default(parts: tuple[Part, ...]) -> str | None:
    """What a reference, alone, comes to where no variable is set; None where that is not known."""
    if len(parts) != 1 or not isinstance(parts[0], Reference) or (default := parts[0].default) is None:
        return None
    if any(isinstance(part, Reference) for part in default):
        return _default(default)
    return "".join(cast("tuple[str, ...]", default))


def _check_default(default: str, target: Type, into: Converted) -> None:
    """A default is known now, so whether it converts is known now too."""
    if target == Scalar("Secret"):
        raise Unfit("ONE410", "a secret has a default", _NO_DEFAULT)
    if isinstance(target, (Bounded, Named)):
        _check_default(default, target.inner, into)
        if isinstance(target, Bounded) and (reason := broken(target.bounds, _of_default(default, target.inner))):
            raise Unfit("ONE408", f"the default {_shown(default)} is {reason}")
    elif is_deep(target):
        _check_structure(default, target, into)
    elif isinstance(target, Scalar) and target.name in _CHECKS:
        _check_text(_CHECKS[target.name], default, target)
    elif isinstance(target, Choice) and not all(isinstance(each, str) for each in target.values):
        _check_text(one_of(*target.values), default, target)
    elif isinstance(target, (Enumeration, Choice)) or (isinstance(target, Scalar) and target.name in FORMS):
        _convert(default, target, Converted({}))


def _check_text(converter: Callable[[str], object], default: str, target: Type) -> None:
    try:
        converter(default)
    except ValueError:
        raise Unfit("ONE408", f"the default {_shown(default)} is not {target}") from None


def _check_structure(default: str, target: Type, into: Converted) -> None:
    """That a default that is a list or a mapping is one as it would stand in the settings."""
    node, value = _structure(default, target)
    if isinstance(node, list) and not default.strip().startswith("["):
        _check_items(cast("list[str]", node), target, into)
        return
    try:
        _convert(value, target, Converted({}, into.served, partial(_digits, node), in_text=True))
    except Unfit as error:
        for each in (error, *error.others):
            _tell_of_default(each, target)
        raise


def _tell_of_default(unfit: Unfit, target: Type) -> None:
    """Let what is wrong in a default be of the setting, whose text names the part; no value of a secret one."""
    where = f" at `{'.'.join(map(str, unfit.path))}`" if unfit.path else ""
    hidden = any(isinstance(each, str) and secret_name(each) for each in unfit.path)
    reason = f"a value is not one of {target}" if hidden and unfit.code == "ONE408" else unfit.message
    unfit.message, unfit.path = f"the default: {reason}{where}", ()
    unfit.code = "ONE410" if unfit.code == "ONE410" else "ONE408"


def _check_items(items: list[str], target: Type, into: Converted) -> None:
    """That items with commas between them are of a list, each as the text of a variable is."""
    types = target.items if isinstance(target, Fixed) else (cast("Many", target).item,) * len(items)
    if len(types) != len(items):
        raise Unfit("ONE408", f"the default is a list of {len(items)}, and not {target}")
    for text, type in zip(items, types, strict=True):
        other = null_of(type)
        if is_deep(other or type):
            raise Unfit("ONE408", f"the default {_shown(text)} is not {type}", "write the list in brackets: [a, b]")
        if other is None or text != "null":
            _check_default(text, other or type, into)


def _structure(default: str, target: Type) -> tuple[Any, Value]:
    """What is read of a default that is a list or a mapping, and the value that it is in settings."""
    while isinstance(target, (Bounded, Named)):
        target = target.inner
    mapping = isinstance(target, Record) or (isinstance(target, Many) and target.kind == "dict")
    try:
        node = entries_of(default) if mapping else items_of(default)
        return node, cast("Value", natural(node))
    except Unshown as error:
        raise Unfit("ONE408", f"the default is not {target}", f"write {error}") from None


def _digits(node: Any, path: Path_, value: float) -> str:
    """A number as the default writes it."""
    for part in path:
        node = node[part]
    return str(node)


def _parse(text: str) -> tuple[Part, ...]:
    try:
        return parse(text)
    except Malformed as error:
        raise Unfit("ONE411", error.message, error.help) from None


def _shown(value: Value) -> str:
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "a mapping"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return f"`{shortened(value)}`"
