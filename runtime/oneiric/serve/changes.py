"""Reloads, swaps and rollbacks of one process, whoever asks for them: done, logged and told in one form."""

from __future__ import annotations

from typing import Any

from oneiric.reload.outcome import Outcome, RolledBack
from oneiric.runtime import Runtime
from oneiric.serve.status import Status, now


class Changes:
    """Of one runtime; `status` gets to know the last."""

    def __init__(self, runtime: Runtime[Any], status: Status, log: Any) -> None:
        self._runtime = runtime
        self._status = status
        self._log = log

    async def reload(
        self, *, plan: bool = False, force: bool = False, trigger: str = "the control socket"
    ) -> dict[str, Any]:
        """Reload the baseline, or with `plan` say what that would do. `trigger` is what asked."""
        outcome = await self._runtime.reload(force=force, plan_only=plan)
        return told(outcome) if plan else self._tell("reload", outcome, trigger=trigger)

    async def swap(
        self, *, key: str, provider: str | None, tenant: str | None, all_tenants: bool, force: bool
    ) -> dict[str, Any]:
        """Swap one key: in the base, for a tenant, or for all that have a say of their own. Raises `UnknownKey`."""
        outcome = await self._runtime.swap(key, provider, tenant=tenant, all_tenants=all_tenants, force=force)
        return self._tell("swap", outcome, key=key, provider=provider, tenant=tenant)

    async def rollback(self) -> dict[str, Any]:
        """Go back to the generation before."""
        return self._tell("rollback", await self._runtime.rollback())

    def undone(self, error: RolledBack) -> None:
        """A generation on probation turned unhealthy: what was done about it."""
        self._log.error("unhealthy after a change", reason=str(error))
        outcome = error.outcome
        reason = error.why if outcome.accepted else str(error)
        self._tell("rollback", outcome._replace(reason=reason), trigger="provisional")

    def _tell(self, event: str, outcome: Outcome, **about: str | None) -> dict[str, Any]:
        answer = told(outcome)
        facts = {name: answer[name] for name in ("generation", "code", "reason", "reports") if answer[name]}
        domain, colon, key = str(about.get("key") or "").partition(":")
        who = {**about, "domain": domain, "key": key} if colon else about
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


def told(outcome: Outcome) -> dict[str, Any]:
    """An outcome as a document."""
    plan = outcome.plan
    return {
        "accepted": outcome.accepted,
        "generation": outcome.generation,
        "code": outcome.code,
        "reason": outcome.reason,
        "plan": {
            each: [{"tenant": tenant, "key": key} for tenant, key in getattr(plan, each)]
            for each in ("keep", "start", "replace", "stop")
        },
        "reports": list(outcome.reports),
        "rolled_back_to": outcome.rolled_back_to,
    }
