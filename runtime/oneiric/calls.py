"""Calls by name: `DOMAIN:KEY` or `DOMAIN:KEY#method` with a JSON object, checked by the types of the key's port."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter, isawaitable
from typing import Any, NamedTuple, cast, get_args
from uuid import uuid4
from weakref import WeakKeyDictionary

from oneiric.boundary import PlainError, plain, read_as
from oneiric.errors import OneiricError, RemovedKey, UnboundKey, UnknownKey
from oneiric.flows.model import Unserved
from oneiric.port import methods_of
from oneiric.references import load
from oneiric.stepping import Token
from oneiric.tracing import span
from oneiric.wiring import target_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oneiric.slot import AnyScope, Slot

_CALL = "__call__"
_NAMED = (Parameter.KEYWORD_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_methods: WeakKeyDictionary[type, dict[str, Taken]] = WeakKeyDictionary()


class Fault(NamedTuple):
    """What is wrong with a payload: `field` is what to look at ("" for the whole), `what` says why."""

    field: str
    what: str


class PayloadError(OneiricError, ValueError):
    """A payload that a call does not take: `faults` are all that is wrong with it, `field` and `what` the first."""

    def __init__(self, call: str, field: str, what: str, *more: Fault) -> None:
        self.call = call
        self.field = field
        self.what = what
        self.faults = (Fault(field, what), *more)
        told = (f"{f'`{each.field}`' if each.field else 'the payload'} {each.what}" for each in self.faults)
        super().__init__(f"{call}: {'; '.join(told)}")


class Call(NamedTuple):
    """What a text names: a full key and a method."""

    key: str
    method: str


class Taken(NamedTuple):
    """What a method takes: the type of each parameter (Any where it cannot be told), those that have to be given, and
    whether any other is taken."""

    types: Mapping[str, Any]
    required: frozenset[str]
    open: bool


def parse_call(text: str) -> Call:
    """The key and method of `DOMAIN:KEY#method`, by default `__call__`. Raises `ValueError`."""
    key, hash, method = text.partition("#")
    domain, colon, name = key.partition(":")
    if not (domain and colon and name) or (hash and not method.isidentifier()):
        raise ValueError(f"{text!r} is not DOMAIN:KEY or DOMAIN:KEY#method")
    return Call(key, method or _CALL)


def served(scope: AnyScope, key: str) -> Slot[Any]:
    """The slot of a key, or of what an alias stands for, in that view. Raises `Unserved`, which names the nearest."""
    try:
        slot = scope.place(target_of(scope.wiring_class, key))
    except (UnknownKey, RemovedKey) as error:
        raise Unserved(str(error)) from error
    if slot.binding.unbound:
        raise Unserved(str(UnboundKey(key, scope.tenant)))
    return slot


async def invoke(scope: AnyScope, call: str, payload: Mapping[str, Any], *, token: str | None = None) -> Any:
    """Make a call in the base's or a tenant's view, which activates the key; what it gives, as JSON.

    Raises `Unserved` where nothing serves it, `PayloadError`, `ActivationError`, `Paused`, and what the call does.
    """
    key, method = parse_call(call)
    slot = served(scope, key)
    async with slot.lease() as instance:
        port = cast("type[Any]", type(instance) if slot.binding.port is None else load(slot.binding.port))
        return await _made(call, instance, port, method, payload, token)


async def invoke_traced(scope: AnyScope, call: str, payload: Mapping[str, Any]) -> Any:
    """The same, asked for from outside this process: a span `invoke`."""
    domain, _, key = served(scope, parse_call(call).key).key.partition(":")
    with span("invoke", domain=domain, key=key, tenant=scope.tenant):
        return await invoke(scope, call, payload)


async def _made(call: str, target: Any, port: type, method: str, payload: Mapping[str, Any], token: str | None) -> Any:
    taken = takes(port).get(method)
    if taken is None:
        known = ", ".join(sorted(takes(port))) or "none"
        raise Unserved(f"{call}: {port.__qualname__} has no method {method}; it has {known}")
    arguments = _arguments(call, taken, payload, token)
    result = getattr(target, method)(**arguments)
    if isawaitable(result):
        result = await result
    try:
        return plain(result)
    except PlainError as error:
        raise PlainError("", f"that {call} gives cannot be kept as JSON: {error}") from error


def takes(port: type) -> Mapping[str, Taken]:
    """What each method of a port takes. Raises `PortError`."""
    found = _methods.get(port)
    if found is None:
        methods, _ = methods_of(port)
        found = _methods[port] = {each.name: _taken(port, each.function, each.signature) for each in methods}
    return found


def _taken(port: type, function: Any, signature: Any) -> Taken:
    parameters = list(signature.parameters.values())[1:]
    named = [each for each in parameters if each.kind in _NAMED]
    types = {each.name: _type(port, function, each.annotation) for each in named}
    required = frozenset(each.name for each in named if each.default is each.empty)
    return Taken(types, required, any(each.kind is each.VAR_KEYWORD for each in parameters))


def _type(port: type, function: Any, annotation: Any) -> Any:
    """What an annotation means; Any where it cannot be told, as of a name that only type checkers import."""
    if annotation is Parameter.empty:
        return Any
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, getattr(function, "__globals__", {}), dict(vars(port)))
    except Exception:
        return Any


def _arguments(call: str, taken: Taken, payload: Mapping[str, Any], token: str | None) -> dict[str, Any]:
    arguments = dict(payload)
    if "token" not in arguments and _is_token(taken.types.get("token")):
        arguments["token"] = Token(token or uuid4().hex)
    faults = [Fault(name, _untaken(name, taken)) for name in arguments if name not in taken.types and not taken.open]
    faults += [Fault(name, "is missing") for name in sorted(taken.required - arguments.keys())]
    for name, value in arguments.items():
        wanted = taken.types.get(name, Any)
        if wanted is not Any and not _is_token(wanted):
            try:
                arguments[name] = read_as(value, wanted)
            except PlainError as error:
                faults.append(Fault(f"{name}{error.at if error.at[:1] in ('', '[') else f'.{error.at}'}", error.what))
            except TypeError:  # a type that msgspec has no reading for: as it is
                pass
    if faults:
        raise PayloadError(call, *faults[0], *faults[1:])
    return arguments


def _untaken(name: str, taken: Taken) -> str:
    from difflib import get_close_matches

    takes = sorted(name for name, wanted in taken.types.items() if not _is_token(wanted))
    near = get_close_matches(name, takes, 1)
    return (
        f"is not taken; did you mean `{near[0]}`?"
        if near
        else f"is not taken; it takes {', '.join(takes) or 'nothing'}"
    )


def _is_token(wanted: Any) -> bool:
    return wanted is Token or Token in get_args(wanted)
