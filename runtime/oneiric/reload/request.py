"""What can be asked: a reload, a swap, a rollback, a rotation of secrets.

Equal requests, one behind the other in the queue, are one.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from oneiric.reload.outcome import Overrides, Rejected
from oneiric.wiring import Wiring

ASKING: ContextVar[str] = ContextVar("asking", default="the application")
"""Who asks, as the history names it: a user, or what triggers a change by itself."""


def _asker() -> str:
    return field(default_factory=ASKING.get, compare=False)


@dataclass(frozen=True, slots=True)
class Reload:
    """Another wiring: by its path, a class, or None for the baseline read again. See `Runtime.reload`. With `swapped`
    the swaps that are active are compiled onto one of a path too, as they are onto the baseline."""

    source: str | type[Wiring] | None
    force: bool
    plan_only: bool
    swapped: bool = False
    by: str = _asker()
    on_probation: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Swap:
    """Another provider of a key. See `Runtime.swap`."""

    key: str
    provider: str | None
    tenant: str | None
    all_tenants: bool
    force: bool
    plan_only: bool
    with_settings: bool
    note: str | None
    by: str = _asker()
    on_probation: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, eq=False)
class Rollback:
    """The generation before, as often as it is asked for, or the one whose digest begins with `to`. `rejecting` is what
    turned unhealthy: then only while that is current."""

    to: str | None = None
    rejecting: Rejected | None = None
    by: str = _asker()
    force: ClassVar[bool] = False
    plan_only: ClassVar[bool] = False
    on_probation: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Follow:
    """What the owner of a followed state folder committed: its digest, where it lies, and of what it was made."""

    digest: str
    wiring: Path
    overrides: Overrides
    built_from: tuple[str, bool]
    by: ClassVar[str] = "the owner"
    force: ClassVar[bool] = False
    plan_only: ClassVar[bool] = False
    on_probation: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Rotate:
    """The wiring there is, with fresh instances of what has another secret now; of these names alone, or of all. See
    `Runtime.rotate`."""

    names: tuple[str, ...]
    by: str = _asker()


Change: TypeAlias = Reload | Swap | Rollback | Follow
"""What leads to another generation."""
Request: TypeAlias = Change | Rotate


def words_of(request: Request) -> tuple[str, dict[str, Any]]:
    """What its span is called, and says of it."""
    if not isinstance(request, Swap):
        return type(request).__name__.lower(), {}
    domain, _, key = request.key.partition(":")
    return "swap", {"domain": domain, "key": key, "provider": request.provider, "tenant": request.tenant}


def facts_of(request: Change) -> dict[str, Any]:
    """What the history says of it."""
    facts: dict[str, Any] = {"by": request.by, "what": type(request).__name__.lower()}
    match request:
        case Reload():
            facts["source"] = None if isinstance(request.source, type) else request.source
        case Swap():
            facts |= {"key": request.key, "tenant": request.tenant, "note": request.note}
            facts |= {name: True for name in ("all_tenants", "with_settings") if getattr(request, name)}
        case Rollback():
            facts["reason"] = None if request.rejecting is None else request.rejecting.reason
        case Follow():
            facts["generation"] = request.digest
    stated = {name: fact for name, fact in facts.items() if fact is not None}
    return {**stated, "provider": request.provider} if isinstance(request, Swap) else stated
