"""Monitoring provider `noop`: records nothing."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager

from oneiric import component
from oneiric.adapters.monitoring import (
    Attributes,
    Kind,
    Level,
    MonitoringClosed,
    Span,
    check_level,
    check_metric,
    checked_name,
)


@component(
    "adapter",
    "monitoring",
    provider="noop",
    priority=0,
    stack_level=-10,
    port="oneiric.adapters.monitoring:Monitoring",
)
class NoopMonitoring:
    """Records nothing: what an application runs with that names no receiver.

    What is wrong with a record is told as by every other provider.
    """

    def __init__(self) -> None:
        self._closed = False

    async def health(self) -> bool:
        return not self._closed

    async def aclose(self) -> None:
        self._closed = True

    def span(self, name: str, attributes: Attributes | None = None) -> AbstractContextManager[Span]:
        self._check_open()
        checked_name(name)
        return _nothing()

    def event(self, name: str, attributes: Attributes | None = None, *, level: Level = "info") -> None:
        self._check_open()
        checked_name(name)
        check_level(level)

    def exception(self, error: BaseException, attributes: Attributes | None = None) -> None:
        self._check_open()

    def metric(
        self,
        name: str,
        value: float,
        attributes: Attributes | None = None,
        *,
        kind: Kind = "counter",
        unit: str = "",
    ) -> None:
        self._check_open()
        check_metric(name, value, kind, unit)

    async def flush(self, *, timeout: float = 5.0) -> bool:
        self._check_open()
        return True

    def dropped(self) -> int:
        return 0

    def _check_open(self) -> None:
        if self._closed:
            raise MonitoringClosed("it is not open", provider="noop")


class _Nothing:
    def set(self, attributes: Attributes) -> None: ...


@contextmanager
def _nothing() -> Generator[Span]:
    yield _Nothing()
