"""The decisions of a report, worked out again from the facts of its candidates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from packaging.specifiers import SpecifierSet

Facts: TypeAlias = Mapping[str, Any]

EXPLICIT = ("tenant-override", "tenant-selection", "override", "profile-selection", "selection")
TIERS = {"priority": "priority", "stack-level": "stack_level", "registration-order": "order"}
"""The rules among equals, strongest first, and the fact each compares."""


def decisions(report: Facts) -> Iterator[str]:
    """What does not hold in the decisions of every key, for the base and for its tenants."""
    for key, binding in report["bindings"].items():
        yield from (f"{key}: {finding}" for finding in _decision(report, key, None, binding, binding["candidates"]))
        for tenant, own in binding["tenants"].items():
            candidates = own.get("candidates", binding["candidates"])
            findings = _decision(report, key, tenant, own, candidates)
            yield from (f"{key} of tenant {tenant}: {finding}" for finding in findings)


def _decision(
    report: Facts, key: str, tenant: str | None, binding: Facts, candidates: Sequence[Facts]
) -> Iterator[str]:
    winners = [each for each in candidates if each["won"]]
    if len(winners) != 1:
        yield f"{len(winners)} candidates have won"
        return
    winner = winners[0]
    if (winner["provider"], winner["factory"]) != (binding["provider"], binding["factory"]):
        yield f"{_named(winner)} has won, and {_named(binding)} is bound"
    if sorted(each["order"] for each in candidates) != list(range(len(candidates))):
        yield "the candidates do not count up in order"
    for each in candidates:
        fates = [name for name in ("lost_by", "excluded_by") if name in each] + ["won"] * bool(each["won"])
        if len(fates) != 1:
            yield f"{_named(each)} has {len(fates)} fates: {', '.join(fates) or 'none'}"
            return
    left = [each for each in candidates if "excluded_by" not in each]
    losers = [each for each in left if each is not winner]
    if excluded := [each for each in candidates if "excluded_by" in each]:
        yield from _filters(excluded, left)
    yield from _ranking(report, key, tenant, binding, winner, losers)
    equals = [each for each in losers if each["lost_by"] in TIERS]
    yield from _words(binding, winner, max(equals, key=_rank, default=None), bool(excluded))


def _filters(excluded: Sequence[Facts], left: Sequence[Facts]) -> Iterator[str]:
    """What a filter excluded for a reason that its facts do not give, or let pass against them."""
    wanted: dict[str, Any] = {}
    for each in excluded:
        rule = each["excluded_by"]
        if rule in _OF_MANIFESTS:
            if "trust" not in each:
                yield f"{_named(each)} is filtered out by {rule}, and is of no manifest"
        elif rule not in _PASSES:
            yield f"{_named(each)} is filtered out by {rule}, which is not a filter"
        else:
            asked = each["compared"][1]
            if _PASSES[rule](each, asked) or wanted.setdefault(rule, asked) != asked:
                yield f"{_named(each)} is filtered out by {rule}, and passes"
    for rule, asked in wanted.items():
        for each in left:
            if not _PASSES[rule](each, asked):
                yield f"{_named(each)} is not filtered out by {rule}, and does not pass"


def _has_capabilities(each: Facts, wanted: Any) -> bool:
    return set(wanted) <= set(each["capabilities"])


def _runs_on_python(each: Facts, wanted: Any) -> bool:
    return SpecifierSet(each.get("python_version", "")).contains(wanted, prereleases=True)


def _runs_on_platform(each: Facts, wanted: Any) -> bool:
    return wanted in each.get("os_platform", (wanted,))


_PASSES: dict[str, Callable[[Facts, Any], bool]] = {
    "capability": _has_capabilities,
    "python-version": _runs_on_python,
    "os-platform": _runs_on_platform,
}
_OF_MANIFESTS = ("allowlist", "requires", "conflicts")
"""What bars a manifest's entry, by facts that a report does not have."""


