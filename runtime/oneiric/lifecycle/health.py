"""Asking active components how they are."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from oneiric.host import Host
from oneiric.lifecycle.steps import Failed, bounded, call, lifecycle
from oneiric.slot import Held


class Health(NamedTuple):
    """One component's answer. `reason` says why it is not `ok`, without what its error said."""

    tenant: str | None
    key: str
    provider: str
    ok: bool
    reason: str | None


async def ask_all(host: Host) -> tuple[Health, ...]:
    """One answer for each active component of the application's own, sorted by tenant (the base first) and key."""
    helds = [held for held in host.active.values() if held.owned]
    answers = await asyncio.gather(*map(_ask, helds))
    return tuple(sorted(answers, key=lambda answer: (answer.tenant or "", answer.key)))


async def _ask(held: Held) -> Health:
    reason = await _reason(held)
    slot = held.slot
    return Health(slot.tenant, slot.key, slot.binding.provider, reason is None, reason)


async def _reason(held: Held) -> str | None:
    """Why the component is not well; None if it is. It is leased meanwhile."""
    health = lifecycle(held.instance, "health")
    if health is None:
        return None
    held.leases += 1
    try:
        seconds = held.slot.scope.host.deadlines.health
        healthy = await bounded(asyncio.ensure_future(call(health)), seconds)
    except Failed as error:
        return f"health {error}"
    except Exception as error:
        return f"health raised {type(error).__name__}"
    finally:
        held.give_back()
    return "health() answered False" if healthy is False else None
