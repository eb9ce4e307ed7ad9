"""What tenants have other than the base of what settings declare: which of it may differ, and a workflow's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from oneiric_compiler.diagnostics.found import Diagnostics, Place, did_you_mean
from oneiric_compiler.linking.entries import merged
from oneiric_compiler.linking.scope import NOTHING, Scope
from oneiric_compiler.model import Bound, Candidate, Entry, Key, Section, Settings
from oneiric_compiler.tables.entries import OF_TENANTS, OF_TENANTS_NODES

_COMMON = (
    "state it for the base or a profile: of all this, a tenant has subscriptions of its own, "
    f"and of the nodes of workflows {', '.join(f'`{each}`' for each in sorted(OF_TENANTS_NODES))}"
)


def of_workflows(scope: Scope) -> dict[Key, Entry]:
    """What a tenant states of workflows, by key."""
    section = scope.levels["tenant"].get("workflow", NOTHING)
    return {Key("workflow", name): entry for name, entry in section.entries.get("workflows", {}).items()}


def check_served(scope: Scope, base: Candidate, bound: Bound, diagnostics: Diagnostics) -> None:
    """Reports a tenant whose workflow is another one than the base's that settings or manifests declare, and one that
    changes a workflow that code serves."""
    winner, tenant = bound.decision.winner, scope.tenant
    if winner.is_declared and winner is not base:
        what = f"tenant `{tenant}` selects {bound.decision.key} as {winner.source} declares it, and the base another"
        help = "select it for the base, and what the tenant has otherwise for the tenant"
        diagnostics.add("ONE731", what, winner.place, help=help)
    elif bound.overlay and not winner.is_declared:
        what = f"tenant `{tenant}` changes {bound.decision.key}, which is code: {winner.provider} serves it"
        help = "state nothing of its nodes, or let the workflow serve the base and the tenant that declares them"
        diagnostics.add("ONE731", what, bound.overlay.place, help=help, related=[("served by", winner.place)])


def changed(base: Entry, overlay: Entry) -> Entry:
    """A workflow as a tenant has it: what it may not state, and reported by `check_tenants`, is left out."""
    parts = {
        name: node._replace(fields={each: value for each, value in node.fields.items() if each in OF_TENANTS_NODES})
        for name, node in overlay.parts.items()
        if name in base.parts
    }
    return merged(base, Entry(overlay.place, {}, parts))


def check_tenants(settings: Settings, workflows: Mapping[str, Entry | None], diagnostics: Diagnostics) -> None:
    """Reports what tenants state that is the same for all of them, and workflows and nodes that there are not."""
    for tenant, level in settings.tenants.items():
        for domain, section in level.items():
            for what, place in _common(domain, section):
                message = f"tenant `{tenant}` states {what}, which all tenants have in common"
                diagnostics.add("ONE731", message, place, help=_COMMON)
            for name, entry in section.entries.get("workflows", {}).items():
                if name not in workflows:
                    what = f"tenant `{tenant}` changes the workflow `{name}`, which is not declared"
                    otherwise = "declare it in settings/workflows.yml, or in the profile"
                    help = partial(did_you_mean, name, workflows, otherwise)
                    diagnostics.add("ONE728", what, entry.place, help=help)
                    continue
                below = workflows[name]
                nodes = below.parts if below else entry.parts
                for node in sorted(entry.parts.keys() - nodes.keys()):
                    what = f"tenant `{tenant}` changes the node `{node}`, which workflow `{name}` does not have"
                    help = partial(did_you_mean, node, nodes, "name a node of this workflow")
                    diagnostics.add("ONE704", what, entry.parts[node].place, help=help)


def _common(domain: str, section: Section) -> Iterator[tuple[str, Place]]:
    """What of a tenant's section it may not state, each with its place."""
    for name, each in section.disable.items():
        if domain != "event":
            yield f"that `{name}` is disabled", each.place
    for kind, each in section.single.items():
        yield f"`{kind}`", each.name_place or each.place
    for kind, names in section.entries.items():
        for name, entry in names.items():
            if kind == "workflows":
                yield from ((f"`{field}` of workflow `{name}`", each.place) for field, each in entry.fields.items())
                for node, part in entry.parts.items():
                    fields = [field for field in part.fields if field not in OF_TENANTS_NODES]
                    yield from ((f"`{field}` of node `{node}`", part.fields[field].place) for field in fields)
            elif kind != OF_TENANTS:
                yield f"`{kind}`", entry.place
