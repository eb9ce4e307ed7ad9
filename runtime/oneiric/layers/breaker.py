"""The layer `breaker`: what fails again and again is left alone for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from oneiric.layers import BreakerOpen, LimitReached
from oneiric.layers._settings import at_least_one, exceptions, seconds
from oneiric.layers._wrapping import Call, Entered, Step, Steps, Wrapping, key_of, port_of

if TYPE_CHECKING:
    from annotated_types import Ge

P = TypeVar("P")


def breaker(
    inner: P,
    *,
    errors: Sequence[str],
    failures: Annotated[int, Ge(1)] = 5,
    recovery: timedelta = timedelta(seconds=30),
) -> P:
    """Lets no call in, but raises `oneiric.layers.BreakerOpen`, for a while after too many in a row have failed.

    When that is over, one call is let in to try it, and no other until it is known how that went: a result closes the
    breaker, a named error opens it again. A call that was cancelled, or came to an error that is not named, proves
    nothing, and neither does one that a breaker or limit further in turned away: the next one tries it then. What was
    under way when the breaker opened has no say in it any more.

    An iterator is one call until it is over, and a context manager until it is left; the first item, or the entering,
    closes a breaker already. Named errors of later steps and of the leaving count as failures, but not the block's own.
    Methods that are not awaited are passed on as they are.

    `errors`: what counts as a failure.
    `failures`: how many in a row open it.
    `recovery`: how long it then stays open.
    """
    return _WRAPPING.around(
        inner, _Breaker(key_of(inner), exceptions("breaker", errors, port_of(inner)), failures, recovery)
    )


class _Breaker:
    """Built here, since no library was found that keeps this contract. Of circuitbreaker 2.1 every caller gets in while
    half open, a cancellation closes it, and the time left is in whole seconds; of aiobreaker and purgatory every caller
    gets in as well, and pybreaker knows no asyncio."""

    __slots__ = ("_errors", "_failures", "_key", "_recovery", "_trying", "_until", "failed", "is_open", "period")

    def __init__(self, key: str, errors: tuple[type[Exception], ...], failures: int, recovery: timedelta) -> None:
        self._key = key
        self._errors = errors
        self._failures = at_least_one("breaker", "failures", failures)
        self._recovery = seconds("breaker", "recovery", recovery)
        self._until = 0.0
        self._trying = False
        self.is_open = False
        self.failed = 0
        """How many calls in a row have failed since one went well."""
        self.period: int = 0
        """Another one each time it opens or was tried in vain: calls of an earlier one have no say any more."""

    def admit(self) -> int:
        """Let one call in to try an open breaker; its period. Raises `BreakerOpen`."""
        left = self._until - asyncio.get_running_loop().time()
        if left > 0 or self._trying:
            raise BreakerOpen(self._key, max(left, 0.0))
        self._trying = True
        return self.period

    def went_well(self, period: int) -> None:
        """A call of this period came to a result."""
        if period == self.period:
            self.failed = 0
            self.is_open = self._trying = False

    def works(self, period: int) -> None:
        """A call of this period has begun well and is not over: enough to close it, and not for a count of failures to
        begin again."""
        if self.is_open:
            self.went_well(period)

    def went_wrong(self, period: int, error: BaseException) -> None:
        """A call of this period came to an error, or was cancelled."""
        if period != self.period:
            return
        self._trying = False
        if not isinstance(error, self._errors) or isinstance(error, (BreakerOpen, LimitReached)):
            self.period += self.is_open
            return
        self.failed += 1
        if self.failed >= self._failures:
            self.is_open = True
            self.period += 1
            self._until = asyncio.get_running_loop().time() + self._recovery


class _Steps(Steps):
    __slots__ = ("_period", "_proved")

    def __init__(self, wrapped: Any, name: str, call: Call) -> None:
        self._period: int | None = None
        self._proved = False
        super().__init__(wrapped, name, call)

    async def _step(self, step: Step) -> Any:
        breaker: _Breaker = self._wrapped._layer
        if self._period is None:
            self._period = breaker.admit() if breaker.is_open else breaker.period
        try:
            item = await step(self._steps)
        except StopAsyncIteration:
            self._proved = True
            breaker.went_well(self._period)
            raise
        except BaseException as error:
            breaker.went_wrong(self._period, error)
            raise
        if not self._proved:
            self._proved = True
            breaker.works(self._period)
        return item


class _Entered(Entered):
    __slots__ = ("_period",)

    def __init__(self, wrapped: Any, name: str, call: Call) -> None:
        super().__init__(wrapped, name, call)
        self._period: int = -1  # of no call: one that was not entered has no say

    async def __aenter__(self) -> Any:
        breaker: _Breaker = self._wrapped._layer
        period = breaker.admit() if breaker.is_open else breaker.period
        try:
            entered = await self._context.__aenter__()
        except BaseException as error:
            breaker.went_wrong(period, error)
            raise
        self._period = period
        breaker.works(period)
        return entered

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        breaker: _Breaker = self._wrapped._layer
        try:
            left: bool | None = await self._context.__aexit__(kind, error, trace)
        except BaseException as raised:
            if raised is not error:
                breaker.went_wrong(self._period, raised)
            raise
        if error is None:
            breaker.went_well(self._period)
        return left


_CALL = """\
async def {name}({parameters}):
    {p}breaker = {self}._layer
    {p}period = {p}breaker.admit() if {p}breaker.is_open else {p}breaker.period
    try:
        {p}result = await {self}._inner.{name}({arguments})
    except BaseException as {p}error:
        {p}breaker.went_wrong({p}period, {p}error)
        raise
    if {p}breaker.failed or {p}breaker.is_open:
        {p}breaker.went_well({p}period)
    return {p}result
"""
_WRAPPING = Wrapping("Breaker", call=_CALL, iterate=_Steps, enter=_Entered)
