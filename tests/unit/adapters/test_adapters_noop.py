"""Providers that do nothing: they refuse what the others of their ports refuse."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from oneiric.adapters.cache import Cache, CacheClosed, InvalidEntry
from oneiric.adapters.cache.noop import NoopCache
from oneiric.adapters.monitoring import InvalidRecord, Monitoring, MonitoringClosed
from oneiric.adapters.monitoring.noop import NoopMonitoring
from oneiric.testing.contracts.running import close, health


def test_a_cache_that_keeps_nothing() -> None:
    async def main() -> None:
        cache: Cache = NoopCache()
        assert await health(cache)
        await cache.set("key", b"1", ttl=60)
        await cache.set_many({"key": b"1"})
        assert await cache.add("key", b"1") is True
        assert await cache.add("key", b"1") is True
        assert await cache.increment("key", 5) == 5
        assert await cache.get("key") is None
        assert await cache.get_many(["key"]) == {}
        assert not await cache.exists("key")
        assert not await cache.delete("key")
        assert await cache.delete_prefix("k") == 0
        await cache.clear()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("get", ("",)),
        ("get_many", ("key",)),
        ("set", ("key", "text")),
        ("set_many", ({"key": None},)),
        ("add", ("key", b"", math.nan)),
        ("delete", (None,)),
        ("delete_prefix", ("",)),
        ("exists", ("k" * 513,)),
        ("increment", ("key", True)),
    ],
)
def test_a_cache_that_keeps_nothing_refuses_what_others_do(method: str, arguments: tuple[Any, ...]) -> None:
    async def main() -> None:
        cache = NoopCache()
        *places, ttl = arguments if len(arguments) == 3 else (*arguments, None)
        keywords = {} if ttl is None else {"ttl": ttl}
        with pytest.raises(InvalidEntry):
            await getattr(cache, method)(*places, **keywords)
        await close(cache)
        assert not await health(cache)
        with pytest.raises(CacheClosed):
            await getattr(cache, method)(*places, **keywords)
        with pytest.raises(CacheClosed):
            await cache.clear()

    asyncio.run(main())


def test_monitoring_that_records_nothing() -> None:
    async def main() -> None:
        monitoring: Monitoring = NoopMonitoring()
        assert await health(monitoring)
        with pytest.raises(ZeroDivisionError), monitoring.span("work", {"a": 1}) as span:
            span.set({"b": object()})
            raise ZeroDivisionError
        monitoring.event("happened", level="warning")
        monitoring.exception(ValueError("x"))
        monitoring.metric("orders", 1, kind="counter", unit="1")
        assert await monitoring.flush()
        assert monitoring.dropped() == 0
        wrong: list[Any] = [
            lambda: monitoring.span(""),
            lambda: monitoring.event("happened", level="loud"),
            lambda: monitoring.metric("orders", -1),
            lambda: monitoring.metric("1", 1),
        ]
        for attempt in wrong:
            with pytest.raises(InvalidRecord):
                attempt()
        await close(monitoring)
        assert not await health(monitoring)
        for attempt in [*wrong, lambda: monitoring.exception(ValueError())]:
            with pytest.raises(MonitoringClosed):
                attempt()
        with pytest.raises(MonitoringClosed):
            await monitoring.flush()

    asyncio.run(main())
