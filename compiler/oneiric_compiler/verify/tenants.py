"""The tenants of a report: what of theirs is their own, and whether tenants.jsonl has exactly that."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from oneiric_compiler.verify.decisions import Facts
from oneiric_compiler.verify.declared import FACTORY, is_flow
from oneiric_compiler.verify.flowing import of_tenant, printed, stated_flow
from oneiric_compiler.verify.layers import promised, stack
from oneiric_compiler.verify.wiring import OPTIONS, awaited, expressions, fingerprint, handed, several

_SECRETS = "adapter:secrets"


def sharing(report: Facts) -> Iterator[str]:
    """Where a tenant is said to share an instance that differs, or to have one of its own that does not."""
    own = {key: _tenants_with_their_own(binding) for key, binding in report["bindings"].items()}
    for key, binding in report["bindings"].items():
        needs = _needs(binding)
        flow = _flow(report, key, binding)
        told: set[str] = {*binding["tenants"], *(tenant for need in needs for tenant in own.get(need, ()))}
        told.update(_changing(flow))
        for tenant in sorted(told):
            yield from (f"{key} of tenant {tenant}: {finding}" for finding in _shared(binding, tenant, own, flow))


def _flow(report: Facts, key: str, binding: Facts) -> Facts | None:
    flow: Facts = report["workflows"][key.partition(":")[2]] if is_flow(report, key, binding) else {}
    return flow or None


def _changing(flow: Facts | None) -> set[str]:
    """The tenants that have other nodes."""
    return {*(flow or {}).get("tenants", {})}


def _printed(binding: Facts, tenant: str | None, flow: Facts | None) -> str:
    of_flow = flow is not None and binding["factory"] == FACTORY
    return printed(binding, of_tenant(flow, tenant)) if flow and of_flow else fingerprint(binding)


def _shared(binding: Facts, tenant: str, own: dict[str, set[str]], flow: Facts | None) -> Iterator[str]:
    theirs = binding["tenants"].get(tenant, {**binding, "shared": True})
    found = _printed(theirs, tenant, flow)
    if found != theirs["fingerprint"]:
        yield f"has another fingerprint: {theirs['fingerprint']}, and its facts say {found}"
    differs = (
        found != _printed(binding, None, flow)
        or tenant in _changing(flow)
        or _winners(theirs, binding) != _winners(binding, binding)
        or _layers(theirs) != _layers(binding)
    )
    rebuilt_for = [] if differs else [need for need in _needs(theirs) if tenant in own.get(need, ())]
    if theirs.get("shared") and (differs or rebuilt_for):
        yield f"is said to share the base's instance, and {'differs' if differs else f'needs its own {rebuilt_for[0]}'}"
    elif theirs.get("rebuilt_for", []) != rebuilt_for:
        yield f"has an instance rebuilt for {', '.join(rebuilt_for) or 'no need'}, and the report says otherwise"


def _layers(binding: Facts) -> list[tuple[str, str]]:
    return [(name, fingerprint(layer)) for name, layer in binding.get("layers", {}).items()]


def _winners(binding: Facts, base: Facts) -> list[tuple[str, str]]:
    candidates = binding.get("candidates", base["candidates"])
    return [(each["source"], each["declared_at"]) for each in candidates if each["won"]]


def _needs(binding: Facts) -> list[str]:
    parts = [binding, *binding.get("layers", {}).values()]
    return sorted({need for each in parts for need in (*handed(each), *([_SECRETS] if each.get("secrets") else ()))})


def _tenants_with_their_own(binding: Facts) -> set[str]:
    return {tenant for tenant, own in binding["tenants"].items() if not own.get("shared")}


def lines(report: Facts, data: bytes) -> Iterator[str]:
    """Where tenants.jsonl says something else than the report."""
    expected = _expected(report)
    *found, last = data.decode("ascii", "backslashreplace").split("\n")
    for line in sorted({*expected}.difference(found)):
        facts = json.loads(line)
        what = f"{facts['key']} of tenant" if "key" in facts else "tenant"
        yield f"{what} {facts['tenant']}: tenants.jsonl lacks its line"
    unknown = {*found}.difference(expected)
    for number, line in enumerate(found, 1):
        if line in unknown:
            yield f"tenants.jsonl: line {number} is not what the report says"
    if last:
        yield "tenants.jsonl: its last line has no end"
    elif found != expected and {*found} == {*expected}:
        yield "tenants.jsonl: its lines are not in order, or there twice"


def counts(report: Facts) -> dict[str, str]:
    """What the wiring has to say of the lines: their number and digest by key, and by "" of those that list tenants."""
    found: dict[str, list[str]] = {}
    for line in _expected(report):
        found.setdefault(json.loads(line).get("key", "").partition("/")[0], []).append(f"{line}\n")
    return {key: f"{len(each)}:{hashlib.sha256(''.join(each).encode()).hexdigest()[:8]}" for key, each in found.items()}


def _expected(report: Facts) -> list[str]:
    """The lines that tenants.jsonl has to have, in order: a tenant's own comes before those of its keys."""
    entries: list[Facts] = [{"tenant": tenant} for tenant in report.get("tenants", [])]
    lines = [json.dumps(entry) for entry in (*entries, *_own_instances(report))]
    return sorted(lines, key=lambda line: line[:-1])


def _own_instances(report: Facts) -> Iterator[Facts]:
    for key, binding in report["bindings"].items():
        for tenant, own in binding["tenants"].items():
            if not own.get("shared"):
                flow = _flow(report, key, own)
                for name, each in stack(key, {**own, "promised": promised(binding)}).items():
                    yield _line(tenant, name, each, flow if name == key else None)


def _line(tenant: str, key: str, own: Facts, flow: Facts | None) -> Facts:
    port, layers = promised(own), [*own.get("layers", ())]
    needs = {name: {"need": need} for name, need in own["needs"].items()}
    gathers = {name: several(each) for name, each in own.get("gathers", {}).items()}
    wrapped = {"inner": {"inner": own["inner"]}} if "inner" in own else {}
    data = {"flow": stated_flow(of_tenant(flow, tenant))} if flow else {}
    data |= {"input": flow["input"]} if flow and "input" in flow else {}
    return {
        "tenant": tenant,
        "key": key,
        "provider": own["provider"],
        "fingerprint": _printed(own, tenant, flow),
        "factory": own["factory"],
        **({"port": port} if port else {}),
        "arguments": {**expressions(own), **needs, **wrapped, **gathers},
        "needs": awaited(own),
        **({"layers": layers} if layers else {}),
        **data,
        **{name: own[name] for name in ("async", "entered", *OPTIONS, "inner") if name in own},
    }
