"""Reloads, swaps and rollbacks of one process, whoever asks for them: done, logged and told in one form."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oneiric.errors import UnknownKey
from oneiric.outcome import Outcome
from oneiric.report import Binding, read_report
from oneiric.runtime import Runtime
from oneiric.serve.status import Status, now
from oneiric.wiring import file_of


class Changes:
    """Of one runtime; `status` gets to know the last."""

    def __init__(self, runtime: Runtime[Any], status: Status, log: Any) -> None:
        self._runtime = runtime
        self._status = status
        self._log = log

    async def reload(self, trigger: str, *, force: bool = False, plan_only: bool = False) -> dict[str, Any]:
        """Reload the baseline. `trigger` says who asked."""
        outcome = await self._runtime.reload(force=force, plan_only=plan_only)
        return told(outcome) if plan_only else self._tell("reload", outcome, trigger=trigger)

    async def swap(self, key: str, provider: str | None, *, tenant: str | None, force: bool) -> dict[str, Any]:
        """Swap one key, in the base or for a tenant. Raises `UnknownKey`."""
        outcome = await self._runtime.swap(key, provider, tenant=tenant, force=force)
        return self._tell("swap", outcome, key=key, provider=provider, tenant=tenant)

    async def swap_everywhere(self, key: str, provider: str | None, *, force: bool) -> dict[str, Any]:
        """Swap a key in the base and for every tenant that has a say of its own in it: for all or, when one is
        rejected, for none. Raises `UnknownKey`."""
        before = self._runtime.overrides
        done: list[str | None] = []
        answer: dict[str, Any] = {}
        for tenant in [None, *self._deciding_tenants(key)]:
            answer = await self.swap(key, provider, tenant=tenant, force=force)
            if not answer["accepted"]:
                for each in reversed(done):
                    earlier = before.tenants.get(each, {}) if each is not None else before.base
                    await self.swap(key, earlier.get(key), tenant=each, force=True)
                break
            done.append(tenant)
        return answer

    async def rollback(self) -> dict[str, Any]:
        """Go back to the generation before."""
        return self._tell("rollback", await self._runtime.rollback())

    def _deciding_tenants(self, key: str) -> list[str]:
        """Tenants whose own selection or override outranks the base's override."""
        path = file_of(self._runtime.wiring_class)
        no_bindings: Mapping[str, Binding] = {}
        bindings = no_bindings if path is None else read_report(Path(path).with_name("explain.json")).bindings
        if key not in bindings:
            raise UnknownKey(key, bindings)
        return sorted(name for name, at in bindings[key].tenants.items() if at.decided_by.startswith("tenant-"))

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
        self._status.last = {"what": event, "at": now(), "accepted": outcome.accepted, "reason": outcome.reason}
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
