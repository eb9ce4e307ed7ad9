"""Reloads, swaps, rollbacks and rotations of one process, whoever asks for them: done, logged and told in one form."""

from __future__ import annotations

from typing import Any

from oneiric.reload.changes import PROBATION
from oneiric.reload.outcome import Outcome, Place, RolledBack
from oneiric.reload.request import ASKING
from oneiric.runtime import Runtime, changes_of
from oneiric.serve.history import history_of
from oneiric.serve.status import Status, now
from oneiric.serve.supervisor import Supervisor

CHANGE_FORMAT = "oneiric.change/1"


class Changes:
    """Of one runtime; `status` gets to know the last, `supervisor` of reloads that are under way."""

    def __init__(self, runtime: Runtime[Any], status: Status, supervisor: Supervisor, log: Any) -> None:
        self._runtime = runtime
        self._status = status
        self._supervisor = supervisor
        self._log = log

    async def reload(self, *, plan: bool = False, force: bool = False) -> dict[str, Any]:
        """Reload the baseline, or with `plan` say what that would do."""
        if plan:
            return told(await self._runtime.reload(force=force, plan_only=True))
        with self._supervisor.reloading():
            return self._tell("reload", await self._runtime.reload(force=force))

    async def plan(self, *, wiring: str) -> dict[str, Any]:
        """Say what a `wiring.py` would change once it is deployed."""
        return told(await changes_of(self._runtime).plan(wiring))

    async def swap(
        self,
        *,
        key: str,
        provider: str | None,
        tenant: str | None,
        all_tenants: bool,
        force: bool,
        plan: bool,
        with_settings: bool,
        note: str | None,
    ) -> dict[str, Any]:
        """Swap one key: in the base, for a tenant, or for all that have a say of their own; or with `plan` say what
        that would do. Raises `UnknownKey`, `UnknownTenant`."""
        outcome = await self._runtime.swap(
            key,
            provider,
            tenant=tenant,
            all_tenants=all_tenants,
            force=force,
            plan_only=plan,
            with_settings=with_settings,
            note=note,
        )
        if plan:
            return told(outcome)
        return self._tell("swap", outcome, key=key, provider=provider, tenant=tenant, note=note)

    async def rollback(self, *, to: str | None) -> dict[str, Any]:
        """Go back to the generation before, or to the one whose digest begins with `to`."""
        return self._tell("rollback", await self._runtime.rollback(to))

    async def rotate(self, *, names: list[str]) -> dict[str, Any]:
        """Fetch secrets anew, these or all, and make again what has another one now."""
        return self._tell("rotate", await self._runtime.rotate(*names))

    def history(self) -> dict[str, Any]:
        """The generations that can be returned to, and what led to them."""
        return history_of(changes_of(self._runtime).history.record())

    def undone(self, error: RolledBack) -> None:
        """A generation on probation turned unhealthy: what was done about it."""
        self._log.error("unhealthy after a change", reason=str(error))
        outcome = error.outcome
        reason = error.why if outcome.accepted else str(error)
        self._tell("rollback", outcome._replace(reason=reason), by=PROBATION)

    def _tell(self, event: str, outcome: Outcome, **about: str | None) -> dict[str, Any]:
        answer = told(outcome)
        facts = {name: answer[name] for name in ("generation", "code", "reason", "reports") if answer[name]}
        domain, colon, key = str(about.get("key") or "").partition(":")
        who: dict[str, str | None] = {"by": ASKING.get(), **about}
        who |= {"domain": domain, "key": key} if colon else {}
        facts |= {name: value for name, value in who.items() if value}
        if outcome.accepted:
            self._log.info(f"{event} accepted", **facts)
        else:
            self._log.error(f"{event} rejected", **facts)
        self._status.last = {
            "what": event,
            "at": now(),
            "accepted": outcome.accepted,
            "reason": outcome.reason,
            "from": outcome.previous,
            "to": outcome.generation,
        }
        self._status.change()
        return answer


def _place(place: Place, providers: tuple[str | None, str | None] | None) -> dict[str, Any]:
    tenant, key = place
    before, after = providers or (None, None)
    return {"tenant": tenant, "key": key, **({"from": before, "to": after} if providers else {})}


def told(outcome: Outcome) -> dict[str, Any]:
    """An outcome as a document."""
    plan = outcome.plan
    providers = {place: (before, after) for place, before, after in plan.providers}
    return {
        "format": CHANGE_FORMAT,
        "accepted": outcome.accepted,
        "generation": outcome.generation,
        "code": outcome.code,
        "reason": outcome.reason,
        "plan": {
            each: [_place(place, providers.get(place)) for place in getattr(plan, each)]
            for each in ("keep", "start", "replace", "stop")
        },
        "diff": outcome.diff,
        "reports": list(outcome.reports),
        "rolled_back_to": outcome.rolled_back_to,
    }
