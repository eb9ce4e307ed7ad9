"""Which origins are left alone for a while, since they failed too often in a row."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import circuitbreaker  # pyright: ignore[reportMissingTypeStubs]


class _Failed(Exception):
    """An attempt failed; the breaker wants an exception."""


class Breakers:
    """A circuit breaker for each origin that failed since it last answered.

    It opens after `failures` in a row, and lets attempts through again `recovery` seconds later: one more failure opens
    it again, an answer closes it.
    """

    def __init__(self, failures: int, recovery: float) -> None:
        self._failures = failures
        self._recovery = recovery
        self.failing: dict[str, Any] = {}  # breakers of a library without types

    def is_open(self, origin: str) -> bool:
        """Whether a failing origin is to be left alone."""
        opened: bool = self.failing[origin].opened
        return opened

    def failed(self, origin: str) -> None:
        breaker = self.failing.get(origin)
        if breaker is None:
            breaker = circuitbreaker.CircuitBreaker(self._failures, self._recovery, _Failed)
            self.failing[origin] = breaker
        with suppress(_Failed), breaker:
            raise _Failed

    def answered(self, origin: str) -> None:
        """A failing origin fails no more."""
        self.failing.pop(origin).reset()
