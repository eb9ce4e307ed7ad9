"""The calls that one step makes: how often, how long each may take, and the waits in between."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from oneiric.errors import OneiricError
from oneiric.flows.model import Retry, Step, StepFailed, Unserved

T = TypeVar("T")


def wait_after(retry: Retry, attempt: int, share: float) -> float:
    """Seconds to wait after the failed call of that number, 1 for the first; `share` (0 to 1) of the jitter is used."""
    doubled = retry["delay"] * 2.0 ** min(attempt - 1, 60)
    return min(doubled, retry["max"]) * (1.0 - retry["jitter"] * share)


async def attempted(step: Step, call: Callable[[], Awaitable[T]]) -> T:
    """What a step's call comes to, made as often as the step allows. A cancellation ends it, also while it waits.

    Raises `StepFailed` of the last attempt; `Unserved` at once, since another attempt would find the same.
    """
    attempt = 0
    while True:
        attempt += 1
        clock = asyncio.timeout(step.timeout)
        try:
            async with clock:
                return await call()
        except Unserved:
            raise
        except Exception as error:
            failed = _failed(step, error, attempt, late=clock.expired())
            if attempt >= step.retry["attempts"]:
                raise failed from error
        await asyncio.sleep(wait_after(step.retry, attempt, random.random()))


def _failed(step: Step, error: Exception, attempt: int, *, late: bool) -> StepFailed:
    if late and isinstance(error, TimeoutError):
        return StepFailed(step.name, "TimeoutError", f"not over after {step.timeout:g} s", attempt)
    text = str(error) if isinstance(error, OneiricError) or str(error) else repr(error)
    return StepFailed(step.name, type(error).__name__, text, attempt)