def _ranking(
    report: Facts, key: str, tenant: str | None, binding: Facts, winner: Facts, losers: Sequence[Facts]
) -> Iterator[str]:
    """Who wins: what an explicit choice names, and among its equals the highest by priority, stack level, order."""
    choices = {each["lost_by"] for each in losers if each["lost_by"] in EXPLICIT}
    if len(choices) > 1:
        yield f"decided by several choices at once: {', '.join(sorted(choices))}"
        return
    choice = next(iter(choices), None)
    equals = [each for each in losers if choice is None or each["provider"] == winner["provider"]]
    for each in losers:
        if each not in equals:
            yield from _lost(each, str(choice), [each["provider"], winner["provider"]])
    for each in equals:
        rule = _first_difference(each, winner)
        fact = TIERS[rule]
        if each[fact] > winner[fact]:
            yield f"{_named(each)} outranks {_named(winner)} by {rule}: {each[fact]} against {winner[fact]}"
        yield from _lost(each, rule, [each[fact], winner[fact]])
    best = max(equals, key=_rank, default=None)
    expected = _first_difference(best, winner) if best else choice or "only-candidate"
    if binding["decided_by"] != expected:
        yield f"decided by {expected}, and the report says {binding['decided_by']}"
    elif expected in EXPLICIT:
        yield from _chosen(report, key, tenant, binding)


def _lost(each: Facts, rule: str, compared: list[Any]) -> Iterator[str]:
    if (each["lost_by"], each.get("compared")) != (rule, compared):
        told = f"by {each['lost_by']} ({each.get('compared')})"
        yield f"{_named(each)} lost by {rule} ({compared}), and the report says {told}"


def _rank(each: Facts) -> tuple[int, ...]:
    return tuple(each[fact] for fact in TIERS.values())


def _first_difference(one: Facts, other: Facts) -> str:
    return next((rule for rule, fact in TIERS.items() if one[fact] != other[fact]), "registration-order")


def _chosen(report: Facts, key: str, tenant: str | None, binding: Facts) -> Iterator[str]:
    """Whether an explicit choice is stated where its rule says, and an operator's swap among the inputs."""
    domain, _, name = key.partition(":")
    section, key_part, name_part = report["domains"][domain], escaped(key), escaped(name)
    profile, rule = report["profile"], binding["decided_by"]
    places = {
        "selection": f"settings/{section}.yml#/selections/{name_part}",
        "profile-selection": f"settings/profiles/{profile}.yml#/{section}/selections/{name_part}",
        "tenant-selection": f"settings/tenants/{tenant}.yml#/{section}/selections/{name_part}",
        "override": f"overrides#/overrides/{key_part}",
        "tenant-override": f"overrides#/tenants/{tenant}/{key_part}",
    }
    if binding["decided_at"] != places[rule]:
        yield f"a {rule} stands at {places[rule]}, and the report says {binding['decided_at']}"
    swaps = report["inputs"].get("overrides", {})
    if rule == "override" and swaps.get("overrides", {}).get(key) != binding["provider"]:
        yield f"no override among the inputs selects {binding['provider']}"
    if rule == "tenant-override" and swaps.get("tenants", {}).get(tenant, {}).get(key) != binding["provider"]:
        yield f"no override among the inputs selects {binding['provider']} for the tenant"
    file = binding["decided_at"].partition("#")[0]
    if file != "overrides" and file not in report["inputs"]["settings"]:
        yield f"{file} is not among the inputs"


def _words(binding: Facts, winner: Facts, runner_up: Facts | None, filtered: bool) -> Iterator[str]:
    """Whether the sentence for people says what decided, and the place is the winner's declaration where that did."""
    rule, place = binding["decided_by"], binding["decided_at"]
    if rule not in EXPLICIT and rule != "priority" and place != winner["declared_at"]:
        yield f"decided at {winner['declared_at']}, and the report says {place}"
    if rule in ("override", "tenant-override"):
        because = f"an operator's override selects {winner['provider']}"
    elif rule in EXPLICIT:
        because = f"{place.partition('#')[0]} selects {winner['provider']}"
    elif runner_up is None:
        because = "the only candidate left by the filters" if filtered else "the only candidate"
    else:
        same = runner_up["provider"] == winner["provider"]
        loser = runner_up["provider"] + (f" ({runner_up['source']})" if same else "")
        fact = TIERS.get(rule, "order")
        because = f"{rule.replace('-', ' ')} {winner[fact]} beats {runner_up[fact]} of {loser}"
        if rule == "registration-order":
            because = f"declared after {loser}, equal in all else"
    if binding["because"] != because:
        yield f"decided because `{because}`, and the report says `{binding['because']}`"


def escaped(part: str) -> str:
    """A part of a JSON pointer (RFC 6901)."""
    return part.replace("~", "~0").replace("/", "~1")


def _named(each: Facts) -> str:
    return f"`{each['provider']}` ({each['factory']})"
