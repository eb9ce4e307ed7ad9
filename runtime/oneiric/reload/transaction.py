"""One reload in its steps: a wiring is loaded and compared, what is new is started, what is old is drained."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, NamedTuple

from oneiric.errors import ActivationError, LoadError, OneiricError
from oneiric.host import Host
from oneiric.lifecycle.closing import drain
from oneiric.lifecycle.engines import engines_of
from oneiric.lifecycle.order import in_order
from oneiric.lifecycle.steps import bounded, in_thread
from oneiric.reload.commit import Switch
from oneiric.reload.hooks import HookFailed, Hooks
from oneiric.reload.outcome import Event, Nack, Plan
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


class Ready(NamedTuple):
    """A reload that can be committed in the step of the loop that it was made in. `event` is what hooks are told,
    `reports` what was forgiven on the way."""

    switch: Switch
    event: Event
    reports: tuple[str, ...]

    @property
    def plan(self) -> Plan:
        return self.event.plan


async def warmed(host: Host, hooks: Hooks, prepared: Prepared, *, force: bool) -> Ready:
    """Start and check everything new, let the hooks have their say, prepare the commit. Raises `Nack`, and then, as
    when it is cancelled, everything that was started is closed."""
    for told in staying(prepared):
        raise Nack("restart-needed", told)
    prepared.enter()
    staging = Staging(host, prepared, force=force)
    try:
        await staging.warm()
        event = Event("pre-swap", prepared.digest, host.generation, plan(host, prepared))
        failed = await hooks.run(event, host.deadlines.hook)
        if failed:
            raise failed[0]
        # A switch takes as long to prepare as to run. So that the loop does not stand still for both at once it turns
        # in between; where that let something be activated or closed, the switch is prepared again, and run at once.
        await asyncio.sleep(0)
        await staging.warm()
        switch = Switch(host, staging)
        await asyncio.sleep(0)
        if not switch.fits():
            await staging.warm()
            switch = Switch(host, staging)
    except BaseException as error:
        await asyncio.shield(host.spawn(staging.abort()))
        if isinstance(error, OneiricError):
            raise Nack(_code(error), str(error)) from error
        raise
    return Ready(switch, event, tuple(staging.forgiven))


def staying(prepared: Prepared) -> Iterator[str]:
    """What cannot be replaced or stopped while the process runs, and why, as the `__stays__` of its class says."""
    for slot in (*prepared.changed, *prepared.removed):
        held = slot.held
        if held is None or not held.owned:
            continue
        instance: object = held.instance
        stays: Any = getattr(type(instance), "__stays__", None)
        if stays is not None and (why := stays(instance)) is not None:
            yield f"restart needed: {slot.key} ({slot.binding.provider}) cannot be replaced: {why}"


def _code(error: OneiricError) -> str:
    if isinstance(error, HookFailed):
        return "hook"
    if isinstance(error, ActivationError) and error.step == "health":
        return "health"
    return "start"


async def settle(host: Host, hooks: Hooks, ready: Ready) -> tuple[str, ...]:
    """After the commit: call the hooks, tell the engines, drain what was replaced; what went wrong undoes nothing."""
    reports = ready.reports
    draining = asyncio.ensure_future(_drain_all(host, ready))
    failed: list[Exception] = [*await hooks.run(ready.event.now("post-swap", reports), host.deadlines.hook)]
    failed += await draining
    reports += tuple(str(error) for error in failed)
    failed_cleanup = await hooks.run(ready.event.now("cleanup", reports), host.deadlines.hook)
    return reports + tuple(str(error) for error in failed_cleanup)


async def _drain_all(host: Host, ready: Ready) -> list[Exception]:
    """Tell the engines, which can let go of what was replaced; then close it when its last lease ends, or at the
    deadline, each instance after its users."""
    engines, users = engines_of(host), ready.switch.users
    failed = [] if engines is None else await engines.follow(ready.plan)
    until = asyncio.get_running_loop().time() + host.deadlines.drain

    async def close(held: Held) -> list[Exception]:
        # a removed slot that something drained with it needed has served until now
        if held.slot.scope.removed.get(held.slot.key) is held.slot and held.slot.held is held:
            empty(held.slot)
        return await drain(held, until, host.hurry)

    with span("drain", instances=len(users)):
        return failed + await in_order(users, close)
