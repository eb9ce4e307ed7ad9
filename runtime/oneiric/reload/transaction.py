"""One reload from a source to its commit, and what follows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from oneiric.errors import ActivationError, LoadError, OneiricError
from oneiric.lifecycle.closing import drain
from oneiric.lifecycle.order import in_order
from oneiric.lifecycle.steps import bounded, in_thread
from oneiric.reload.commit import Switch
from oneiric.reload.hooks import HookFailed, Hooks
from oneiric.reload.outcome import Event, Outcome
from oneiric.reload.planning import Prepared, plan, prepare
from oneiric.reload.staging import Staging
from oneiric.runtime import Runtime
from oneiric.slot import Held, empty
from oneiric.tracing import span, words


class Nack(OneiricError):
    """A wiring is rejected; `code` as in `Outcome`, `generation` and `source` as in `Rejected`."""

    def __init__(self, code: str, reason: str) -> None:
        self.code = code
        self.generation = ""
        self.source: Any = None
        super().__init__(reason)


class Change(NamedTuple):
    """A reload that was committed, or was not necessary; `settling` gives its reports once everything that was
    replaced is closed."""

    outcome: Outcome
    settling: asyncio.Task[tuple[str, ...]] | None = None


async def prepared_from(runtime: Runtime[Any], source: Any) -> Prepared:
    """Load and compare, in a thread. Raises `Nack`."""
    try:
        loaded: Prepared = await bounded(in_thread(prepare, runtime, source), runtime.deadlines.factory)
    except LoadError as error:
        raise Nack(error.code, str(error)) from error
    except Exception as error:
        raise Nack("load", f"the wiring cannot be loaded: {words(error)}") from error
    return loaded


async def transact(
    runtime: Runtime[Any],
    hooks: Hooks,
    prepared: Prepared,
    *,
    force: bool,
    committed: Callable[[], None],
) -> Change:
    """Go over to a wiring, or leave everything as it was. `committed` is called with the commit, in the same step
    of the loop. Raises `Nack`."""
    previous = runtime.generation
    if prepared.digest == previous:
        committed()
        return Change(Outcome(True, previous, "unchanged", plan=plan(runtime, prepared), previous=previous))
    prepared.enter()
    staging = Staging(runtime, prepared, force=force)
    try:
        await staging.warm()
        found = plan(runtime, prepared)
        event = Event("pre-swap", prepared.digest, previous, found)
        failed = await hooks.run(event, runtime.deadlines.hook)
        if failed:
            raise failed[0]
        await asyncio.sleep(0)
        await staging.warm()
        switch = Switch(runtime, staging)
        await asyncio.sleep(0)  # the loop turns between the preparation and the commit
        if not switch.fits():
            await staging.warm()
            switch = Switch(runtime, staging)
    except BaseException as error:
        await asyncio.shield(runtime.spawn(staging.abort()))
        if isinstance(error, OneiricError):
            raise Nack(_code(error), str(error)) from error
        raise
    switch.run()
    committed()
    settling = runtime.spawn(_settle(runtime, hooks, switch.users, event, tuple(staging.forgiven)))
    return Change(Outcome(True, prepared.digest, plan=found, previous=previous), settling)


def _code(error: OneiricError) -> str:
    if isinstance(error, HookFailed):
        return "hook"
    if isinstance(error, ActivationError) and error.step == "health":
        return "health"
    return "start"


async def _settle(
    runtime: Runtime[Any], hooks: Hooks, users: dict[Held, list[Held]], event: Event, reports: tuple[str, ...]
) -> tuple[str, ...]:
    """Call the hooks and drain what was replaced; what went wrong."""
    draining = asyncio.ensure_future(drain_all(runtime, users))
    failed: list[Exception] = [*await hooks.run(_about(event, "post-swap", reports), runtime.deadlines.hook)]
    failed += await draining
    reports += tuple(str(error) for error in failed)
    failed_cleanup = await hooks.run(_about(event, "cleanup", reports), runtime.deadlines.hook)
    return reports + tuple(str(error) for error in failed_cleanup)


def _about(event: Event, hook: str, reports: tuple[str, ...]) -> Event:
    return event._replace(hook=hook, reports=reports)


async def drain_all(runtime: Runtime[Any], users: dict[Held, list[Held]]) -> list[Exception]:
    """Close instances when their last lease ends, or at the deadline, each after its users."""
    until = asyncio.get_running_loop().time() + runtime.deadlines.drain

    async def close(held: Held) -> list[Exception]:
        if held.slot.scope.removed.get(held.slot.key) is held.slot and held.slot.held is held:
            empty(held.slot)
        return await drain(held, until, runtime.reloads.hurry)

    with span("drain", instances=len(users)):
        return await in_order(users, close)


def planned(runtime: Runtime[Any], prepared: Prepared) -> Outcome:
    """What a reload would do."""
    return Outcome(True, runtime.generation, "planned", plan=plan(runtime, prepared))
