"""One reload from a source to its commit, and what follows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from oneiric.errors import ActivationError, LoadError, OneiricError
from oneiric.host import Host
from oneiric.lifecycle.closing import drain
from oneiric.lifecycle.order import in_order
from oneiric.lifecycle.steps import bounded, in_thread
from oneiric.reload.commit import Switch
from oneiric.reload.hooks import HookFailed, Hooks
from oneiric.reload.outcome import Change, Event, Nack, Outcome
from oneiric.reload.planning import Prepared, plan, prepare
from oneiric.reload.staging import Staging
from oneiric.slot import Held, empty
from oneiric.tracing import span, words


async def prepared_from(host: Host, source: Any, pinned: str | None) -> Prepared:
    """Load and compare, in a thread. Raises `Nack`."""
    try:
        loaded: Prepared = await bounded(in_thread(prepare, host, source, pinned), host.deadlines.factory)
    except LoadError as error:
        raise Nack(error.code, str(error)) from error
    except Exception as error:
        raise Nack("load", f"the wiring cannot be loaded: {words(error)}") from error
    return loaded


async def transact(
    host: Host,
    hooks: Hooks,
    prepared: Prepared,
    *,
    force: bool,
    committed: Callable[[], None],
) -> Change:
    """Go over to a wiring, or leave everything as it was. `committed` is called with the commit, in the same step
    of the loop. Raises `Nack`."""
    previous = host.generation
    if prepared.digest == previous:
        committed()
        return Change(Outcome(True, previous, "unchanged", plan=plan(host, prepared), previous=previous))
    prepared.enter()
    staging = Staging(host, prepared, force=force)
    try:
        await staging.warm()
        found = plan(host, prepared)
        event = Event("pre-swap", prepared.digest, previous, found)
        failed = await hooks.run(event, host.deadlines.hook)
        if failed:
            raise failed[0]
        await asyncio.sleep(0)
        await staging.warm()
        switch = Switch(host, staging)
        await asyncio.sleep(0)  # the loop turns between the preparation and the commit
        if not switch.fits():
            await staging.warm()
            switch = Switch(host, staging)
    except BaseException as error:
        await asyncio.shield(host.spawn(staging.abort()))
        if isinstance(error, OneiricError):
            raise Nack(_code(error), str(error)) from error
        raise
    switch.run()
    committed()
    settling = host.spawn(_settle(host, hooks, switch.users, event, tuple(staging.forgiven)))
    return Change(Outcome(True, prepared.digest, plan=found, previous=previous), settling)


def _code(error: OneiricError) -> str:
    if isinstance(error, HookFailed):
        return "hook"
    if isinstance(error, ActivationError) and error.step == "health":
        return "health"
    return "start"


async def _settle(
    host: Host, hooks: Hooks, users: dict[Held, list[Held]], event: Event, reports: tuple[str, ...]
) -> tuple[str, ...]:
    """Call the hooks and drain what was replaced; what went wrong."""
    draining = asyncio.ensure_future(drain_all(host, users))
    failed: list[Exception] = [*await hooks.run(_about(event, "post-swap", reports), host.deadlines.hook)]
    failed += await draining
    reports += tuple(str(error) for error in failed)
    failed_cleanup = await hooks.run(_about(event, "cleanup", reports), host.deadlines.hook)
    return reports + tuple(str(error) for error in failed_cleanup)


def _about(event: Event, hook: str, reports: tuple[str, ...]) -> Event:
    return event._replace(hook=hook, reports=reports)


async def drain_all(host: Host, users: dict[Held, list[Held]]) -> list[Exception]:
    """Close instances when their last lease ends, or at the deadline, each after its users."""
    until = asyncio.get_running_loop().time() + host.deadlines.drain

    async def close(held: Held) -> list[Exception]:
        if held.slot.scope.removed.get(held.slot.key) is held.slot and held.slot.held is held:
            empty(held.slot)
        return await drain(held, until, host.hurry)

    with span("drain", instances=len(users)):
        return await in_order(users, close)


def planned(host: Host, prepared: Prepared) -> Outcome:
    """What a reload would do."""
    return Outcome(True, host.generation, "planned", plan=plan(host, prepared))
