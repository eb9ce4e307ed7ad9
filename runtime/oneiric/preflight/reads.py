"""The environment variables and secrets that each key reads, as a report says it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast

from oneiric.report import Report
from oneiric.secret import PREFIX

Facts: TypeAlias = "Mapping[str, Any]"

_TEXTS = {
    "duration": "timedelta",
    "signed_duration": "timedelta",
    "moment": "datetime",
    "day": "date",
    "clock": "time",
    "decimal": "Decimal",
    "octets": "bytes",
    "pattern": "Pattern",
    "zone": "ZoneInfo",
}
_SEVERAL = ("list", "tuple", "set", "frozenset")
_PLAIN = {"any": "Any", "path": "Path", "secret": "Secret"}
_AROUND = {**dict.fromkeys(("list", "set", "frozenset"), ("", "")), "tuple": ("", ", ..."), "dict": ("str, ", "")}


@dataclass(frozen=True, slots=True)
class Read:
    """A variable or secret (`kind`) that `parameter` of a key's factory is made from, by the setting at `place`.

    `type` is what its text becomes. It is `required` where there is nothing to take in its stead; `default` is what is
    taken as settings write it, None where there is none. With `why`, a reason that may be empty, it has to be more than
    set: not empty. `tenants` are those it is read for, none for the base.
    """

    kind: str
    name: str
    key: str
    parameter: str
    type: str
    required: bool
    default: str | None
    place: str
    why: str | None = None
    tenants: tuple[str, ...] = ()


def reads(report: Report) -> list[Read]:
    """All that a report's keys read, by key; what tenants read like the base is there once."""
    found: list[Read] = []
    for key, facts in bindings_of(report).items():
        base = list(reads_of(key, facts))
        found += base
        own: dict[Read, list[str]] = {}
        for tenant, theirs in tenants_of(facts).items():
            for each in reads_of(key, theirs):
                if each not in base:
                    own.setdefault(each, []).append(tenant)
        found += [replace(each, tenants=tuple(sorted(tenants))) for each, tenants in own.items()]
    return found


def bindings_of(report: Report) -> dict[str, Facts]:
    """What a report says of each key, and of each layer by its own; what has not the shape of facts is left out."""
    found: dict[str, Facts] = {}
    for key, facts in mapping(report.raw.get("bindings")).items():
        found[key] = mapping(facts)
        found |= _layers(mapping(facts))
    return found


def _layers(facts: Facts) -> dict[str, Facts]:
    """What is said of a key's layers, with what tenants have of their own of each; of tenants alone, nothing else."""
    layers = {key: {**mapping(layer)} for key, layer in mapping(facts.get("layers")).items()}
    for tenant, own in tenants_of(facts).items():
        for key, layer in mapping(own.get("layers")).items():
            layers.setdefault(key, {}).setdefault("tenants", {})[tenant] = layer
    return {**layers}


def tenants_of(facts: Facts) -> dict[str, Facts]:
    """What tenants have of their own of a key."""
    own = {tenant: mapping(theirs) for tenant, theirs in mapping(facts.get("tenants")).items()}
    return {tenant: theirs for tenant, theirs in own.items() if theirs.get("shared") is not True}


def reads_of(key: str, facts: Facts) -> Iterator[Read]:
    """What is read by what serves a key, in the base or for a tenant; the same variable of a parameter once."""
    for parameter, setting in settings_of(facts):
        expression = setting["expr"]
        seen: set[Read] = set()
        for node, type, instead in nodes(expression):
            is_secret = "secret" in node
            name = str(node["secret" if is_secret else "env"])
            default = None if is_secret or "default" not in node else written(node["default"])
            place = place_of(setting, PREFIX + name if is_secret else name)
            kind, required = "secret" if is_secret else "variable", not instead and default is None
            read = Read(kind, name, key, parameter, type, required, default, place, _text(node.get("why")))
            if replace(read, required=True) not in seen:
                seen.add(replace(read, required=True))
                yield read


def is_made(facts: Facts) -> bool:
    """Whether there is something to make: not of a key that is unbound, or that the application provides."""
    return not (facts.get("unbound") or facts.get("provided"))


def settings_of(facts: Facts) -> Iterator[tuple[str, Facts]]:
    """The settings of a key that are made from something else than what they say, by parameter."""
    if not is_made(facts):
        return
    for parameter, setting in mapping(facts.get("settings")).items():
        setting = mapping(setting)
        if isinstance(setting.get("expr"), dict):
            yield parameter, setting


