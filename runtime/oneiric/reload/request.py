"""What can be asked: a reload, a swap, a rollback. Equal requests, one behind the other in the queue, are one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from oneiric.reload.outcome import Rejected
from oneiric.wiring import Wiring


@dataclass(frozen=True, slots=True)
class Reload:
    """Another wiring: by its path, a class, or None for the baseline read again. See `Runtime.reload`."""

    source: str | type[Wiring] | None
    force: bool
    plan_only: bool
    on_probation: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Swap:
    """Another provider of a key. See `Runtime.swap`."""

    key: str
    provider: str | None
    tenant: str | None
    all_tenants: bool
    force: bool
    plan_only: ClassVar[bool] = False
    on_probation: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, eq=False)
class Rollback:
    """The generation before, as often as it is asked for. `rejecting` is what turned unhealthy: then only while that
    is current."""

    rejecting: Rejected | None = None
    force: ClassVar[bool] = False
    plan_only: ClassVar[bool] = False
    on_probation: ClassVar[bool] = False


Request: TypeAlias = Reload | Swap | Rollback


def words_of(request: Request) -> tuple[str, dict[str, Any]]:
    """What its span is called, and says of it."""
    if not isinstance(request, Swap):
        return type(request).__name__.lower(), {}
    domain, _, key = request.key.partition(":")
    return "swap", {"domain": domain, "key": key, "provider": request.provider, "tenant": request.tenant}
