"""The layer `traced`: a span and a measurement of every call."""

from __future__ import annotations

from contextvars import Context, copy_context
from types import TracebackType
from typing import Any, TypeVar

from oneiric.layers._wrapping import Call, Entered, Step, Steps, Wrapping, key_of
from oneiric.tracing import Traced, span

P = TypeVar("P")


def traced(inner: P) -> P:
    """Tells of each call how long it took and what error it came to: as a span `oneiric.call` with the attributes
    `domain`, `key` and `method`, and, where OpenTelemetry's API is installed, in the histogram
    `oneiric.call.duration`, in seconds, with `oneiric.key`, `oneiric.method` and, of a failed one, `error.type`.

    Spans go where those of the runtime go. An iterator is one call from its first step until it is over, closed or
    dropped, and a context manager from its entering until it is left, with the block's error where that came through;
    the spans of what happens meanwhile stand beside theirs and not beneath. No argument, result or message of an error
    that is not of this package is told. Methods that are not awaited are passed on as they are.
    """
    return _WRAPPING.around(inner, _Told(key_of(inner)))


class _Told:
    def __init__(self, key: str) -> None:
        self.domain, _, self.name = key.partition(":")

    def __call__(self, method: str) -> Traced:
        return span("call", domain=self.domain, key=self.name, method=method)


class _Apart:
    """A call that begins and ends in different steps, which may be those of different tasks: in a context of its own,
    for what makes a span current has to end where it began."""

    __slots__ = ("_call", "_context")

    def __init__(self, call: Traced) -> None:
        self._context: Context = copy_context()
        self._call: Traced | None = call
        self._context.run(call.__enter__)

    def end(self, error: BaseException | None = None) -> None:
        """The call is over; a second time does nothing."""
        call, self._call = self._call, None
        if call is not None:
            self._context.run(call.__exit__, None if error is None else type(error), error, None)


class _Steps(Steps):
    __slots__ = ("_apart",)

    def __init__(self, wrapped: Any, name: str, call: Call) -> None:
        self._apart: _Apart | None = None
        super().__init__(wrapped, name, call)

    async def _step(self, step: Step) -> Any:
        apart = self._apart
        if apart is None:
            apart = self._apart = _Apart(self._wrapped._layer(self._name))
        try:
            return await step(self._steps)
        except StopAsyncIteration:
            apart.end()
            raise
        except BaseException as error:
            apart.end(error)
            raise

    async def aclose(self) -> None:
        try:
            await self._steps.aclose()
        finally:
            self._end()

    def _end(self) -> None:
        if self._apart is not None:
            self._apart.end()

    def __del__(self) -> None:
        self._end()


class _Entered(Entered):
    __slots__ = ("_apart",)

    async def __aenter__(self) -> Any:
        self._apart = apart = _Apart(self._wrapped._layer(self._name))
        try:
            return await self._context.__aenter__()
        except BaseException as error:
            apart.end(error)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        try:
            left: bool | None = await self._context.__aexit__(kind, error, trace)
        except BaseException as raised:
            self._apart.end(raised)
            raise
        self._apart.end(None if left else error)
        return left


_CALL = """\
async def {name}({parameters}):
    with {self}._layer({name!r}):
        return await {self}._inner.{name}({arguments})
"""
_WRAPPING = Wrapping("Traced", call=_CALL, iterate=_Steps, enter=_Entered)
