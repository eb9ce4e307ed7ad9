"""Everything that changes the wiring of one runtime: reloads, swaps, rollbacks, one at a time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from oneiric.errors import OneiricError, RuntimeClosed
from oneiric.host import Host
from oneiric.lifecycle.steps import in_thread
from oneiric.reload.history import Generation, History
from oneiric.reload.hooks import Hooks
from oneiric.reload.outcome import Change, Nack, Outcome, Overrides, Rejected
from oneiric.reload.probation import Watch
from oneiric.reload.queue import Turns
from oneiric.reload.transaction import planned, transact
from oneiric.report import Report, ReportError, read_report
from oneiric.tracing import span
from oneiric.wiring import Wiring, file_of


class RolledBack(OneiricError):
    """A component turned unhealthy soon after a commit, and the previous generation was brought back, or not:
    `outcome` says it, `why` what was unwell."""

    def __init__(self, why: str, outcome: Outcome) -> None:
        self.why = why
        self.outcome = outcome
        ending = f"rolled back to {outcome.rolled_back_to}" if outcome.accepted else f"kept: {outcome.reason}"
        super().__init__(f"{why}; {ending}")


class Reloads:
    """One application's changes. For `provisional` seconds after each a component that turns unhealthy undoes it."""

    def __init__(
        self,
        host: Host,
        *,
        state: str | os.PathLike[str] | None,
        project: str | os.PathLike[str],
        provisional: float,
    ) -> None:
        self.hooks = Hooks()
        self.history = History(host, state, project)
        self.rejected: Rejected | None = None
        self._host = host
        self._turns = Turns(host)
        self._watch: Watch | None = None
        self._settling: set[asyncio.Task[Any]] = set()
        self._provisional = provisional

    @property
    def overrides(self) -> Overrides:
        """The operator's swaps that are part of the current wiring."""
        return self.history.current.overrides

    @property
    def busy(self) -> bool:
        """Whether anything waits for its turn, is under way or is being drained."""
        return bool(self._turns.uncommitted() or self._settling)

    async def reload(
        self,
        source: str | os.PathLike[str] | type[Wiring] | None = None,
        *,
        force: bool = False,
        plan_only: bool = False,
    ) -> Outcome:
        """See `Runtime.reload`."""
        chosen: Any = source if source is None or isinstance(source, type) else os.fspath(source)
        work = partial(self._reload, chosen, force, plan_only)
        return await self._turns.take(("reload", chosen, force, plan_only), partial(self._do, "reload", work))

    async def swap(
        self, key: str, provider: str | None, *, tenant: str | None, all_tenants: bool, force: bool
    ) -> Outcome:
        """See `Runtime.swap`."""
        self._host.base.slot(key)
        domain, _, name = key.partition(":")
        about = {"domain": domain, "key": name, "provider": provider, "tenant": tenant}
        asked = key, provider, tenant, all_tenants, force
        work = partial(self._do, "swap", partial(self._swap, *asked), **about)
        return await self._turns.take(("swap", *asked), work)

    async def rollback(self) -> Outcome:
        """See `Runtime.rollback`."""
        return await self._turns.take(object(), partial(self._do, "rollback", self._rollback))

    async def _do(self, name: str, work: Callable[[], Awaitable[Change]], **about: str | None) -> Change:
        with span(name, **about) as current:
            try:
                change = await work()
            except Nack as error:
                change = self._reject(error)
            except OSError as error:
                change = self._reject(Nack("state", f"the state folder refuses: {error.strerror or error}"))
            current.set(generation=change.outcome.generation, accepted=change.outcome.accepted)
        return change

    def _reject(self, error: Nack) -> Change:
        reason = str(error)
        self.rejected = Rejected(error.generation, error.source, reason)
        present = self._host.generation
        return Change(Outcome(False, present, error.code, reason, previous=present))

    async def _reload(self, source: Any, force: bool, plan_only: bool) -> Change:
        history, state = self.history, self.history.state
        chosen = history.source if source is None else source
        if chosen is None:
            raise Nack("load", "the runtime's wiring has no file to read again")
        new = Generation("", chosen)
        baseline = history.baseline
        if state is not None:
            if isinstance(chosen, type):
                raise Nack("load", "a runtime with a state folder reloads files")
            baseline = await history.adopt(state, Path(chosen))
            new = Generation(baseline, state.path(baseline))
            if source is None and self.overrides.active:
                new = Generation("", await history.compiled(state, self.overrides), self.overrides)
        if plan_only:
            return Change(planned(self._host, await history.prepared(new.source)))
        return await self._go(new, baseline, force=force)

    async def _swap(self, key: str, provider: str | None, tenant: str | None, all_tenants: bool, force: bool) -> Change:
        history, state = self.history, self.history.state
        if state is None:
            raise Nack("no-state", "a swap needs a state folder: Runtime(Wiring, state=DIR)")
        overrides = self.overrides.having(key, provider, tenant)
        if all_tenants:
            for each in await deciding_tenants(self._host.wiring_class, key):
                overrides = overrides.having(key, provider, each)
        if overrides.active:
            source = await history.compiled(state, overrides)
        else:
            source = state.path(history.baseline)
        return await self._go(Generation("", source, overrides), history.baseline, force=force)

    async def _rollback(self) -> Change:
        if not self.history.previous:
            raise Nack("no-previous", "there is no generation before this one")
        back = self.history.previous[0]
        change = await self._go(back, self.history.baseline, back=True)
        return change._replace(outcome=change.outcome._replace(rolled_back_to=back.digest))

    async def _go(self, new: Generation, baseline: str, *, force: bool = False, back: bool = False) -> Change:
        """Go over to a generation, the one before this where `back`, and write it down. Raises `Nack`."""
        host, history = self._host, self.history
        watch = None if back or not self._provisional else Watch(host, self._provisional)
        prepared = None
        try:
            prepared = await history.prepared(new.source)
            if watch is not None:
                await watch.remember()

            def committed() -> None:
                if back:
                    history.go_back()
                else:
                    source = new.source if history.state is not None else prepared.wiring
                    history.advance(Generation(prepared.digest, source, new.overrides), baseline)
                self._stop_watch()

            change = await transact(host, self.hooks, prepared, force=force, committed=committed)
        except Nack as error:
            error.generation = _digest(new, prepared)
            error.source = new.source
            raise
        if change.settling is not None:
            self._settling.add(change.settling)
            change.settling.add_done_callback(self._settling.discard)
            if watch is not None:
                self._begin_watch(watch, prepared.digest, new.source)
        return await self._kept(change)

    async def _kept(self, change: Change) -> Change:
        """Write down what was committed; cancelling the wait does not cancel the writing."""
        try:
            rejected = None if self.rejected is None else self.rejected.generation
            await asyncio.shield(self._host.spawn(self.history.keep(rejected)))
        except OSError as error:
            report = f"the state folder refuses, so a restart will not know of this: {error.strerror or error}"
            return change._replace(outcome=change.outcome._replace(reports=(report,)))
        return change

    def _begin_watch(self, watch: Watch, digest: str, source: Any) -> None:
        async def unwell(reason: str) -> None:
            why = f"generation {digest[:12]} turned unhealthy: {reason}"

            async def back() -> Change:
                if self._host.generation != digest:
                    raise Nack("no-previous", "another generation is current by now")
                self.rejected = Rejected(digest, source, why)
                return await self._rollback()

            try:
                outcome = await self._turns.take(object(), partial(self._do, "rollback", back))
            except RuntimeClosed:
                return
            self._host.report(RolledBack(why, outcome))

        self._watch = watch
        watch.begin(unwell)

    def _stop_watch(self) -> None:
        if self._watch is not None:
            self._watch.stop()
            self._watch = None

    async def open(self) -> None:
        """Before anything is active: go over to the last good generation; see `History.open`."""
        await self.history.open()

    def close(self) -> None:
        """After everything is closed: let the state folder go."""
        self.history.close()

    async def stop(self, until: float) -> None:
        """End what is under way: give up what is not committed, and wait for leases until `until`, or in a hurry."""
        self._stop_watch()
        for task in (waiting := self._turns.uncommitted()):
            task.cancel()
        tasks = {*waiting, *self._settling}
        over = asyncio.ensure_future(asyncio.wait(tasks)) if tasks else None
        if over is None:
            return
        hurry = self._host.hurry
        seconds = max(0.0, until - asyncio.get_running_loop().time())
        await asyncio.wait((over, hurry), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not over.done() and not hurry.done():
            hurry.set_result(None)
        await over


async def deciding_tenants(wiring: type[Wiring], key: str) -> list[str]:
    """Tenants whose own selection or override of a key outranks the base's override. Raises `Nack`."""
    path = file_of(wiring)
    assert path is not None, "a runtime with a state folder is of a file"
    try:
        report: Report = (await in_thread(read_report, Path(path).with_name("explain.json"))).get()
        tenants = report.bindings[key].tenants
    except (ReportError, KeyError) as error:
        raise Nack("load", f"which tenants decide on {key} cannot be told: {error}") from error
    return sorted(name for name, at in tenants.items() if at.decided_by.startswith("tenant-"))


def _digest(new: Generation, prepared: Any) -> str:
    if prepared is not None:
        return str(prepared.digest)
    return new.digest or (new.source.parent.name if isinstance(new.source, Path) else "")
