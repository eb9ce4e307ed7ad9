"""Runs of an application: submitted to the engine, and carried on by the calls that it has made here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast
from uuid import uuid4

from oneiric.boundary import PlainError, plain, read_as
from oneiric.calls import PayloadError, invoke, parse_call, served
from oneiric.declared import FlowBlock, RunHandle, flow_of
from oneiric.engines.emitting import ORDERED
from oneiric.engines.handling import handled_step
from oneiric.engines.hooks import Hooks
from oneiric.engines.pinned import Pinned
from oneiric.engines.steps import Steps, one_call
from oneiric.envelope import read
from oneiric.errors import OneiricError, Paused, RunFailed, UnknownTenant
from oneiric.flows.model import Flow, Limits, Run, Step, Submission, Unserved
from oneiric.host import Host, Scope
from oneiric.lifecycle.inputs import Inputs, context
from oneiric.references import load
from oneiric.slot import Slot
from oneiric.stepping import CURRENT
from oneiric.tenants.scope import scope_of
from oneiric.tracing import span

ENGINE = "adapter:engine"


class NoQueue(OneiricError, LookupError):
    """A queue that the settings do not have."""


def work_of(host: Host) -> Work:
    """The runs of an application; there is one for each."""
    if host.work is None:
        host.work = Work(host)
    work: Work = host.work
    return work


class Work:
    """Of one application. It is the `Caller` of its engine, and what the engines of domains submit runs to.

    Steps are called in the view of the run's tenant, as it is then, or by the bindings of the generation that the run
    is pinned to.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self.pinned = Pinned(host)
        self.hooks = Hooks(self)
        self._users: list[object] = []
        self._turn = asyncio.Lock()
        self._told: Any = None

    @property
    def engine(self) -> Any:
        """The engine (`oneiric.adapters.engine.Engine`), whichever it is. Raises `UnknownKey` where none is bound."""
        return self.host.base.slot(ENGINE).live

    async def begin(self, user: object) -> None:
        """Take up runs in this process, until each who asked for that has said `end`."""
        async with self._turn:
            self._users.append(user)
            await self._take_up()

    async def end(self, user: object) -> None:
        """Let the steps under way end, and begin no more, once nobody needs it any longer."""
        async with self._turn:
            if user not in self._users:
                return
            self._users.remove(user)
            if not self._users and self._told is not None:
                self._told = None
                try:
                    await self.engine.rest()
                    await self.hooks.rest()
                finally:
                    await self.pinned.close()

    async def settle(self) -> None:
        """After a reload: keep what pinned runs need, and let an engine that is new, or has new limits, know."""
        async with self._turn:
            await self.pinned.keep()
            if self._users:
                await self._take_up()

    async def _take_up(self) -> None:
        slot = self.host.base.slot(ENGINE)
        async with slot.lease() as engine:
            if engine is not self._told:
                await self.pinned.keep()
                await engine.work(self, self._queues())
                self._told = engine
            else:
                for name, limits in self._queues().items():
                    await engine.limit(name, limits)

    def _queues(self) -> dict[str, Limits]:
        """Those that the settings state, and that of what keeps an order and names none."""
        wiring = self.host.wiring_class
        ordered = any(domain.__subscriptions__ or domain.__schedules__ for domain in wiring.__domains__.values())
        found = {ORDERED: Limits()} if ordered else {}
        return {**found, **{name: limits_of(stated) for name, stated in wiring.__queues__.items()}}

    async def submit(self, submission: Submission) -> bool:
        """Have the engine keep a run; False where there is one of that id. Raises what the engine does."""
        new: bool = await self.engine.submit(submission)
        return new

    async def start(
        self, slot: Slot[Any], input: object, *, id: str | None = None, queue: str | None = None
    ) -> RunHandle[Any]:
        """Have what is in a slot run; see `Slot.start`. Raises `PayloadError`, `Paused`, `NoQueue`, `Unserved`."""
        current = CURRENT.get()
        tenant = slot.scope.tenant or (None if current is None else current.tenant)
        host: Any = slot.scope.host
        if (why := self.host.paused.get(slot.key)) is not None:
            raise Paused(slot.key, why)
        if queue is not None:
            self.check_queue(queue)
        scope = self._scope(host, tenant)
        payload = payload_of(slot, input)
        flow = _flow(served(scope, slot.key))
        submission = Submission(
            id=id or uuid4().hex,
            flow=flow,
            payload=payload,
            tenant=tenant,
            queue=queue or flow.get("queue"),
            generation=host.generation if flow.get("steps") == "pinned" else None,
        )
        await self.submit(submission)
        return RunHandle(self, submission.id)

    def check_queue(self, queue: str) -> None:
        """Raise `NoQueue` unless the wiring has this queue."""
        queues = self.host.wiring_class.__queues__
        if queue not in queues:
            raise NoQueue(f"there is no queue {queue}; the settings have {', '.join(sorted(queues)) or 'none'}")

    async def inline(self, slot: Slot[Any], input: object) -> Any:
        """What the wiring says of a workflow, as plain code; of any other key its call."""
        block = flow_of(slot.binding)
        payload = payload_of(slot, input)
        if block is None:
            return await invoke(slot.scope, slot.key, payload)
        if block.method is None:
            raise OneiricError(f"{slot.key} of tenant {slot.tenant} is data alone: its flow is not the base's")
        domain = context(slot.scope, Inputs(slot.binding, self.host.environ or {}, {}))
        return await block.method(domain, input if block.input is None else read_as(payload, load(block.input)))

    def flow_of(self, key: str, tenant: str | None) -> Flow:
        """The flow of a run of a key in that view: a declared one's own, else the one call. Raises `Unserved`."""
        return _flow(served(self._scope(self.host, tenant), key))

    async def result(self, run: str) -> Any:
        """What a run results in, once it has ended. Raises `RunFailed`, `UnknownRun`."""
        outcome = await self.engine.result(run)
        if outcome["state"] == "completed":
            return outcome["result"]
        known = await self.engine.run(run)
        raise RunFailed(run, known.key, outcome["errors"], cancelled=outcome["state"] == "cancelled")

    async def cancel(self, run: str) -> bool:
        """End a run. Raises `UnknownRun`."""
        done: bool = await self.engine.cancel(run)
        return done

    async def run(self, run: str) -> Run:
        """What is known of a run. Raises `UnknownRun`."""
        known: Run = await self.engine.run(run)
        return known

    def begins(self, run: str) -> None:
        """A run is carried on here: what `Caller` is told."""
        if self.hooks.wanted():
            self.hooks.carried_on(run)

    async def call(self, step: Step) -> Any:
        """Make a step's call: what `Caller` promises. One whose key is paused waits until it is resumed."""
        key, method = parse_call(step.call)
        domain, _, name = key.partition(":")
        with span("step", domain=domain, key=name, method=method, tenant=step.tenant, run=step.run, node=step.name):
            return await self._stepped(step)

    async def _stepped(self, step: Step) -> Any:
        async with self.pinned.bindings(step.generation) as host:
            scope = self._scope(host, step.tenant)
            token = CURRENT.set(Steps(self, step))
            try:
                if not self.hooks.wanted():
                    return await self._resumed(scope, step)
                await self.hooks.begins(step)
                result = await self._resumed(scope, step)
                await self.hooks.completed(step)
                return result
            finally:
                CURRENT.reset(token)

    async def _resumed(self, scope: Scope, step: Step) -> Any:
        while True:
            try:
                return await self._called(scope, step)
            except Paused as error:
                await self.host.resumed(error.key)

    async def _called(self, scope: Scope, step: Step) -> Any:
        key, _ = parse_call(step.call)
        slot = served(scope, key)
        block = flow_of(slot.binding)
        if block is not None:
            return await self._nested(slot, block, step)
        if slot.key.startswith("event:"):
            return await handled_step(scope, slot.key, read(step.payload.get("envelope")))
        return await invoke(scope, step.call, step.payload, token=step.token)

    async def _nested(self, slot: Slot[Any], block: FlowBlock, step: Step) -> Any:
        """A workflow within a run: a run of its own by the step's token, which a repeated step finds again. It has no
        queue: a run that waits for another in its own queue would wait for ever where the limit is reached."""
        host: Any = slot.scope.host
        pinned = host.generation if block.flow.get("steps") == "pinned" else None
        payload = payload_of(slot, step.payload)
        await self.submit(Submission(step.token, block.flow, payload, tenant=step.tenant, generation=pinned))
        return await self.result(step.token)

    def _scope(self, host: Host, tenant: str | None) -> Scope:
        """The view of a tenant. Raises `Unserved` for one that is not known: its work is not the base's."""
        if tenant is None:
            return host.base
        try:
            scope: Any = scope_of(host, tenant)
        except UnknownTenant as error:
            raise Unserved(str(error)) from error
        of_tenant: Scope = scope
        return of_tenant


def limits_of(stated: Mapping[str, Any]) -> Limits:
    """The limits of a queue, as the wiring states them."""
    rate = stated.get("rate")
    return Limits(stated.get("at_once"), stated.get("at_once_here"), None if rate is None else (rate[0], rate[1]))


def payload_of(slot: Slot[Any], input: object) -> dict[str, Any]:
    """What a run is given, as JSON, of the type that its workflow takes. Raises `PayloadError`."""
    block = flow_of(slot.binding)
    try:
        payload: Any = plain(input)
        if type(payload) is not dict:
            raise PlainError("", "is not an object of JSON")
        if block is not None and block.input is not None:
            read_as(payload, load(block.input))
    except PlainError as error:
        raise PayloadError(slot.key, error.at, error.what) from error
    return cast("dict[str, Any]", payload)


def _flow(slot: Slot[Any]) -> Flow:
    block = flow_of(slot.binding)
    return one_call(slot.key) if block is None else block.flow
