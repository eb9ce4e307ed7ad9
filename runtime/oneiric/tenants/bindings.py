"""What a tenant has of its own: its lines found, and a line made a binding, whose block builds by name what the base's
blocks build by code."""

from __future__ import annotations

from functools import partial
from json import dumps, loads

from oneiric.convert import boolean, one_of
from oneiric.declared import flow_binding
from oneiric.errors import TenantsError
from oneiric.references import load
from oneiric.secret import Secret
from oneiric.wiring import bind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

    from oneiric.lines import Lines
    from oneiric.wiring import Binding

_PLAIN = ("provider", "port", "eager", "blocking", "restart", "python", "artifact", "inner", "unbound")
_LISTED = ("needs", "secrets", "os", "layers")


def start_of(tenant: str, key: str | None = None) -> bytes:
    """What a tenant's lines start with, or its line of one key."""
    start = f'{{"tenant": {dumps(tenant)}'
    return (start if key is None else f'{start}, "key": {dumps(key)}, ').encode("ascii")


def tenants_in(lines: Lines) -> Iterator[str]:
    """The tenants that are listed, in order."""
    return (loads(line)["tenant"] for line in lines.each() if b'", "key": ' not in line)


def binding_in(lines: Lines, tenant: str, key: str) -> Binding | None:
    """What a tenant has of its own for a key. Raises `TenantsError`."""
    line = lines.find(start_of(tenant, key))
    return None if line is None else _binding(line, key)


def _binding(line: bytes, key: str) -> Binding:
    try:
        entry = loads(line)
        fields: dict[str, Any] = {name: entry[name] for name in _PLAIN if name in entry}
        fields |= {name: tuple(entry[name]) for name in _LISTED if name in entry}
        if "flow" in entry:
            return flow_binding(key, entry["fingerprint"], entry["flow"], entry.get("input"), None, **fields)
        binding = bind(key, entry["fingerprint"], **fields)
        binding.block = block_of(entry)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise TenantsError(f"the tenants' line of {key} is not one the compiler writes") from error
    return binding


def _path(text: str) -> Path:
    from pathlib import Path

    return Path(text)


_CONVERTERS: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "bool": boolean, "path": _path}
_SEQUENCES: dict[str, Callable[[Any], Any]] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}


def block_of(entry: dict[str, Any]) -> Callable[[Any], Any]:
    """A function of an activation's domain that builds what the line says; `async def` where it says so."""
    factory, arguments, artifact = entry["factory"], entry["arguments"], entry.get("artifact")
    entered = entry.get("entered", False)

    def call(domain: Any) -> Any:
        if artifact is not None:
            from oneiric.artifacts.path import require

            require(artifact)
        make = load(factory)
        return make(**{name: evaluate(value, domain) for name, value in arguments.items()})

    def build(domain: Any) -> Any:
        return domain._enter(call(domain)) if entered else call(domain)

    async def build_async(domain: Any) -> Any:
        made = call(domain)
        return await (domain._enter_async(made) if entered else made)

    return build_async if entry.get("async") else build


def evaluate(expression: dict[str, Any], domain: Any) -> Any:
    """The value of an expression in the domain's scope. Raises ValueError for one of an unknown kind."""
    if "value" in expression:
        return expression["value"]
    if "secret" in expression:
        secret = domain._secret(expression["secret"])
        return secret.reveal() if expression.get("reveal") else secret
    if "env" in expression:
        return _variable(expression, domain)
    if "text" in expression:
        return _text(expression, domain)
    if "path" in expression:
        return _path(expression["path"])
    if "enum" in expression:
        return load(expression["enum"])[expression["name"]]
    if "make" in expression:
        return _made(expression, domain)
    if "flags" in expression:
        flags = load(expression["flags"])
        return flags(sum({flags[name].value for name in expression["names"]}))
    if "bytes" in expression:
        from base64 import b64decode

        return b64decode(expression["bytes"])
    if "need" in expression:
        return _handed(expression["need"], domain)
    if "inner" in expression:
        return domain._inner
    return _container(expression, domain)


def _handed(key: str, domain: Any) -> Any:
    return domain._application if key == "oneiric:runtime" else domain._scope.place(key).live


def _made(expression: dict[str, Any], domain: Any) -> Any:
    arguments = [evaluate(each, domain) for each in expression.get("args", ())]
    named = {name: evaluate(each, domain) for name, each in expression.get("named", {}).items()}
    return load(expression["make"])(*arguments, **named)


def _container(expression: dict[str, Any], domain: Any) -> Any:
    for kind, make in _SEQUENCES.items():
        if kind in expression:
            return make([evaluate(each, domain) for each in expression[kind]])
    if "dict" in expression:
        return {name: evaluate(each, domain) for name, each in expression["dict"].items()}
    raise ValueError(f"an expression of an unknown kind: {', '.join(sorted(expression))}")


def _variable(expression: dict[str, Any], domain: Any) -> Any:
    name, kind, stated = expression["env"], expression.get("as"), expression.get("default")
    default = stated if stated is None or isinstance(stated, str) else partial(evaluate, stated, domain)
    why = {"why": expression["why"]} if "why" in expression else {}
    if kind is None:
        return domain._env(name, default, **why)
    return domain._env_as(_converter(kind), name, default, **why)


def _converter(kind: Any) -> Callable[[str], Any]:
    if kind in ("int", "float", "bool", "path"):
        return _CONVERTERS[kind]
    if "one_of" in kind:
        return one_of(*kind["one_of"])
    if "by" in kind or "enum" in kind:
        converter: Callable[[str], Any] = load(kind["by"] if "by" in kind else kind["enum"])
        return converter
    return _structure(kind)


def _structure(kind: Any) -> Callable[[str], Any]:
    """The converter of a list, a mapping or an object, or of what may stand in one alone."""
    from oneiric import structures

    if isinstance(kind, str):
        plain: dict[str, Callable[[str], Any]] = {"str": str, "secret": Secret, "any": structures.anything}
        return plain[kind]
    if "record" in kind:
        fields = {name: _converter(each) for name, each in kind["fields"].items()}
        return structures.record(load(kind["record"]), fields, *kind["required"])
    if "then" in kind:
        return structures.then(_converter(kind["of"]), load(kind["then"]))
    name, of = next(iter(kind.items()))
    if name == "fixed":
        return structures.fixed(*map(_converter, of))
    make: Any = getattr(structures, name if name == "optional" else f"{name}_of")
    converter: Callable[[str], Any] = make(_converter(of))
    return converter


def _text(expression: dict[str, Any], domain: Any) -> Any:
    parts = (part if isinstance(part, str) else evaluate(part, domain) for part in expression["text"])
    text = "".join(part.reveal() if isinstance(part, Secret) else str(part) for part in parts)
    kind = expression.get("as")
    return Secret(text) if kind == "secret" else _path(text) if kind == "path" else text
