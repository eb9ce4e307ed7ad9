"""Looking at what a call through `live` gave: is it over, or is it leased until it is?"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable, Generator
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any
from weakref import WeakKeyDictionary

from oneiric.live.leases import Lease, LeasedAsyncIterator, LeasedIterator
from oneiric.slot import Held

_LEASED = ("__next__", "__anext__", "__aiter__", "__enter__", "__aenter__", "__await__")
_OWN = frozenset(dir(object)) | {"__getattr__", "__del__", "__dict__", "__weakref__", "__slots__"}


def _class_of(value: object) -> type:
    return type(value)


def keep(held: Held, result: Any) -> Any:
    """The result itself where it is over, else something that does the same and keeps a lease."""
    kind = _class_of(result)
    if kind in OVER:
        return result
    if kind is AsyncGeneratorType:
        return LeasedAsyncIterator.begun(held, result)
    if kind is CoroutineType or (kind is GeneratorType and inspect.isawaitable(result)):
        return _leased_coroutine(Lease(held), held, result)
    if kind is GeneratorType:
        return LeasedIterator(held, result)
    if any(hasattr(kind, name) for name in _LEASED):
        return _leased_class(kind)(held, result)
    if _lasts(kind):
        OVER.add(kind)
    return result


def keep_iterable(held: Held, result: Any) -> Any:
    """The same for what is announced as iterable: whatever is not a plain collection counts as an iterator."""
    kind = _class_of(result)
    if kind in _PLAIN or not hasattr(kind, "__iter__") or any(hasattr(kind, name) for name in _LEASED):
        return keep(held, result)
    return LeasedIterator(held, iter(result))


def _lasts(kind: type) -> bool:
    """Whether its module keeps the class: one made on the spot has to be looked at each time, or would be kept here."""
    found: object = sys.modules.get(kind.__module__)
    for name in kind.__qualname__.split("."):
        found = getattr(found, "__dict__", {}).get(name)
    return found is kind


_PLAIN: frozenset[type] = frozenset({
    type(None), bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset
})  # fmt: skip
OVER: set[type] = {*_PLAIN}
"""Types of results that are over when the call returns; others join them once looked at."""


async def _leased_coroutine(lease: Lease, held: Held, inner: Any) -> Any:
    try:
        lease.check()
        return keep(held, await inner)
    finally:
        inner.close()
        lease.end()


class Leased:
    """Stands for an iterator, a context manager or an awaitable of any class: delegates everything, and ends the
    lease when that is exhausted, left, awaited or closed. Subclasses have the special methods of its class."""

    __slots__ = ("_inner", "_lease_of_inner", "_slot_held")

    def __init__(self, held: Held, inner: Any) -> None:
        self._inner = inner
        self._slot_held = held
        self._lease_of_inner = Lease(held, inner)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if not callable(value):
            return value
        if name not in ("close", "aclose"):
            self._lease_of_inner.check()
            return value

        def close(*args: Any, **kwargs: Any) -> Any:
            return self._closed(value(*args, **kwargs))

        return close

    def _closed(self, result: Any) -> Any:
        if inspect.isawaitable(result):
            return self._end_after(result)
        self._lease_of_inner.end()
        return result

    async def _end_after(self, awaitable: Awaitable[Any]) -> Any:
        try:
            return await awaitable
        finally:
            self._lease_of_inner.end()

    @staticmethod
    def delegate(name: str) -> Callable[..., Any]:
        """A special method that passes itself on."""

        def method(self: Leased, *args: Any, **kwargs: Any) -> Any:
            self._lease_of_inner.check()
            return getattr(self._inner, name)(*args, **kwargs)

        return method

    def _same(self, value: Any) -> Any:
        return self if value is self._inner else value


class _Special(Leased):
    """How a leased object does what can end its lease."""

    __slots__ = ()

    def __enter__(self) -> Any:
        self._lease_of_inner.check()
        return self._same(self._inner.__enter__())

    async def __aenter__(self) -> Any:
        self._lease_of_inner.check()
        return self._same(await self._inner.__aenter__())

    def __exit__(self, *error: Any) -> Any:
        with self._lease_of_inner.leaving(*error) as told:
            return self._inner.__exit__(*told)

    async def __aexit__(self, *error: Any) -> Any:
        with self._lease_of_inner.leaving(*error) as told:
            return await self._inner.__aexit__(*told)

    def __iter__(self) -> Any:
        self._lease_of_inner.check()
        return self._same(iter(self._inner))

    def __aiter__(self) -> Any:
        self._lease_of_inner.check()
        inner = aiter(self._inner)
        return self if inner is self._inner else keep(self._slot_held, inner)

    def __next__(self) -> Any:
        self._lease_of_inner.check()
        try:
            return self._inner.__next__()
        except StopIteration:
            self._lease_of_inner.end()
            raise

    async def __anext__(self) -> Any:
        self._lease_of_inner.check()
        try:
            return await self._inner.__anext__()
        except StopAsyncIteration:
            self._lease_of_inner.end()
            raise

    def __await__(self) -> Generator[Any, Any, Any]:
        self._lease_of_inner.check()
        result: Any = None
        awaiting: Generator[Any, Any, Any] = self._inner.__await__()
        try:
            result = yield from awaiting
            return self if result is self._inner else keep(self._slot_held, result)
        finally:
            if result is not self._inner:
                self._lease_of_inner.end()


_classes: WeakKeyDictionary[type, type[Leased]] = WeakKeyDictionary()


def _leased_class(kind: type) -> type[Leased]:
    found = _classes.get(kind)
    if found is None:
        methods: dict[str, Any] = {"__slots__": ()}
        for name in dir(kind):
            special = name.startswith("__") and name.endswith("__") and name not in _OWN
            if special and inspect.isroutine(getattr(kind, name)):
                methods[name] = vars(_Special).get(name) or Leased.delegate(name)
        found = _classes[kind] = type(f"Leased{kind.__name__}", (Leased,), methods)
    return found
