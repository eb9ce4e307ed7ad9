"""The action `workflow.retry`: whether to try again, and when."""

from __future__ import annotations

import random
from typing import Final, NotRequired, Protocol, TypedDict

from oneiric import component
from oneiric.actions._payload import Fields, chosen, payload_of, settings_of

_KEY: Final = "workflow.retry"
_MOST = 10**9


class Retried(TypedDict):
    """Whether to try again, and when.

    `attempt`: as given.
    `max_attempts`: the one that was used.
    `status`: `scheduled`, or `exhausted` where there is no further attempt.
    `next_attempt`: the number of the next attempt.
    `delay_seconds`: how long to wait before it.
    """

    attempt: int
    max_attempts: int
    status: str
    next_attempt: NotRequired[int]
    delay_seconds: NotRequired[float]


class Retry(Protocol):
    """Says whether to try again, and how long to wait before.

    `attempt`: how many attempts there were.
    `max_attempts`: how many there may be; the setting by default.
    `base_delay_seconds`: the wait after none; the setting by default.
    `multiplier`: how many times longer each further wait is; the setting by default.
    `max_delay_seconds`: the longest wait; the setting by default.
    `jitter`: the share of a wait, 0 to 1, that it is shorter by at most, as chance has it; the setting by default.
    """

    async def __call__(
        self,
        *,
        attempt: int = 0,
        max_attempts: int | None = None,
        base_delay_seconds: float | None = None,
        multiplier: float | None = None,
        max_delay_seconds: float | None = None,
        jitter: float | None = None,
    ) -> Retried: ...


def retry(
    *,
    attempt: int = 0,
    max_attempts: int = 3,
    base_delay_seconds: float = 1.0,
    multiplier: float = 2.0,
    max_delay_seconds: float = 60.0,
    jitter: float = 0.1,
    share: float | None = None,
) -> Retried:
    """As the action `workflow.retry`; the `share` (0 to 1) of the jitter that is used is chance by default.

    Raises `InvalidPayload`.
    """
    checks = payload_of(_KEY)
    attempt = checks.integer("attempt", attempt, 0, _MOST)
    most = checks.integer("max_attempts", max_attempts, 1, _MOST)
    base, factor, longest, jitter = _waits(checks, base_delay_seconds, multiplier, max_delay_seconds, jitter)
    if attempt >= most:
        return {"attempt": attempt, "max_attempts": most, "status": "exhausted"}
    used = random.random() if share is None else checks.number("share", share, 0, 1)
    return {
        "attempt": attempt,
        "max_attempts": most,
        "status": "scheduled",
        "next_attempt": attempt + 1,
        "delay_seconds": _wait(base, factor, attempt, longest) * (1 - jitter * used),
    }


def _waits(
    checks: Fields, base_delay_seconds: float, multiplier: float, max_delay_seconds: float, jitter: float
) -> tuple[float, float, float, float]:
    return (
        checks.number("base_delay_seconds", base_delay_seconds, 0, _MOST),
        checks.number("multiplier", multiplier, 1, _MOST),
        checks.number("max_delay_seconds", max_delay_seconds, 0, _MOST),
        checks.number("jitter", jitter, 0, 1),
    )


def _wait(base: float, factor: float, attempt: int, longest: float) -> float:
    try:
        return min(base * factor**attempt, longest)
    except OverflowError:  # larger than any number
        return longest if base else 0.0


@component(
    "action",
    "workflow.retry",
    provider="builtin-workflow-retry",
    priority=0,
    stack_level=-10,
    capabilities=("retry", "backoff", "control"),
    port="oneiric.actions.retry:Retry",
)
class Retrying:
    """Says whether to try again, by waits that grow.

    `max_attempts`: how many attempts there may be, where a payload does not say.
    `base_delay_seconds`: the wait after no attempt, where a payload does not say.
    `multiplier`: how many times longer each further wait is, where a payload does not say.
    `max_delay_seconds`: the longest wait, where a payload does not say.
    `jitter`: the share of a wait, 0 to 1, that is left to chance, where a payload does not say.
    """

    def __init__(
        self,
        *,
        max_attempts: int = 3,
        base_delay_seconds: float = 1.0,
        multiplier: float = 2.0,
        max_delay_seconds: float = 60.0,
        jitter: float = 0.1,
    ) -> None:
        checks = settings_of(_KEY, "builtin-workflow-retry")
        self._most = checks.integer("max_attempts", max_attempts, 1, _MOST)
        self._base, self._factor, self._longest, self._jitter = _waits(
            checks, base_delay_seconds, multiplier, max_delay_seconds, jitter
        )

    async def __call__(
        self,
        *,
        attempt: int = 0,
        max_attempts: int | None = None,
        base_delay_seconds: float | None = None,
        multiplier: float | None = None,
        max_delay_seconds: float | None = None,
        jitter: float | None = None,
    ) -> Retried:
        return retry(
            attempt=attempt,
            max_attempts=chosen(max_attempts, self._most),
            base_delay_seconds=chosen(base_delay_seconds, self._base),
            multiplier=chosen(multiplier, self._factor),
            max_delay_seconds=chosen(max_delay_seconds, self._longest),
            jitter=chosen(jitter, self._jitter),
        )
