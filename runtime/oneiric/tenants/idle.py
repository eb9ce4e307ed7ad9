"""Closing what a tenant has of its own once nobody has used it for a while."""

from __future__ import annotations

import asyncio

from oneiric.host import Host
from oneiric.lifecycle.order import close_in_order
from oneiric.slot import Held
from oneiric.tenants.scope import TenantScope, opened


def look_for_idle(host: Host) -> None:
    """Begin to look, once: where a start or a reload brings tenants."""
    if host.idle is None:
        host.idle = asyncio.get_running_loop().create_task(_close_idle(host))


async def _close_idle(host: Host) -> None:
    """Look twice per `tenant_idle` seconds: a tenant without leases, and without a call for that long, is idle.
    Runs until cancelled."""
    loop = asyncio.get_running_loop()
    unused_since: dict[str, float] = {}
    while True:
        await asyncio.sleep(host.tenant_idle / 2)
        now = loop.time()
        for scope in opened(host):
            helds = _held_by(scope)
            if not helds or _in_use(scope, helds):
                unused_since.pop(scope.name, None)
                continue
            if not all(held.watched for held in helds):
                unused_since[scope.name] = now
            for held in helds:
                held.watched = True
            if now - unused_since.setdefault(scope.name, now) >= host.tenant_idle:
                del unused_since[scope.name]
                await asyncio.shield(host.spawn(_close(host, helds)))


def _held_by(scope: TenantScope) -> list[Held]:
    return [slot.held for slot in scope.own.values() if slot.held is not None and slot.held.owned]


def _in_use(scope: TenantScope, helds: list[Held]) -> bool:
    return any(held.leases for held in helds) or any(slot.attempt is not None for slot in scope.own.values())


async def _close(host: Host, helds: list[Held]) -> None:
    loop = asyncio.get_running_loop()
    for error in await close_in_order(helds, loop.time() + host.deadlines.drain, loop.create_future()):
        host.report(error)
