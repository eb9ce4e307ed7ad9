"""The layer `retry`: what failed for now is tried again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from random import uniform
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_exponential

from oneiric.layers import LayerMisconfigured
from oneiric.layers._settings import at_least_one, exceptions, seconds
from oneiric.layers._wrapping import Entered, Step, Steps, Wrapping, port_of, repeatable

if TYPE_CHECKING:
    from annotated_types import Ge

P = TypeVar("P")


def retry(
    inner: P,
    *,
    errors: Sequence[str],
    attempts: Annotated[int, Ge(1)] = 3,
    delay: timedelta = timedelta(milliseconds=100),
    max: timedelta = timedelta(seconds=5),
) -> P:
    """Makes a call again that came to one of the named errors; the last one is raised. All others come through at once.

    A cancellation is never tried again, and a `TimeoutError` only where `errors` names it or a class of its kind: a
    base class that it has as well does not do. Neither is a call that was handed an iterator, which may be at its end.
    Of an iterator the first step is tried again, with a new iterator, and of a context manager the entering: never
    what comes after there was something to see. Methods that are not awaited are passed on as they are.

    `errors`: what is tried again.
    `attempts`: how often a call is made, at most, the first time included.
    `delay`: how long to wait after the first attempt; after each further one twice as long. A random part of up to half
        is left out, so that callers who failed together do not return together.
    `max`: how long to wait at most.
    """
    return _WRAPPING.around(inner, _Retries(exceptions("retry", errors, port_of(inner)), attempts, delay, max))


class _Retries:
    def __init__(
        self, errors: tuple[type[Exception], ...], attempts: int, delay: timedelta, longest: timedelta
    ) -> None:
        self.errors = errors
        self._timeouts = tuple(each for each in self.errors if issubclass(each, TimeoutError))
        self._attempts = at_least_one("retry", "attempts", attempts)
        self._delay = seconds("retry", "delay", delay, zero=True)
        self._doubled = wait_exponential(multiplier=self._delay, max=longest)
        if longest < delay:
            raise LayerMisconfigured("retry", "max", "at least as long as `delay` is expected")

    def may_pass(self, error: BaseException) -> bool:
        """Whether another attempt may go better."""
        if isinstance(error, StopAsyncIteration):
            return False  # the end of an iterator, whatever is named
        return isinstance(error, self._timeouts if isinstance(error, TimeoutError) else self.errors)

    async def again(self, failed: Exception, attempt: Callable[[], Awaitable[Any]]) -> Any:
        """What comes of further attempts, after one that failed: made without the library, which costs more than
        a near server."""
        known = [failed]
        del failed

        async def next_attempt() -> Any:
            if known:
                raise known.pop()
            return await attempt()

        retrying = AsyncRetrying(
            stop=stop_after_attempt(self._attempts),
            wait=self.wait,
            retry=retry_if_exception(self.may_pass),
            reraise=True,
        )
        return await retrying(next_attempt)

    def wait(self, state: RetryCallState) -> float:
        """Seconds until the next attempt."""
        if not self._delay:
            return 0.0  # doubled often enough, the library's nothing is its maximum
        longest = self._doubled(state)
        return uniform(longest / 2, longest)


class _Steps(Steps):
    __slots__ = ("_begun",)

    def __init__(self, wrapped: Any, name: str, call: Callable[[Callable[..., Any]], Any]) -> None:
        super().__init__(wrapped, name, call)
        self._begun = False

    async def _step(self, step: Step) -> Any:
        if self._begun:
            return await step(self._steps)
        retries: _Retries = self._wrapped._layer
        try:
            item = await step(self._steps)
        except retries.errors as error:
            if not retries.may_pass(error) or not self._call(repeatable):
                raise
            again = retries.again(error, lambda: self._anew(step))
        else:
            self._begun = True
            return item
        item = await again
        self._begun = True
        return item

    async def _anew(self, step: Step) -> Any:
        await self._steps.aclose()
        self._steps = self._call(getattr(self._wrapped._inner, self._name))
        return await step(self._steps)

    async def athrow(self, *error: Any) -> Any:
        return await self._steps.athrow(*error)


class _Entered(Entered):
    async def __aenter__(self) -> Any:
        retries: _Retries = self._wrapped._layer
        try:
            return await self._context.__aenter__()
        except retries.errors as error:
            if not retries.may_pass(error) or not self._call(repeatable):
                raise
            again = retries.again(error, self._anew)
        return await again

    async def _anew(self) -> Any:
        self._context = self._call(getattr(self._wrapped._inner, self._name))
        return await self._context.__aenter__()


_CALL = """\
async def {name}({parameters}):
    try:
        return await {self}._inner.{name}({arguments})
    except {self}._layer.errors as {p}error:
        if not {self}._layer.may_pass({p}error) or not {p}repeatable({arguments}):
            raise
        {p}again = {self}._layer.again({p}error, lambda: {self}._inner.{name}({arguments}))
    return await {p}again
"""
_WRAPPING = Wrapping("Retry", call=_CALL, iterate=_Steps, enter=_Entered, names={"repeatable": repeatable})
