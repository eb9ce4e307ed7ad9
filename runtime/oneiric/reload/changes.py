"""Everything that changes the wiring of one application, one request at a time.

From its request to the last close a change goes down through these rooms: `queue`, where it waits for its turn; `goal`,
which generation it leads to (`history`, `recompile`, `state`); `planning`, what that changes; `staging`, where what is
new is started; `commit`; `transaction`, which has these three in sequence, and then drains what was replaced.
`rotation` leads to other instances of the generation there is.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from oneiric.errors import RuntimeClosed, StateError, UnknownTenant, refused
from oneiric.host import Host
from oneiric.reload.goal import Goal, goal_of
from oneiric.reload.history import Generation, History
from oneiric.reload.hooks import Hooks
from oneiric.reload.outcome import Change, Nack, Outcome, Overrides, Rejected, RolledBack
from oneiric.reload.planning import plan
from oneiric.reload.probation import Probation
from oneiric.reload.queue import Requests
from oneiric.reload.request import Change as Changing
from oneiric.reload.request import Reload, Request, Rollback, Rotate, Swap, facts_of, words_of
from oneiric.reload.rotation import bare, rotated
from oneiric.reload.state import Origin
from oneiric.reload.transaction import Ready, settle, staying, warmed
from oneiric.tenants.scope import listed
from oneiric.tracing import span
from oneiric.wiring import Wiring, target_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oneiric.reload.follow import Follower

PROBATION = "the probation"
"""Who rolls back a generation that turned unhealthy, as the history names it."""


class Reloads:
    """One application's changes. For `provisional` seconds after each a component that turns unhealthy undoes it."""

    def __init__(
        self,
        host: Host,
        *,
        state: str | os.PathLike[str] | None,
        project: str | os.PathLike[str],
        provisional: float,
        follow: str | os.PathLike[str] | None,
    ) -> None:
        self.hooks = Hooks()
        self.history = History(host, state, project)
        self.rejected: Rejected | None = None
        self._host = host
        self._requests = Requests(host, self._do)
        self._provisional = provisional
        self._probation: Probation | None = None
        self._settling: set[asyncio.Task[Any]] = set()
        self._follower: Follower | None = None
        if follow is not None:
            if state is not None:
                raise StateError("a runtime owns a state folder or follows one: give `state` or `follow`, not both")
            from oneiric.reload.follow import Follower

            self._follower = Follower(host, follow, self.history, self._requests)
            self.history.followed = self._follower.folder

    @property
    def overrides(self) -> Overrides:
        """The operator's swaps that are part of the current wiring."""
        return self.history.current.overrides

    async def reload(
        self, source: str | os.PathLike[str] | type[Wiring] | None, *, force: bool, plan_only: bool
    ) -> Outcome:
        """See `Runtime.reload`."""
        chosen = source if source is None or isinstance(source, type) else os.fspath(source)
        return await self._requests.take(Reload(chosen, force, plan_only))

    async def plan(self, wiring: str) -> Outcome:
        """What a `wiring.py` would change once it is deployed, with the swaps that are active; nothing does."""
        return await self._requests.take(Reload(wiring, force=False, plan_only=True, swapped=True))

    async def swap(
        self,
        key: str,
        provider: str | None,
        *,
        tenant: str | None,
        all_tenants: bool,
        force: bool,
        plan_only: bool,
        with_settings: bool,
        note: str | None,
    ) -> Outcome:
        """See `Runtime.swap`."""
        key = target_of(self._host.wiring_class, key)
        self._host.base.slot(key)
        if tenant is not None and not listed(self._host, tenant):
            raise UnknownTenant(tenant)
        return await self._requests.take(
            Swap(key, provider, tenant, all_tenants, force, plan_only, with_settings, note)
        )

    async def rollback(self, to: str | None) -> Outcome:
        """See `Runtime.rollback`."""
        return await self._requests.take(Rollback(to))

    async def rotate(self, names: tuple[str, ...]) -> Outcome:
        """See `Runtime.rotate`."""
        return await self._requests.take(Rotate(tuple(sorted(set(map(bare, names))))))

    async def _do(self, request: Request) -> Change:
        """A request, in its turn, until what it leads to is current and written down, or rejected."""
        name, about = words_of(request)
        with span(name, **about) as current:
            if isinstance(request, Rotate):
                change = await self._rotate(request)
                current.set(generation=change.outcome.generation, accepted=change.outcome.accepted)
                return change
            try:
                goal = await goal_of(request, self._host, self.history)
                if isinstance(request, Rollback) and request.rejecting is not None:
                    self.rejected = request.rejecting
                change = await self._kept(await self._go(request, goal))
            except Nack as error:
                change = self._reject(error, request)
            except OSError as error:
                change = self._reject(Nack("state", f"the state folder refuses: {refused(error)}"), request)
            if request.plan_only:
                await self.history.tidy(self._kept_aside())
            current.set(generation=change.outcome.generation, accepted=change.outcome.accepted)
        return change

    def _reject(self, error: Nack, request: Changing) -> Change:
        if not request.plan_only:
            self.rejected = Rejected(error.generation, error.source, str(error))
        return self._refuse(error)

    def _kept_aside(self) -> str | None:
        """The generation that was rejected last, which can be looked at."""
        return None if self.rejected is None else self.rejected.generation

    def _refuse(self, error: Nack) -> Change:
        present = self._host.generation
        return Change(Outcome(False, present, error.code, str(error), previous=present))

    async def _rotate(self, request: Rotate) -> Change:
        """Make again what has another secret now, or leave everything as it was."""
        host, present = self._host, self._host.generation
        try:
            ready, told = await rotated(host, self.hooks, request.names)
        except Nack as error:
            return self._refuse(error)
        if ready is None:
            return Change(Outcome(True, present, "unchanged", reports=told, previous=present))
        ready.switch.run()  # nothing is awaited since it is ready
        return Change(Outcome(True, present, plan=ready.plan, reports=told, previous=present), self._settle(ready))

    def _settle(self, ready: Ready) -> asyncio.Task[tuple[str, ...]]:
        settling = self._host.spawn(settle(self._host, self.hooks, ready))
        self._settling.add(settling)
        settling.add_done_callback(self._settling.discard)
        return settling

    async def _go(self, request: Changing, goal: Goal) -> Change:
        """Go over to a generation, or leave everything as it was. Raises `Nack`."""
        host, (new, deployed, diff) = self._host, goal
        previous, digest = host.generation, new.digest
        probation = Probation(host, self._provisional) if self._provisional and request.on_probation else None
        try:
            prepared = await self.history.prepared(new.source, new.digest)
            digest = prepared.digest
            if request.plan_only:
                planned = Outcome(True, previous, "planned", plan=plan(host, prepared), previous=previous, diff=diff)
                return Change(planned._replace(reports=tuple(staying(prepared))))
            if probation is not None:
                await probation.remember()
            ready = None if digest == previous else await warmed(host, self.hooks, prepared, force=request.force)
        except Nack as error:
            error.generation, error.source = digest, new.source
            raise
        # From here to the end nothing is awaited: what `ready` was made for is still so when it is switched, and
        # nobody sees slots of one generation with a history, or a probation, of another.
        if ready is not None:
            ready.switch.run()
        else:
            host.wiring_class.__serial__ = prepared.wiring.__serial__  # the same, perhaps signed again
        self.history.accept(prepared.wiring, digest)
        self._end_probation()
        back = new.digest if isinstance(request, Rollback) else None
        if back is not None:
            self.history.go_back(new, facts_of(request))
        else:
            if self.history.state is None:
                new = Generation(digest, prepared.wiring, new.overrides, Origin(digest))
                deployed = digest
            self.history.advance(new, deployed, facts_of(request))
        if ready is None:
            outcome = Outcome(True, digest, "unchanged", plan=plan(host, prepared), previous=previous)
            return Change(outcome._replace(rolled_back_to=back))
        settling = self._settle(ready)
        if probation is not None:
            self._probation = probation
            probation.begin(Rejected(digest, new.source, ""), self._undo)
        return Change(Outcome(True, digest, plan=ready.plan, previous=previous, rolled_back_to=back), settling)

    async def _kept(self, change: Change) -> Change:
        """Write down what was committed; cancelling the wait does not cancel the writing."""
        if change.outcome.code == "planned":
            return change
        try:
            await asyncio.shield(self._host.spawn(self.history.keep(self._kept_aside())))
        except OSError as error:
            report = f"the state folder refuses, so a restart will not know of this: {refused(error)}"
            return change._replace(outcome=change.outcome._replace(reports=(report,)))
        return change

    async def _undo(self, unwell: Rejected) -> None:
        """Go back from a generation that turned unhealthy."""
        try:
            outcome = await self._requests.take(Rollback(rejecting=unwell, by=PROBATION))
        except RuntimeClosed:
            return
        self._host.report(RolledBack(unwell.reason, outcome))

    def _end_probation(self) -> None:
        if self._probation is not None:
            self._probation.stop()
            self._probation = None

    async def open(self) -> None:
        """Before anything is active: switch to the last good generation; see `History.open`."""
        await self.history.open()
        if self._follower is not None:
            await self._follower.open()

    async def started(self) -> None:
        """After everything eager has started; see `History.started`."""
        await self.history.started()
        if self._follower is not None:
            await self._follower.started()

    async def stop(self, until: float) -> None:
        """End what is under way: give up what is not committed, and wait for leases until `until`, or in a hurry."""
        self._end_probation()
        if self._follower is not None:
            await self._follower.stop()
        for task in (waiting := self._requests.uncommitted()):
            task.cancel()
        if not (tasks := {*waiting, *self._settling}):
            return
        over, hurry = asyncio.ensure_future(asyncio.wait(tasks)), self._host.hurry
        seconds = max(0.0, until - asyncio.get_running_loop().time())
        await asyncio.wait((over, hurry), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not over.done() and not hurry.done():
            hurry.set_result(None)
        await over

    def close(self) -> None:
        """After everything is closed: let the state folder go."""
        self.history.close()
        if self._follower is not None:
            self._follower.close()
