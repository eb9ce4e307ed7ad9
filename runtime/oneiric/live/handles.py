"""`live`: an object with a port's exact methods, which leases the slot's current instance for each call.

Its class is written once per port, as source: exact signatures cost a fraction of `*args`, and far less than
`__getattr__`. What a function's return annotation says decides how long its call lasts.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from oneiric.errors import PortError, RemovedKey
from oneiric.lifecycle.activation import activate
from oneiric.live.leases import LeasedAsyncContext, LeasedAsyncIterator
from oneiric.live.results import OVER, keep, keep_iterable
from oneiric.port import Method, methods_of
from oneiric.references import load
from oneiric.slot import Slot, inactive

_handles: dict[type, type] = {}


def handle_for(slot: Slot[Any]) -> Any:
    """A handle of the slot's port. Raises `PortError`, `RemovedKey`."""
    home = slot.home
    if slot.state == "removed":
        raise RemovedKey(slot.key)
    name = home.binding.port
    if name is None:
        raise PortError(f"{slot.key} has no port, so no live: declare a port, or use current and lease()")
    try:
        port = load(name)
    except (ImportError, AttributeError) as error:
        raise PortError(f"{slot.key}: the port {name} cannot be loaded ({type(error).__name__})") from error
    if not isinstance(port, type):
        raise PortError(f"{slot.key}: the port {name} is not a class")
    handle = handle_class(port)(home)
    slot.scope.note(handle)
    return handle


def handle_class(port: type) -> type:
    """The class of all handles of a port. Raises `PortError` for one with members that `live` refuses."""
    found = _handles.get(port)
    if found is None:
        found = _handles[port] = _write(port)
    return found


class _Handle:
    __slots__ = ("__weakref__", "_slot")

    def __init__(self, slot: Slot[Any]) -> None:
        self._slot = slot

    def __repr__(self) -> str:
        return f"<live {self._slot.key}>"


def _write(port: type) -> type:
    methods, refused = methods_of(port)
    names: dict[str, Any] = {
        "activate": activate,
        "inactive": inactive,
        "keep": keep,
        "keep_iterable": keep_iterable,
        "over": OVER,
        "iterate": LeasedAsyncIterator,
        "enter": LeasedAsyncContext,
    }
    body: dict[str, Any] = {"__slots__": (), "__doc__": port.__doc__}
    for name, why in refused.items():
        body[name] = property(_refuse(f"{port.__qualname__}.{name} is {why}: live offers methods only"))
    for method in methods:
        body[method.name] = _compile(port, method, names)
    return type(f"Live{port.__name__}", (_Handle,), body)


def _refuse(message: str) -> Callable[[Any], object]:
    def refuse(_: Any) -> object:
        raise PortError(message)

    return refuse


def _compile(port: type, method: Method, names: dict[str, Any]) -> Any:
    prefix = "_"
    while any(name.startswith(prefix) for name in method.signature.parameters):
        prefix += "_"
    namespace = {prefix + name: value for name, value in names.items()}
    source = _source(method, prefix, namespace)
    exec(compile(source, f"<live {port.__module__}:{port.__qualname__}.{method.name}>", "exec"), namespace)
    function = namespace[method.name]
    function.__module__ = method.function.__module__
    function.__qualname__ = f"Live{port.__name__}.{method.name}"
    function.__doc__ = method.function.__doc__
    function.__annotations__ = dict(method.function.__annotations__)
    return function


_ASYNC_CALL = """\
async def {name}({parameters}):
    {p}held = {self}._slot.held
    if {p}held is None:
        {p}held = await {p}activate({self}._slot)
    {p}held.leases += 1
    try:
        {result}
    finally:
        {p}held.leases -= 1
        if {p}held.watched:
            {p}held.tell()
"""
_CALL = """\
def {name}({parameters}):
    {p}held = {self}._slot.held
    if {p}held is None:
        raise {p}inactive({self}._slot)
    {p}held.leases += 1
    try:
        {result}
    finally:
        {p}held.give_back()
"""
_LATER = """\
def {name}({parameters}):
    return {p}{kind}({self}._slot, lambda {p}instance: {p}instance.{name}({arguments}))
"""
_RESULTS = {
    "over": "return {call}",
    "iterable": "return {p}keep_iterable({p}held, {call})",
    "unknown": "{p}result = {call}\n"
    "        return {p}result if type({p}result) in {p}over else {p}keep({p}held, {p}result)",
}


def _source(method: Method, prefix: str, namespace: dict[str, Any]) -> str:
    self, *_ = method.signature.parameters
    parameters, arguments = _parameters(method.signature, prefix, namespace)
    fields = {
        "name": method.name,
        "p": prefix,
        "self": self,
        "parameters": parameters,
        "arguments": arguments,
    }
    if method.result in ("iterate", "enter"):
        return _LATER.format(kind=method.result, **fields)
    wait = "await " if method.is_async else ""
    call = f"{wait}{prefix}held.instance.{method.name}({arguments})"
    result = _RESULTS[method.result].format(call=call, p=prefix)
    return (_ASYNC_CALL if method.is_async else _CALL).format(result=result, **fields)


def _parameters(signature: inspect.Signature, prefix: str, namespace: dict[str, Any]) -> tuple[str, str]:
    """The text of a `def`'s parameters and of a call that passes them on; defaults go into the namespace."""
    bare: list[inspect.Parameter] = []
    arguments: list[str] = []
    for index, parameter in enumerate(signature.parameters.values()):
        default = parameter.default
        if default is not parameter.empty:
            namespace[f"{prefix}default{index}"] = default
            default = _Name(f"{prefix}default{index}")
        bare.append(parameter.replace(annotation=parameter.empty, default=default))
        if index:
            arguments.append(_passed_on(parameter))
    text = str(signature.replace(parameters=bare, return_annotation=signature.empty))
    return text.removeprefix("(").removesuffix(")"), ", ".join(arguments)


def _passed_on(parameter: inspect.Parameter) -> str:
    name = parameter.name
    if parameter.kind is parameter.KEYWORD_ONLY:
        return f"{name}={name}"
    if parameter.kind is parameter.VAR_POSITIONAL:
        return f"*{name}"
    return f"**{name}" if parameter.kind is parameter.VAR_KEYWORD else name


class _Name(str):
    """A default that shows as a name in the text of a signature."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)
