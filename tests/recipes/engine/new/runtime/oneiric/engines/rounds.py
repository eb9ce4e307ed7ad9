"""Calls every component of a domain again and again."""

from __future__ import annotations

import asyncio
import logging

from oneiric.host import Host
from oneiric.lifecycle.activation import cancel

log = logging.getLogger(__name__)


class Rounds:
    """Calls `run` of each component of its domain, one after the other, `period` seconds apart."""

    period = 1.0

    def __init__(self, host: Host, domain: str) -> None:
        self._host = host
        self._domain = domain
        self._rounds: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._rounds = asyncio.create_task(self._go_on())

    async def stop(self) -> None:
        if self._rounds is not None:
            await cancel({self._rounds})

    async def _go_on(self) -> None:
        while True:
            for slot in vars(getattr(self._host.base.wiring, self._domain)).values():
                try:
                    await slot.live.run()
                except Exception:
                    log.exception("%s failed", slot.key)
            await asyncio.sleep(self.period)
