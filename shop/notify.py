"""Telling customers. Both notifiers are alike in everything but their order, so that the compiler warns."""

from __future__ import annotations

import sys

from oneiric import component
from oneiric.adapters.cache import Cache


@component("service", "notifier", provider="console", port="shop.ports:Notifier")
class Console:
    async def notify(self, customer: str, text: str) -> None:
        print(f"to {customer}: {text}", file=sys.stderr)


@component("service", "notifier", provider="outbox", needs={"cache": "adapter:cache"}, port="shop.ports:Notifier")
class Outbox:
    """Keeps the last message to each customer for somebody to fetch."""

    def __init__(self, *, cache: Cache, keep: float = 3600.0) -> None:
        self._cache, self._keep = cache, keep

    async def notify(self, customer: str, text: str) -> None:
        await self._cache.set(f"outbox:{customer}", text.encode(), ttl=self._keep)
