"""Where a request leads: the generation to switch to, compiled where that takes the compiler."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from oneiric.host import Host
from oneiric.lifecycle.steps import in_thread
from oneiric.reload.history import Generation, History
from oneiric.reload.outcome import Nack, Overrides
from oneiric.reload.request import Change, Follow, Reload, Rollback, Swap
from oneiric.reload.state import Origin
from oneiric.report import Report, ReportError, read_report
from oneiric.wiring import Wiring, file_of


class Goal(NamedTuple):
    """`generation` has a digest where that is known before it is loaded; `deployed` is the digest of what the files of
    the application have; `diff` what a compile means."""

    generation: Generation
    deployed: str
    diff: Mapping[str, Any] | None = None


async def goal_of(request: Change, host: Host, history: History) -> Goal:
    """Raises `Nack`; `OSError` of the state folder."""
    if history.followed is not None and not isinstance(request, Follow):
        raise Nack("no-state", f"this process follows {history.followed}: ask the process that owns it")
    match request:
        case Follow():
            origin = Origin(*request.built_from)
            return Goal(Generation(request.digest, request.wiring, request.overrides, origin), history.deployed)
        case Reload():
            return await _reloaded(request, history)
        case Swap():
            return await _swapped(request, host, history)
        case Rollback():
            return _before(request, host, history)


async def _reloaded(request: Reload, history: History) -> Goal:
    state = history.state
    chosen = history.source if request.source is None else request.source
    if chosen is None:
        raise Nack("load", "the runtime's wiring has no file to read again")
    if state is None:
        return Goal(Generation("", chosen, Overrides(), Origin("")), history.deployed)
    if isinstance(chosen, type):
        raise Nack("load", "a runtime with a state folder reloads files")
    deployed = await history.adopt(state, Path(chosen), deployed=not request.plan_only)
    overrides = history.current.overrides if request.source is None or request.swapped else Overrides()
    generation, diff = await history.built(state, Origin(deployed), overrides)
    return Goal(generation, deployed, diff)


async def _swapped(request: Swap, host: Host, history: History) -> Goal:
    state = history.state
    if state is None:
        raise Nack("no-state", "a swap needs a state folder: Runtime(Wiring, state=DIR)")
    overrides = history.current.overrides.having(request.key, request.provider, request.tenant)
    if request.all_tenants:
        for tenant in await _deciding_tenants(host.wiring_class, request.key):
            overrides = overrides.having(request.key, request.provider, tenant)
    generation, diff = await history.built(
        state, history.current.origin, overrides, with_settings=request.with_settings
    )
    return Goal(generation, history.deployed, diff)


def _before(request: Rollback, host: Host, history: History) -> Goal:
    if request.rejecting is not None and request.rejecting.generation != host.generation:
        raise Nack("no-previous", "another generation has become current")
    return Goal(history.earlier(request.to), history.deployed)


async def _deciding_tenants(wiring: type[Wiring], key: str) -> list[str]:
    """Tenants whose own selection or override of a key outranks the base's override. Raises `Nack`."""
    path = file_of(wiring)
    assert path is not None, "a runtime with a state folder needs a wiring that has a file"
    try:
        report: Report = (await in_thread(read_report, Path(path).with_name("explain.json"))).get()
        tenants = report.bindings[key].tenants
    except (ReportError, KeyError) as error:
        raise Nack("load", f"it is unknown which tenants decide on {key}: {error}") from error
    return sorted(name for name, at in tenants.items() if at.decided_by.startswith("tenant-") and not at.unbound)
