"""Components that win nowhere, and settings that decide nothing: in no profile and for no tenant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.linking.scope import NOTHING, Scope
from oneiric_compiler.model import Candidate, Catalog, Key, Linked, Project, Settings
from oneiric_compiler.pipeline import gather, wire
from oneiric_compiler.stages.resolve import Resolution


@dataclass(frozen=True, slots=True)
class Unused:
    """Something that could go without any key being served otherwise: of which kind, what, and where."""

    kind: str
    what: str
    at: str


def unused(project: Project, diagnostics: Diagnostics) -> list[Unused] | None:
    """Everything unused of a project, built-ins aside, by kind and name; None when it has errors."""
    inputs = gather(project, diagnostics)
    if inputs is None:
        return None
    settings, candidates = inputs.settings, inputs.catalog
    won: set[int] = set()
    deciding: set[str] = set()
    for profile in (None, *settings.profiles):
        resolution, linked = wire(inputs, profile, diagnostics)
        deciding.update(_choices(resolution))
        for bindings in (linked.bindings, *linked.tenants.values()):
            won.update(id(binding.decision.winner) for binding in bindings.values() if not binding.unbound)
        deciding.update(_settings(linked))
    if diagnostics.failed:
        return None
    found = [*_components(candidates, won), *_stack_order(settings, candidates)]
    found += [each for each in _stated(settings) if each.at not in deciding]
    return sorted(found, key=lambda each: (each.kind, each.what, each.at))


def _choices(resolution: Resolution) -> Iterator[str]:
    """The places of selections and requirements that a decision rests on."""
    for scope, decisions in ((resolution.scope, resolution.decisions), *resolution.tenants.values()):
        for key, decision in decisions.items():
            explicit = {each.rule: each for each in scope.explicit(key)}
            for each in decision.judgements:
                if each.lost_by in explicit:
                    yield str(explicit[each.lost_by].place)
                elif each.excluded_by == "capability":
                    yield _requirement(scope, key)


def _requirement(scope: Scope, key: Key) -> str:
    stated = [level.get(key.domain, NOTHING).requires.get(key.name) for level in scope.levels.values()]
    return str(next(each for each in reversed(stated) if each).place)


def _settings(linked: Linked) -> Iterator[str]:
    for bindings in (linked.bindings, *linked.tenants.values()):
        for binding in bindings.values():
            yield from (str(setting.stated.place) for setting in binding.settings.values())


def _components(candidates: Catalog, won: set[int]) -> Iterator[Unused]:
    for each in _all(candidates):
        if not each.is_builtin and id(each) not in won:
            yield Unused("component", f"{each.key} {each.provider}", str(each.place))


def _stack_order(settings: Settings, candidates: Catalog) -> Iterator[Unused]:
    ranked = [each.factory for each in _all(candidates) if each.priority_from == "stack-order"]
    tops = {factory.partition(":")[0].partition(".")[0] for factory in ranked}
    for name, rank in settings.app.stack_order.items():
        if name not in tops:
            yield Unused("stack order", name, str(rank.place))


def _stated(settings: Settings) -> Iterator[Unused]:
    """What the levels select, require and set."""
    for domain, section in settings.sections():
        for name, provider in section.selections.items():
            yield Unused("selection", f"{domain}:{name} {provider.value}", str(provider.place))
        for name, wanted in section.requires.items():
            yield Unused("requirement", f"{domain}:{name} {', '.join(wanted.value)}", str(wanted.place))
        for entry, fields in section.provider_settings.items():
            for name, value in fields.items():
                yield Unused("setting", f"{domain} {entry} {name}", str(value.place))


def _all(candidates: Catalog) -> Iterator[Candidate]:
    for scope in (candidates.base, *candidates.profiles.values(), *candidates.tenants.values()):
        for found in scope.values():
            yield from found
