"""The exchanges that one call makes: redirects, further attempts, and origins that are left alone."""

from __future__ import annotations

import asyncio

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_result,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential_jitter,
)

from oneiric.adapters._common.network import Faults
from oneiric.adapters.http import HttpUnavailable
from oneiric.adapters.http._breakers import Breakers
from oneiric.adapters.http._exchanges import Call, Exchanges, Reply
from oneiric.adapters.http._request import REDIRECTS, Request

_DOWN = frozenset((502, 503, 504))
_TOO_MANY = 429
_BACKOFF = wait_exponential_jitter(multiplier=0.1, max=5.0, jitter=0.1)


class Attempts:
    """Makes `exchanges` until an answer is final: at most `max_redirects`, each with at most `retries` more."""

    def __init__(
        self, exchanges: Exchanges, faults: Faults, breakers: Breakers, max_redirects: int, retries: int
    ) -> None:
        self._exchanges = exchanges
        self._faults = faults
        self._breakers = breakers
        self._max_redirects = max_redirects
        self._retries = retries

    async def answer(self, call: Call, request: Request) -> Reply:
        """The answer at the end of the redirects."""
        for _ in range(self._max_redirects + 1):
            answer = await self._outcome(call, request)
            if isinstance(answer, Reply) and answer.status < 300:
                return answer  # as most do
            if self._retries and _may_pass(answer) and request.is_repeatable:
                answer = await self._last(call, request, answer)
            if isinstance(answer, HttpUnavailable):
                raise answer
            if answer.status not in REDIRECTS or not self._max_redirects:
                return answer
            onward = request.redirected(answer.status, answer.headers.get("location", ""))
            if onward is None:
                return answer
            await self._exchanges.done(answer)
            request = onward
        raise self._faults.no_answer(f"more than {self._max_redirects} redirects", "max_redirects")

    async def _last(self, call: Call, request: Request, first: Reply | HttpUnavailable) -> Reply | HttpUnavailable:
        """What comes of the last attempt of several, of which one was made."""
        known = iter((first,))  # made without the library, which takes longer than a near server

        async def attempt() -> Reply | HttpUnavailable:
            return next(known, None) or await self._outcome(call, request)

        async def forget(state: RetryCallState) -> None:
            outcome = _outcome_of(state)
            if isinstance(outcome, Reply):
                await self._exchanges.done(outcome)

        left = call.deadline - asyncio.get_running_loop().time()
        retrying = AsyncRetrying(
            stop=stop_after_attempt(self._retries + 1) | stop_before_delay(max(left, 0)),
            wait=_wait,
            retry=retry_if_result(_may_pass),
            before_sleep=forget,
            retry_error_callback=_outcome_of,
        )
        return await retrying(attempt)

    async def _outcome(self, call: Call, request: Request) -> Reply | HttpUnavailable:
        """What comes of one attempt, unless the origin failed too often just now."""
        origin = request.target.origin
        if origin in self._breakers.failing and self._breakers.is_open(origin):
            what = "it failed too often just now and is not tried for a while"
            raise self._exchanges.unavailable(request, what, "breaker_recovery")
        try:
            answer = await self._exchanges.answer(call, request)
        except HttpUnavailable as error:
            if error.setting == "max_connections" or not self._exchanges.is_open:
                raise
            self._breakers.failed(origin)
            return error
        if answer.status in _DOWN:
            self._breakers.failed(origin)
        elif origin in self._breakers.failing:
            self._breakers.answered(origin)
        return answer


def _may_pass(outcome: Reply | HttpUnavailable) -> bool:
    """Whether another attempt may go better."""
    return isinstance(outcome, HttpUnavailable) or outcome.status in _DOWN or outcome.status == _TOO_MANY


def _outcome_of(state: RetryCallState) -> Reply | HttpUnavailable:
    assert state.outcome is not None
    outcome: Reply | HttpUnavailable = state.outcome.result()
    return outcome


def _wait(state: RetryCallState) -> float:
    """Seconds until the next attempt: what the server asks for, else ever more."""
    outcome = _outcome_of(state)
    asked = outcome.headers.get("retry-after", "") if isinstance(outcome, Reply) else ""
    return float(asked) if asked.isascii() and asked.isdigit() else _BACKOFF(state)
