"""A setting's value, held against its parameter's type, as an expression that is evaluated at activation.

Expressions are JSON (see `docs/wiring.md`): `emit` writes them as Python, the runtime evaluates those of tenants.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, cast

from oneiric_compiler.diagnostics.found import Help, did_you_mean
from oneiric_compiler.settings.documents import Path_, Value
from oneiric_compiler.settings.schema import shortened
from oneiric_compiler.source.signatures import AnyOf, Choice, Enumeration, Many, Scalar, Type, Unchecked
from oneiric_compiler.text.secret_shapes import UNKNOWN

Expr: TypeAlias = dict[str, Any]

SECRET_PREFIX = "ONEIRIC_SECRET_"
_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|(?P<bad>\$\{)")
_VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_WORDS = {
    **dict.fromkeys(("true", "yes", "on", "y"), "true"),
    **dict.fromkeys(("false", "no", "off", "n"), "false"),
}
_NO_DEFAULT = "remove the default: nothing secret is committed"
_CONVERTERS = {"int": "int", "float": "float", "bool": "bool", "Path": "path"}


class Unfit(Exception):
    """A value that cannot stand where it does: the code, what is wrong, and what to do.

    `path` leads to it inside the setting's value; `others` are further ones of the same setting; `instance` is the
    `module:Name` of the port or component class that the value would have to be an instance of.
    """

    def __init__(self, code: str, message: str, help: Help = None, instance: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.help, self.instance = code, message, help, instance
        self.path: tuple[str | int, ...] = ()
        self.others: tuple[Unfit, ...] = ()


@dataclass(slots=True)
class Converted:
    """An expression, with the secrets it asks for and whether it reads anything at activation.

    `served` are the ports and classes, as `module:Name`, of which components are instances. `unchecked` are the paths
    in the value to what stands where the type is not read.
    """

    expr: Expr
    served: Container[str] = frozenset[str]()
    secrets: set[str] = field(default_factory=set[str])
    reads: bool = False
    unchecked: set[Path_] = field(default_factory=set[Path_])
    path: Path_ = ()


def convert(value: Value, type: Type, served: Container[str] = frozenset()) -> Converted:
    """The expression of a setting; raises `Unfit` when the value does not fit the type.

    `served` are the ports and classes, as `module:Name`, of which components are instances: no value is one.
    """
    converted = Converted({}, served)
    converted.expr = _convert(value, type, converted)
    return converted


def literal_text(text: str) -> tuple[str, list[str]]:
    """What a text writes out, with `UNKNOWN` for what is known at activation only; and what of it is of its own.

    These are the defaults of its references, or the text itself where it has none. Raises `Unfit` for a malformed one.
    """
    parts = _parse(text)
    references = [part for part in parts if isinstance(part, re.Match)]
    literal = "".join(part if isinstance(part, str) else part["default"] or UNKNOWN for part in parts)
    return literal, [part["default"] or "" for part in references] if references else [literal]


def _convert(value: Value, type: Type, into: Converted) -> Expr:
    _check_no_instance(type, into)
    if isinstance(type, Unchecked):
        into.unchecked.add(into.path)
        type = Scalar("Any")
    if isinstance(value, str):
        parts = _parse(value)
        if any(isinstance(part, re.Match) for part in parts):
            into.reads = True
            return _reference(value, parts, type, into)
        value = "".join(cast("list[str]", parts))
    if isinstance(type, AnyOf):
        return _any_of(value, type, into)
    if isinstance(type, Scalar) and type.name != "Any":
        return _scalar(value, type)
    if isinstance(type, Choice):
        if not any(value == each and value.__class__ is each.__class__ for each in type.values):
            other_kind = any(str(each) == str(value) and each is not None for each in type.values)
            quotes = "remove the quotes" if isinstance(value, str) else "put it in quotes"
            help = quotes if other_kind else partial(did_you_mean, str(value), [str(each) for each in type.values])
            raise Unfit("ONE408", f"{_shown(value)} is not one of {type}", help)
        return {"value": value}
    if isinstance(type, Enumeration):
        return _member(value, type)
    if isinstance(type, Many):
        return _many(value, type, into)
    return _anything(value, into)


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
    if isinstance(type, Unchecked) and (type.is_protocol or type.reference in into.served):
        raise Unfit("ONE408", f"a setting cannot be an instance of {type}", instance=type.reference)


def _scalar(value: Value, type: Scalar) -> Expr:
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
        return "quote it to make it text"
    if not isinstance(value, str):
        return None
    if variable := _VARIABLE.fullmatch(value):
        return f"write ${{{variable[1]}}}"
    if type.name == "bool" and (value in ("true", "false") or value.lower() in _WORDS):
        meant = value if value in ("true", "false") else _WORDS[value.lower()]
        return "remove the quotes" if meant == value else f"write `{meant}`: to YAML 1.2 `{value}` is text"
    checks: dict[str, Callable[[str], object]] = {"int": int, "float": float}
    try:
        checks[type.name](value)
    except (KeyError, ValueError):
        return None
    return "remove the quotes"


def _member(value: Value, type: Enumeration) -> Expr:
    if not isinstance(value, str) or value not in type.members:
        help = partial(did_you_mean, str(value), type.members)
        raise Unfit("ONE408", f"{_shown(value)} is not a member of {type}", help)
    return {"enum": type.reference, "name": value}


def _many(value: Value, type: Many, into: Converted) -> Expr:
    if type.kind == "dict":
        if not isinstance(value, dict):
            raise Unfit("ONE408", f"{_shown(value)} is not {type}")
        entries = dict(zip(value, _each(value.items(), type.item, into), strict=True))
        plain = all("value" in each for each in entries.values())
        return {"value": {k: e["value"] for k, e in entries.items()}} if plain else {"dict": entries}
    if not isinstance(value, list):
        raise Unfit("ONE408", f"{_shown(value)} is not {type}")
    items = _each(enumerate(value), type.item, into)
    if type.kind == "list" and all("value" in each for each in items):
        return {"value": [each["value"] for each in items]}
    return {type.kind: items}


def _each(items: Iterable[tuple[str | int, Value]], type: Type, into: Converted) -> list[Expr]:
    """The expressions of the items; raises one `Unfit` with all that do not fit."""
    found: list[Expr] = []
    unfit: list[Unfit] = []
    at = into.path
    for key, item in items:
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


def _reference(text: str, parts: list[str | re.Match[str]], type: Type, into: Converted) -> Expr:
    target = _target(type)
    _check_no_instance(target, into)
    if isinstance(target, Unchecked):
        into.unchecked.add(into.path)
        target = Scalar("Any")
    whole = len(parts) == 1
    if whole:
        return _read(cast("re.Match[str]", parts[0]), target, into)
    if not isinstance(target, Scalar) or target.name not in ("str", "Path", "Secret", "Any"):
        raise Unfit("ONE411", f"a reference inside text cannot become {type}", "let the reference be the whole value")
    if target == Scalar("Secret") and any(isinstance(part, re.Match) and part["default"] for part in parts):
        raise Unfit("ONE410", "a secret has a default", _NO_DEFAULT)
    text_type = Scalar("str")
    pieces = [part if isinstance(part, str) else _read(part, text_type, into) for part in parts]
    if target.name in ("Path", "Secret"):
        return {"text": pieces, "as": target.name.lower()}
    return {"text": pieces}


def _target(type: Type) -> Type:
    """The member of a union that a reference becomes: text if it may be, else a secret, else the first that can."""
    if not isinstance(type, AnyOf):
        return type
    for name in ("Secret", "str"):
        if Scalar(name) in type.members:
            return Scalar(name)
    return next((m for m in type.members if m != Scalar("None") and not isinstance(m, Many)), type.members[0])


def _read(match: re.Match[str], target: Type, into: Converted) -> Expr:
    name, default = match["name"], match["default"]
    is_secret = isinstance(target, Scalar) and target.name == "Secret"
    if name.startswith(SECRET_PREFIX) and name != SECRET_PREFIX:
        return _read_secret(name.removeprefix(SECRET_PREFIX), default, target, into)
    if default is not None and is_secret:
        raise Unfit("ONE410", "a secret has a default", _NO_DEFAULT)
    expr: Expr = {"env": name} if default is None else {"env": name, "default": default}
    if is_secret:
        return {"text": [expr], "as": "secret"}
    if isinstance(target, Many):
        raise Unfit("ONE411", f"a reference cannot become {target}", "write a list or mapping of references")
    if isinstance(target, Enumeration):
        expr["as"] = {"enum": target.reference}
    elif isinstance(target, Choice):
        expr["as"] = {"one_of": list(target.values)}
        if not all(isinstance(each, str) for each in target.values):
            help = "name a parameter that takes text, or write the value"
            raise Unfit("ONE411", f"a reference cannot become {target}", help)
    elif isinstance(target, Scalar) and target.name in _CONVERTERS:
        expr["as"] = _CONVERTERS[target.name]
    if default is not None:
        _check_default(default, target)
    return expr


def _read_secret(name: str, default: str | None, target: Type, into: Converted) -> Expr:
    if default is not None:
        raise Unfit("ONE410", "a secret has a default", _NO_DEFAULT)
    into.secrets.add(name)
    if isinstance(target, Scalar) and target.name == "Secret":
        return {"secret": name}
    if target in (Scalar("str"), Scalar("Any")):
        return {"secret": name, "reveal": True}
    raise Unfit("ONE411", f"a secret cannot become {target}", "annotate the parameter as `oneiric.Secret`")


def _check_default(default: str, target: Type) -> None:
    """A default is known now, so whether it converts is known now too."""
    checks: dict[str, Callable[[str], object]] = {"int": int, "float": float, "bool": _boolean}
    if isinstance(target, Scalar) and target.name in checks:
        try:
            checks[target.name](default)
        except ValueError:
            raise Unfit("ONE408", f"the default {_shown(default)} is not {target}") from None
    elif isinstance(target, (Enumeration, Choice)):
        _convert(default, target, Converted({}))


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0", "yes", "no", "on", "off"):
        raise ValueError(text)
    return True


def _parse(text: str) -> list[str | re.Match[str]]:
    """Literal stretches and references, in order; adjacent literals are joined."""
    parts: list[str | re.Match[str]] = []
    literal, position = "", 0
    for match in _REFERENCE.finditer(text):
        literal += text[position : match.start()]
        position = match.end()
        if match["bad"]:
            raise Unfit(
                "ONE411", "`${` does not begin a reference", "write ${NAME} or ${NAME:-default}; `$${` is a plain `${`"
            )
        if match["name"] is None:
            literal += "${"
            continue
        if "${" in (match["default"] or ""):
            raise Unfit("ONE411", "a default holds a reference", "a default is plain text, without `${`")
        parts.extend([literal, match] if literal else [match])
        literal = ""
    literal += text[position:]
    return [*parts, literal] if literal or not parts else parts


def _shown(value: Value) -> str:
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "a mapping"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return f"`{shortened(value)}`"
