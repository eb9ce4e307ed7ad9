"""The layer `fallback`: another key answers where this one cannot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from oneiric.layers._settings import exceptions
from oneiric.layers._wrapping import Call, Entered, Step, Steps, Wrapping, port_of, repeatable

P = TypeVar("P")


def fallback(inner: P, *, to: P, errors: Sequence[str]) -> P:
    """Makes a call that came to one of the named errors once more, with the same arguments, at another key. What that
    gives is what counts, be it an error; the first one is then its context. All other errors come through at once.

    A call that was handed an iterator, which may be at its end, is not made twice. Of an iterator the first step may be
    the other key's, and then all of it is, and of a context manager the entering: never what comes after there was
    something to see. Methods that are not awaited are passed on as they are.

    `to`: the other key, of the same port.
    `errors`: what it is asked for.
    """
    return _WRAPPING.around(inner, _Fallback(to, exceptions("fallback", errors, port_of(inner))))


class _Fallback:
    __slots__ = ("errors", "to")

    def __init__(self, to: Any, errors: tuple[type[Exception], ...]) -> None:
        self.to = to
        self.errors = errors


class _Steps(Steps):
    __slots__ = ("_begun",)

    def __init__(self, wrapped: Any, name: str, call: Call) -> None:
        super().__init__(wrapped, name, call)
        self._begun = False

    async def _step(self, step: Step) -> Any:
        if self._begun:
            return await step(self._steps)
        layer: _Fallback = self._wrapped._layer
        try:
            item = await step(self._steps)
        except StopAsyncIteration:
            self._begun = True
            raise
        except layer.errors:
            self._begun = True
            if not self._call(repeatable):
                raise
            await self._steps.aclose()
            self._steps = self._call(getattr(layer.to, self._name))
            return await step(self._steps)
        self._begun = True
        return item

    async def athrow(self, *error: Any) -> Any:
        return await self._steps.athrow(*error)


class _Entered(Entered):
    async def __aenter__(self) -> Any:
        layer: _Fallback = self._wrapped._layer
        try:
            return await self._context.__aenter__()
        except layer.errors:
            if not self._call(repeatable):
                raise
            self._context = self._call(getattr(layer.to, self._name))
            return await self._context.__aenter__()


_CALL = """\
async def {name}({parameters}):
    try:
        return await {self}._inner.{name}({arguments})
    except {self}._layer.errors:
        if not {p}repeatable({arguments}):
            raise
        return await {self}._layer.to.{name}({arguments})
"""
_WRAPPING = Wrapping("Fallback", call=_CALL, iterate=_Steps, enter=_Entered, names={"repeatable": repeatable})
