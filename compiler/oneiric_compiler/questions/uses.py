"""What needs a key, in every profile and for every tenant: what no longer compiles when it goes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping

from oneiric.report import Json, Report

from oneiric_compiler.questions.explain.rows import section
from oneiric_compiler.text.paint import Line
from oneiric_compiler.text.visible import visible

Users = Mapping[str, dict[str, list[str]]]


def tell(reports: Mapping[str, Report], key: str) -> list[Line]:
    """The keys that need `key`, nearest first, by profile; of tenants those alone that the base does not have."""
    found = list(_scopes(reports, key))
    count = len({user for _, _, chains, _ in found for user in chains})
    lines: list[Line] = [
        [(visible(key), "bold"), (f" is needed by {count or 'no'} key{'' if count == 1 else 's'}", "plain")]
    ]
    for report, tenant, chains, users in found:
        title = f"{report.profile} of tenant {tenant}" if tenant else report.profile
        rows = [
            (user, report.bindings[user].provider, _reason(chain, users[chain[1]][user]))
            for user, chain in chains.items()
        ]
        lines += section(title, rows)
    if count:
        lines.append([])
        lines.append([("  Without it these have a need that nothing serves, and do not compile.", "plain")])
    lines.append([("  What the application itself asks for is not in a report.", "dim")])
    return lines


def document(reports: Mapping[str, Report], key: str) -> dict[str, Json]:
    """By profile, for `base` and each `tenant:NAME` with users of its own: every user, with the chain of its needs."""
    profiles: dict[str, dict[str, Json]] = {}
    for report, tenant, chains, _ in _scopes(reports, key):
        scope = "base" if tenant is None else f"tenant:{tenant}"
        profiles.setdefault(report.profile, {})[scope] = chains
    return {"format": "oneiric.uses/1", "key": key, "profiles": profiles}


def _scopes(
    reports: Mapping[str, Report], key: str
) -> Iterator[tuple[Report, str | None, dict[str, list[str]], Users]]:
    """Each profile, then each tenant with users of its own: its report, its name, its users' chains, all users."""
    for report in reports.values():
        users = report.users()
        chains = _chains(users, key)
        yield report, None, chains, users
        for tenant in sorted(_needing_otherwise(report)):
            of_tenant = report.for_tenant(tenant)
            theirs = of_tenant.users()
            if own := {user: chain for user, chain in _chains(theirs, key).items() if user not in chains}:
                yield of_tenant, tenant, own, theirs


def _needing_otherwise(report: Report) -> set[str]:
    """The tenants that have a component with other needs than the base's."""
    return {
        tenant
        for binding in report.bindings.values()
        for tenant, own in binding.tenants.items()
        if own.wants != binding.wants
    }


def _chains(users: Users, key: str) -> dict[str, list[str]]:
    """For each key that needs `key`, nearest first, the shortest chain of needs to it, itself first."""
    chains = {key: [key]}
    waiting = deque([key])
    while waiting:
        need = waiting.popleft()
        for user in users.get(need, {}):
            if user not in chains:
                chains[user] = [user, *chains[need]]
                waiting.append(user)
    del chains[key]
    return chains


def _reason(chain: list[str], parameters: list[str]) -> str:
    if len(chain) == 2:
        return f"for {', '.join(parameters)}"
    return f"by way of {' -> '.join(chain[1:-1])}"
