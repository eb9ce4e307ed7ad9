"""What all layers are made of: classes with a port's methods, which do something around the same method of another.

The class is made once for each layer and port, from the port's functions, as those of live handles are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from oneiric.errors import PortError
from oneiric.forwarding import forwarding_class
from oneiric.port import Method

P = TypeVar("P")
Call: TypeAlias = "Callable[[Callable[..., Any]], Any]"
"""The arguments of a call: it passes them to whatever function it is given."""
Step: TypeAlias = "Callable[[Any], Awaitable[Any]]"
"""Takes one step of the iterator that it is given."""

_PASSED_ON = """\
def {name}({parameters}):
    return {self}._inner.{name}({arguments})
"""
_LATER = """\
def {name}({parameters}):
    return {p}KIND({self}, {name!r}, lambda {p}function: {p}function({arguments}))
"""


class Wrapped:
    """The base of what a layer gives: what it wraps, and the layer's own state. Layers may wrap each other."""

    __slots__ = ("__weakref__", "_inner", "_layer")

    def __init__(self, inner: Any, layer: Any) -> None:
        self._inner = inner
        self._layer = layer

    @property
    def __key__(self) -> str:
        return key_of(self._inner)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._inner!r}>"


class Steps(AsyncIterator[Any]):
    """An async iterator that a call gives. Nothing happens before its first step."""

    __slots__ = ("_call", "_name", "_steps", "_wrapped")

    def __init__(self, wrapped: Any, name: str, call: Call) -> None:
        self._wrapped = wrapped
        self._name = name
        self._call = call
        self._steps: Any = call(getattr(wrapped._inner, name))

    async def _step(self, step: Step) -> Any:
        """One step: what layers do something around."""
        return await step(self._steps)

    async def __anext__(self) -> Any:
        return await self._step(anext)

    async def asend(self, value: Any) -> Any:
        """The next item, after sending `value` to the generator."""
        return await self._step(lambda steps: steps.asend(value))

    async def athrow(self, *error: Any) -> Any:
        """The next item, after throwing an error into the generator."""
        return await self._step(lambda steps: steps.athrow(*error))

    async def aclose(self) -> None:
        """Close the generator, or what an iterator that cannot be closed keeps open."""
        await self._steps.aclose()


class Entered(AbstractAsyncContextManager[Any]):
    """An async context manager that a call gives. Nothing happens before it is entered."""

    __slots__ = ("_call", "_context", "_name", "_wrapped")

    def __init__(self, wrapped: Any, name: str, call: Call) -> None:
        self._wrapped = wrapped
        self._name = name
        self._call = call
        self._context: Any = call(getattr(wrapped._inner, name))

    async def __aenter__(self) -> Any:
        return await self._context.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        left: bool | None = await self._context.__aexit__(kind, error, trace)
        return left


class Wrapping:
    """How a layer wraps the methods of any port.

    `call` is, or gives, the source of an awaited method, as `forwarding_class` takes it, and `names` are what it uses;
    `iterate` and `enter` are the classes of the async iterators and context managers that methods give. All other
    methods are passed on.
    """

    def __init__(
        self,
        prefix: str,
        *,
        call: str | Callable[[Method], str],
        iterate: type[Steps] = Steps,
        enter: type[Entered] = Entered,
        names: Mapping[str, object] | None = None,
    ) -> None:
        self._prefix = prefix
        self._call = call
        self._names = {"iterate": iterate, "enter": enter, **(names or {})}
        self._classes: WeakKeyDictionary[type, type] = WeakKeyDictionary()

    def around(self, inner: P, layer: object) -> P:
        """An object with the methods of `inner`'s port around `inner`; `layer` is what they share."""
        port = port_of(inner)
        found = self._classes.get(port)
        if found is None:
            found = self._classes[port] = forwarding_class(port, self._prefix, Wrapped, self._write, self._names)
        made: P = found(inner, layer)
        return made

    def _write(self, method: Method) -> str:
        if method.result in ("iterate", "enter"):
            return _LATER.replace("KIND", method.result)
        if not method.is_async:
            return _PASSED_ON
        return self._call if isinstance(self._call, str) else self._call(method)


def port_of(inner: Any) -> type:
    """The port of a live handle, or of what a layer made of one. Raises `PortError`."""
    port: type = _of_handle(inner, "__port__")
    return port


def key_of(inner: Any) -> str:
    """The full key that it stands for. Raises `PortError`."""
    key: str = _of_handle(inner, "__key__")
    return key


def _of_handle(inner: Any, name: str) -> Any:
    found = getattr(inner, name, None)
    if found is None:
        raise PortError(f"a layer wraps a live handle or another layer, not {type(inner).__name__}")
    return found


def repeatable(*arguments: object, **named: object) -> bool:
    """Whether a call with these arguments can be made a second time: an iterator may be at its end by then."""
    return not any(
        hasattr(type(each), "__anext__") or hasattr(type(each), "__next__") for each in (*arguments, *named.values())
    )
