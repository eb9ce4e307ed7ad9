"""The layer `timeout`: nothing takes longer than it may."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import TracebackType
from typing import Any, TypeVar

from oneiric.adapters._common.timeouts import Timeout, Timeouts
from oneiric.layers import TimedOut
from oneiric.layers._settings import seconds
from oneiric.layers._wrapping import Entered, Step, Steps, Wrapping, key_of

P = TypeVar("P")


def timeout(inner: P, *, timeout: timedelta) -> P:
    """Ends calls that take too long: what they wait for is cancelled, and `oneiric.layers.TimedOut` raised.

    An iterator has the time for each step, closing it included, a context manager for entering and again for leaving:
    what its user does in between does not count. Methods that are not awaited are passed on as they are.

    `timeout`: how long a call may take.
    """
    return _WRAPPING.around(inner, _Within(key_of(inner), seconds("timeout", "timeout", timeout)))


class _Within:
    def __init__(self, key: str, seconds: float) -> None:
        self.key = key
        self.seconds = seconds
        self.timeouts = Timeouts()

    def __call__(self, method: str) -> _Block:
        return _Block(self, method)


class _Block(Timeout):
    __slots__ = ("_method", "_within")

    def __init__(self, within: _Within, method: str) -> None:
        super().__init__(within.timeouts, asyncio.get_running_loop().time() + within.seconds)
        self._within = within
        self._method = method

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            super().__exit__(kind, error, trace)
        except TimeoutError:  # of this block: what came out of the block itself is not raised by its exit
            raise TimedOut(self._within.key, self._method, self._within.seconds) from error


class _Steps(Steps):
    async def _step(self, step: Step) -> Any:
        with self._wrapped._layer(self._name):
            return await step(self._steps)

    async def aclose(self) -> None:
        with self._wrapped._layer(self._name):
            await self._steps.aclose()


class _Entered(Entered):
    async def __aenter__(self) -> Any:
        with self._wrapped._layer(self._name):
            return await self._context.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        with self._wrapped._layer(self._name):
            left: bool | None = await self._context.__aexit__(kind, error, trace)
            return left


_CALL = """\
async def {name}({parameters}):
    with {self}._layer({name!r}):
        return await {self}._inner.{name}({arguments})
"""
_WRAPPING = Wrapping("Timeout", call=_CALL, iterate=_Steps, enter=_Entered)