def nodes(
    expression: object, type: str = "", instead: bool = False, environ: Mapping[str, str] | None = None
) -> Iterator[tuple[Facts, str, bool]]:
    """What an expression reads: each part of it that names a variable or a secret, what that becomes, and whether it is
    read only `instead` of another variable that is not set. In an `environ` what is not read there is left out."""
    if isinstance(expression, list):
        for each in cast("list[object]", expression):
            yield from nodes(each, instead=instead, environ=environ)
        return
    if not isinstance(expression, dict):
        return
    node = cast("dict[str, Any]", expression)
    if "secret" in node:
        yield node, type or "Secret", instead
    elif "env" in node:
        yield node, type or _type(node.get("as")), instead
        if environ is None or not environ.get(node["env"]):
            yield from nodes(node.get("default"), instead=True, environ=environ)
    elif "text" in node:
        for part in cast("list[object]", node["text"]):
            yield from nodes(part, _within(node), instead, environ)
    else:
        named = (*mapping(node.get("named")).values(), *mapping(node.get("dict")).values())
        for each in (*node.get("args", ()), *named, *(item for kind in _SEVERAL for item in node.get(kind, ()))):
            yield from nodes(each, instead=instead, environ=environ)


def _within(text: Facts) -> str:
    """What a variable in a text becomes: what the text does where it is all of it, else a part of it."""
    parts = cast("list[object]", text["text"])
    return _type(text.get("as")) if len(parts) == 1 or text.get("as") == "secret" else "str"


def _type(kind: object) -> str:
    """The name of what a variable's text is converted to."""
    if kind is None:
        return "str"
    if isinstance(kind, str):
        return _PLAIN.get(kind, kind)
    facts = mapping(kind)
    if made := _type_of_structure(facts):
        return made
    if "one_of" in facts:
        return " | ".join(json.dumps(each) for each in facts["one_of"])
    if "by" in facts:
        name = str(facts["by"]).rpartition(":")[2]
        return _TEXTS.get(name, name)
    return str(facts.get("enum", json.dumps(kind)))


def _type_of_structure(facts: Facts) -> str | None:
    """The name of a list, a mapping, an object or what may be None; None for what is none of them."""
    if "fixed" in facts:
        return f"tuple[{', '.join(map(_type, facts['fixed'])) or '()'}]"
    if "optional" in facts:
        return f"{_type(facts['optional'])} | None"
    named = facts.get("record", facts.get("then"))
    if named is not None:
        return str(named)
    for kind, (before, after) in _AROUND.items():
        if kind in facts:
            return f"{kind}[{before}{_type(facts[kind])}{after}]"
    return None


def written(default: object) -> str:
    """A default as settings write it; it may hold references itself."""
    if isinstance(default, str):
        return default
    if isinstance(default, list):
        return "".join(map(written, cast("list[object]", default)))
    facts = mapping(default)
    if "env" in facts:
        inner = f":-{written(facts['default'])}" if "default" in facts else ""
        inner = f":?{facts['why']}" if "why" in facts else inner
        return f"${{{facts['env']}{inner}}}"
    if "secret" in facts:
        return f"${{{PREFIX}{facts['secret']}}}"
    if "text" in facts:
        return written(facts["text"])
    return json.dumps(facts.get("value", default))


def place_of(setting: Facts, variable: str) -> str:
    """Where settings refer to a variable: the place of the setting, or of the part of it that does."""
    stated = str(setting.get("from", ""))
    pointer = next(_pointers(setting.get("ref"), re.compile(rf"\$\{{{re.escape(variable)}[}}:]")), "")
    elsewhere = mapping(setting.get("from_at"))
    for upper in sorted((each for each in elsewhere if f"{pointer}/".startswith(f"{each}/")), key=len, reverse=True):
        return f"{elsewhere[upper]}{pointer[len(upper) :]}"
    return stated + pointer


def _pointers(value: object, wanted: re.Pattern[str], at: str = "") -> Iterator[str]:
    """JSON pointers to the texts in which something is found."""
    if isinstance(value, str):
        if wanted.search(value):
            yield at
    elif isinstance(value, dict):
        for name, inner in cast("dict[str, object]", value).items():
            yield from _pointers(inner, wanted, f"{at}/{name.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for index, inner in enumerate(cast("list[object]", value)):
            yield from _pointers(inner, wanted, f"{at}/{index}")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def mapping(value: object) -> dict[str, Any]:
    """The value where it is a JSON object, else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
