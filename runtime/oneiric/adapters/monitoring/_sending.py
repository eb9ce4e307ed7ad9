"""The life of a monitoring component, over what an SDK makes of records and an outbox sends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeAlias

from oneiric.adapters.monitoring import (
    Attributes,
    Kind,
    MonitoringClosed,
    MonitoringError,
    check_metric,
    told_attributes,
)
from oneiric.adapters.monitoring._outbox import Outbox

Measure: TypeAlias = "Callable[[str, float, dict[str, str | bool | int | float], Kind, str], None]"
"""Takes a measurement: name, value, attributes as they are told, kind and unit."""


class Sending(ABC):
    """Starts, health, metrics, flushes and the close; what waits then is sent for at most `_timeout` seconds."""

    _provider: str
    _timeout: float
    _outbox: Outbox[Any] | None = None
    _measure: Measure
    _is_open = False

    @abstractmethod
    async def _ask(self) -> None:
        """See that the receiver takes something that means nothing; raises the port's error."""

    @abstractmethod
    def _open(self) -> tuple[Outbox[Any], Measure]:
        """Have the SDK begin: what sends its records, and what takes measurements."""

    async def start(self) -> None:
        await self.aclose()
        await self._ask()
        self._outbox, self._measure = self._open()
        self._is_open = True

    async def health(self) -> bool:
        if not self._is_open:
            return False
        try:
            await self._ask()
        except MonitoringError:
            return False
        return True

    async def aclose(self) -> None:
        is_open, self._is_open = self._is_open, False
        if is_open and self._outbox is not None:
            await self._outbox.close(self._timeout)

    def metric(
        self,
        name: str,
        value: float,
        attributes: Attributes | None = None,
        *,
        kind: Kind = "counter",
        unit: str = "",
    ) -> None:
        self._opened()
        check_metric(name, value, kind, unit)
        self._measure(name, value, told_attributes(attributes), kind, unit)

    async def flush(self, *, timeout: float = 5.0) -> bool:
        return await self._opened().flush(timeout)

    def dropped(self) -> int:
        return 0 if self._outbox is None else self._outbox.dropped

    def _opened(self) -> Outbox[Any]:
        if self._outbox is None or not self._is_open:
            raise MonitoringClosed("it is not open", provider=self._provider)
        return self._outbox
