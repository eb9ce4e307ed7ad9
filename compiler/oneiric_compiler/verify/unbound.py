"""What a report says is unbound, held against what it says that the settings state, and who needs such keys."""

from __future__ import annotations

from collections.abc import Iterator

from oneiric_compiler.verify.decisions import Facts
from oneiric_compiler.verify.places import places, unread
from oneiric_compiler.verify.wiring import handed


def unbound(report: Facts) -> Iterator[str]:
    """Where a key is said to be unbound otherwise than the place that is named states, or needed all the same."""
    bindings, taken = report["bindings"], report.get("unbound", {})
    for key, at in taken.items():
        yield from (f"{key}: {finding}" for finding in _stated(report, key, None, at))
        if key in bindings and not bindings[key].get("unbound"):
            yield f"{key}: is said to be unbound, and is bound"
    for key, binding in bindings.items():
        if binding.get("unbound"):
            if taken.get(key) != binding["unbound_at"]:
                yield f"{key}: is unbound at {binding['unbound_at']}, and the profile at {taken.get(key)}"
            if all(own.get("unbound") for own in binding["tenants"].values()):
                yield f"{key}: is unbound, and no tenant has it"
        for tenant, own in binding["tenants"].items():
            yield from (f"{key} of tenant {tenant}: {finding}" for finding in _own(report, key, tenant, binding, own))
    yield from _needed(report)


def _own(report: Facts, key: str, tenant: str, binding: Facts, own: Facts) -> Iterator[str]:
    if own.get("unbound"):
        yield from _stated(report, key, tenant, own["unbound_at"])
        if own["settings"] or own["needs"] or "gathers" in own:
            yield "is unbound, and has settings or needs"
    elif binding.get("unbound"):
        at, place = own.get("bound_at"), places(report, key, "selections", tenant)[-1]
        if at != place:
            yield f"a tenant binds again what it selects at {place}, and the report says {at}"


def _stated(report: Facts, key: str, tenant: str | None, at: str) -> Iterator[str]:
    *_, place = places(report, key, "unbind", tenant)  # of its own level alone
    if at != place:
        yield f"is unbound at {place}, and the report says {at}"
    yield from unread(report, place)


def _needed(report: Facts) -> Iterator[str]:
    """Who is handed what is unbound where it is."""
    bindings = report["bindings"]
    without: dict[str, set[str | None]] = {}
    for key, binding in bindings.items():
        tenants = binding["tenants"].items()
        found = {tenant for tenant, own in tenants if own.get("unbound")}
        if binding.get("unbound"):
            found |= {None, *report.get("tenants", ())} - {tenant for tenant, own in tenants if not own.get("unbound")}
        if found:
            without[key] = found
    for key, binding in bindings.items() if without else ():
        for scope in (None, *report.get("tenants", ())):
            serving = binding["tenants"].get(scope, binding)
            for need in handed(serving):
                if scope in without.get(need, ()):
                    of_tenant = "" if scope is None else f" of tenant {scope}"
                    yield f"{key}{of_tenant}: is handed {need}, which is unbound"
