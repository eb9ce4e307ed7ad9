"""The layer `cached`: what was asked a moment ago is not asked again."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence, Set
from datetime import timedelta
from inspect import Parameter
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from oneiric.layers import LayerMisconfigured
from oneiric.layers._settings import at_least_one, seconds
from oneiric.layers._wrapping import Wrapping, port_of, repeatable
from oneiric.port import Method, methods_of

if TYPE_CHECKING:
    from annotated_types import Ge

P = TypeVar("P")


def cached(
    inner: P,
    *,
    methods: Sequence[str],
    ttl: timedelta,
    most: Annotated[int, Ge(1)] = 10_000,
    keep_none: bool = True,
) -> P:
    """Keeps results of the named methods in memory for a while, by their arguments; who asks again gets the same
    object, and must not change it. Errors are not kept.

    Callers who ask the same at the same time share one call. It goes on when one of them is cancelled; when all of
    them are, it is cancelled as well, and waited for. An error is raised to each of them.

    Arguments are the same however they are written, by position, by keyword or as a default; a list or mapping is what
    it holds, and 1, 1.0 and True are three. A call with an argument that cannot be compared so, or an iterator, is made
    and not kept. Nothing that other methods change is noticed before the time is over. Only awaited methods can be
    named; all others, iterators and context managers are passed on as they are.

    `methods`: the methods whose results are kept.
    `ttl`: how long.
    `most`: how many results are kept; beyond it the one goes that was not asked for the longest.
    `keep_none`: whether None is a result like any other.
    """
    _check_methods(port_of(inner), methods)
    return _WRAPPING.around(inner, _Results(methods, ttl, most, keep_none))


def _check_methods(port: type, methods: Sequence[str]) -> None:
    known = {method.name: method.is_async for method in methods_of(port)[0]}
    if not methods:
        raise LayerMisconfigured("cached", "methods", "names no method")
    for name in methods:
        if name not in known:
            awaited = ", ".join(sorted(each for each, is_async in known.items() if is_async))
            raise LayerMisconfigured(
                "cached", "methods", f"{port.__name__} has no method {name!r}; awaited are {awaited}"
            )
        if not known[name]:
            raise LayerMisconfigured("cached", "methods", f"{name!r} is not awaited, and only such results are kept")


class _Shared:
    """A call under way, and how many wait for it."""

    __slots__ = ("callers", "task")

    task: asyncio.Task[Any]

    def __init__(self) -> None:
        self.callers = 0


class _Results:
    def __init__(self, methods: Sequence[str], ttl: timedelta, most: int, keep_none: bool) -> None:
        self.methods = frozenset(methods)
        self._ttl = seconds("cached", "ttl", ttl)
        self._most = at_least_one("cached", "most", most)
        self._keep_none = keep_none
        self._kept: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self._under_way: dict[Hashable, _Shared] = {}

    def look(self, key: Hashable) -> tuple[float, Any] | None:
        """When a kept result ends, and what it is."""
        found = self._kept.get(key)
        if found is None:
            return None
        if found[0] <= asyncio.get_running_loop().time():
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return found

    async def make(self, key: Hashable, call: Callable[[], Awaitable[Any]]) -> Any:
        """What a call gives that is made once for all who ask meanwhile."""
        shared = self._under_way.get(key)
        if shared is None:
            shared = self._under_way[key] = _Shared()
            shared.task = asyncio.get_running_loop().create_task(self._made(key, shared, call))
        shared.callers += 1
        try:
            return await asyncio.shield(shared.task)
        except asyncio.CancelledError:
            if shared.callers == 1 and not shared.task.done():
                self._forget(key, shared)
                await _cancelled(shared.task)
            raise
        finally:
            shared.callers -= 1

    async def _made(self, key: Hashable, shared: _Shared, call: Callable[[], Awaitable[Any]]) -> Any:
        try:
            result = await call()
            if self._under_way.get(key) is shared and (result is not None or self._keep_none):
                self._keep(key, result)
            return result
        finally:
            self._forget(key, shared)

    def _forget(self, key: Hashable, shared: _Shared) -> None:
        """From now on whoever asks makes a call of their own."""
        if self._under_way.get(key) is shared:
            del self._under_way[key]

    def _keep(self, key: Hashable, result: Any) -> None:
        now = asyncio.get_running_loop().time()
        self._kept[key] = now + self._ttl, result
        while len(self._kept) > self._most or next(iter(self._kept.values()))[0] <= now:
            self._kept.popitem(last=False)


async def _cancelled(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait until it is over, whatever it comes to: nothing goes on behind its last caller's back."""
    task.cancel()
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()


_SAME_TYPE_ONLY = frozenset({str, bytes, type(None)})
"""Types whose values equal those of no other type that is not derived from them."""


def _comparable(method: str, arguments: tuple[object, ...], named: Mapping[str, object]) -> Hashable:
    """What is equal for calls of equal arguments alone; None where they cannot be compared."""
    try:
        return method, tuple(map(_frozen, arguments)), tuple((name, _frozen(named[name])) for name in sorted(named))
    except (TypeError, RecursionError):
        return None


def _frozen(value: Any) -> Hashable:
    kind = _class_of(value)
    tag: Hashable = kind
    if kind in _SAME_TYPE_ONLY:
        same: Hashable = value
        return same
    if issubclass(kind, (list, tuple)):
        return tag, tuple(map(_frozen, value))
    if issubclass(kind, Mapping):
        return tag, frozenset((_frozen(name), _frozen(each)) for name, each in value.items())
    if issubclass(kind, Set):
        return tag, frozenset(map(_frozen, value))
    if issubclass(kind, bytearray):
        return tag, bytes(value)
    if not repeatable(value):
        raise TypeError
    hash(value)
    return tag, value


def _class_of(value: object) -> type:
    return type(value)


_CALL = """\
async def {name}({parameters}):
    {p}results = {self}._layer
    if {name!r} not in {p}results.methods:
        return await {self}._inner.{name}({arguments})
    {p}key = {p}comparable({name!r}, (GIVEN), NAMED)
    if {p}key is None:
        return await {self}._inner.{name}({arguments})
    {p}found = {p}results.look({p}key)
    if {p}found is not None:
        return {p}found[1]
    return await {p}results.make({p}key, lambda: {self}._inner.{name}({arguments}))
"""


def _call(method: Method) -> str:
    _, *parameters = method.signature.parameters.values()
    named = [each.name for each in parameters if each.kind is Parameter.VAR_KEYWORD]
    given = "".join(f"{each.name}, " for each in parameters if each.name not in named)
    return _CALL.replace("GIVEN", given).replace("NAMED", named[0] if named else "{{}}")


_WRAPPING = Wrapping("Cached", call=_call, names={"comparable": _comparable})
