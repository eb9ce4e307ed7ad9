"""The layer `limit`: so many calls at once, and so many in any while."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import timedelta
from math import inf, nextafter
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from oneiric.layers import LayerMisconfigured, LimitReached
from oneiric.layers._settings import at_least_one, seconds
from oneiric.layers._wrapping import Call, Entered, Step, Steps, Wrapping, key_of

if TYPE_CHECKING:
    from annotated_types import Ge

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Rate:
    """`limit`: how many calls may begin in any window of time.
    `per`: how long the window is.
    """

    limit: Annotated[int, Ge(1)]
    per: timedelta


def limit(
    inner: P,
    *,
    at_once: Annotated[int, Ge(1)] | None = None,
    rate: Rate | None = None,
    wait: timedelta | None = None,
) -> P:
    """Lets calls wait for their turn, first come first served: for a place among those at once, and for a start.

    The window of the rate slides: never do more calls than its limit begin in any time of its length. A caller that is
    cancelled while waiting takes no place and no start from those behind. A call that waited for too long raises
    `oneiric.layers.LimitReached`.

    An iterator is one call from its first step until it is over, closed or dropped, and a context manager from its
    entering until it is left: a caller that needs another turn meanwhile may wait for itself for ever. Methods that
    are not awaited are passed on as they are.

    `at_once`: how many calls may be under way; as many as there are when it is not set.
    `rate`: how many may begin in how long a time; as many as there are when it is not set.
    `wait`: how long a call waits for its turn, at most; 0 does not wait. As long as it takes when it is not set.
    """
    return _WRAPPING.around(inner, _Turns(key_of(inner), at_once, rate, wait))


class _Turns:
    """Who may begin, and who waits for it.

    A turn that was handed to somebody who waited counts as a start at once, so that nobody else takes it, and at the
    time when it really begins, which a busy loop may make much later: windows are counted from there.
    """

    def __init__(self, key: str, at_once: int | None, rate: Rate | None, wait: timedelta | None) -> None:
        if at_once is None and rate is None:
            raise LayerMisconfigured("limit", "at_once", "neither `at_once` nor `rate` limits anything")
        self._key = key
        self._free: float = inf if at_once is None else at_least_one("limit", "at_once", at_once)
        self._limit: float = inf if rate is None else at_least_one("limit", "rate", rate.limit)
        self._per = 0.0 if rate is None else seconds("limit", "rate", rate.per)
        self._wait = None if wait is None else seconds("limit", "wait", wait, zero=True)
        self._starts: deque[float] = deque()
        self._handed = 0  # turns whose owners have not begun yet
        self._waiting: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def take(self) -> bool:
        """Begin a call, if it is its turn already."""
        if self._waiting or self._handed or self._free < 1:
            return False
        if self._limit is not inf:
            if self._starts_left() < 1:
                return False
            self._starts.append(asyncio.get_running_loop().time())
        self._free -= 1
        return True

    async def wait(self) -> None:
        """Begin a call when it is its turn. Raises `LimitReached`."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting[turn] = None
        self._look()
        late = None if self._wait is None or turn.done() else self._look_at_the_clock(turn, self._wait)
        try:
            if turn.done():
                await asyncio.sleep(0)  # behind those who were handed theirs before, and are about to begin
            await turn
        except BaseException:
            if turn.cancelled() or turn.exception() is not None:
                self._waiting.pop(turn, None)
            else:  # cancelled between the turn and the start: it goes to the next one
                self._handed -= 1
                self.done()
            raise
        finally:
            if late is not None:
                late.cancel()
        self._handed -= 1
        if self._limit is not inf:
            self._starts.append(loop.time())
            if self._waiting:
                self._look()

    def done(self) -> None:
        """A call is over."""
        self._free += 1
        if self._waiting:
            self._look()

    def _look_at_the_clock(self, turn: asyncio.Future[None], wait: float) -> asyncio.TimerHandle | None:
        if not wait:
            self._too_late(turn, wait)
            return None
        return asyncio.get_running_loop().call_later(wait, self._too_late, turn, wait)

    def _too_late(self, turn: asyncio.Future[None], wait: float) -> None:
        if not turn.done():
            del self._waiting[turn]
            turn.set_exception(LimitReached(self._key, wait))

    def _starts_left(self) -> float:
        """How many calls may begin now by the rate."""
        starts, now = self._starts, asyncio.get_running_loop().time()
        while starts and now - starts[0] >= self._per:
            starts.popleft()
        return self._limit - len(starts) - self._handed

    def _look(self) -> None:
        """Hand turns to those who wait the longest; where the rate is in the way, look again when it is not."""
        left = inf if self._limit is inf else self._starts_left()
        while self._waiting and self._free >= 1 and left >= 1:
            turn, _ = self._waiting.popitem(last=False)
            if not turn.done():  # else cancelled, and about to be told
                turn.set_result(None)
                self._handed += 1
                self._free -= 1
                left -= 1
        if self._waiting and self._free >= 1 and self._starts and self._timer is None:
            loop = asyncio.get_running_loop()
            when = max(self._starts[0] + self._per, nextafter(loop.time(), inf))  # the sum may be rounded down
            self._timer = loop.call_at(when, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self._look()


class _Steps(Steps):
    __slots__ = ("_is_over", "_loop", "_turns")

    def __init__(self, wrapped: Any, name: str, call: Call) -> None:
        self._turns: _Turns | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_over = False
        super().__init__(wrapped, name, call)

    async def _step(self, step: Step) -> Any:
        if self._turns is None and not self._is_over:
            turns: _Turns = self._wrapped._layer
            if not turns.take():
                await turns.wait()
            self._give_back()  # one that a second step took at the same time
            self._turns, self._loop = turns, asyncio.get_running_loop()
        try:
            return await step(self._steps)
        except StopAsyncIteration:
            self._is_over = True
            self._give_back()
            raise
        except BaseException:
            self._give_back()
            raise

    async def aclose(self) -> None:
        self._is_over = True
        try:
            await self._steps.aclose()
        finally:
            self._give_back()

    def _give_back(self) -> None:
        turns, self._turns = self._turns, None
        if turns is not None:
            turns.done()

    def __del__(self) -> None:
        turns, self._turns = self._turns, None
        if turns is not None and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(turns.done)


class _Entered(Entered):
    __slots__ = ("_turns",)

    def __init__(self, wrapped: Any, name: str, call: Call) -> None:
        super().__init__(wrapped, name, call)
        self._turns: _Turns | None = None

    async def __aenter__(self) -> Any:
        turns: _Turns = self._wrapped._layer
        if not turns.take():
            await turns.wait()
        try:
            entered = await self._context.__aenter__()
        except BaseException:
            turns.done()
            raise
        self._turns = turns
        return entered

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        turns, self._turns = self._turns, None
        try:
            left: bool | None = await self._context.__aexit__(kind, error, trace)
        finally:
            if turns is not None:
                turns.done()
        return left


_CALL = """\
async def {name}({parameters}):
    {p}turns = {self}._layer
    if not {p}turns.take():
        await {p}turns.wait()
    try:
        return await {self}._inner.{name}({arguments})
    finally:
        {p}turns.done()
"""
_WRAPPING = Wrapping("Limit", call=_CALL, iterate=_Steps, enter=_Entered)
