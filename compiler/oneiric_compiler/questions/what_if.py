"""The resolver run again on other values of one key, without a file being touched, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from oneiric.report import Report, parse_report

from oneiric_compiler.diagnostics.found import Diagnostics, Place
from oneiric_compiler.model import Candidate, Catalog, Inputs, Key, Layer, Project, Section, Settings, Stated
from oneiric_compiler.pipeline import gather, reports
from oneiric_compiler.questions.diff.compare import Change, compare
from oneiric_compiler.stages.report import render_report

SUPPOSED = Place("--what-if")

What: TypeAlias = Literal["provider", "priority", "stack_level"]
Candidates: TypeAlias = Mapping[Key, tuple[Candidate, ...]]

BOUNDS: Mapping[What, int] = {"priority": 1000, "stack_level": 100}


@dataclass(frozen=True, slots=True)
class Supposition:
    """A value other than the one there is: a selection, or the rank of each candidate of a provider."""

    what: What
    provider: str
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Compiled:
    """A project as far as its reports: what it is made of, and the reports by profile."""

    inputs: Inputs
    reports: Mapping[str, Report]


def compiled(project: Project, profile: str | None, diagnostics: Diagnostics) -> Compiled | None:
    """The project as its files are, in every profile or one; None when it has errors."""
    inputs = gather(project, diagnostics)
    return None if inputs is None else _compiled(inputs, profile, diagnostics)


def suppose(
    now: Compiled,
    key: Key,
    suppositions: Iterable[Supposition],
    diagnostics: Diagnostics,
    *,
    profile: str | None,
    tenant: str | None,
) -> dict[str, list[Change]] | None:
    """What changes in each profile; None when it would not compile. It is the tenant, profile or base that selects."""
    inputs = now.inputs
    for each in suppositions:
        if each.what == "provider":
            settings = _selecting(inputs.settings, key, each.provider, profile, tenant)
            inputs = replace(inputs, settings=settings)
        else:
            inputs = replace(inputs, catalog=_ranking(inputs.catalog, key, each))
    then = _compiled(inputs, profile, diagnostics)
    return None if then is None else {name: compare(was, then.reports[name]) for name, was in now.reports.items()}


def _compiled(inputs: Inputs, profile: str | None, diagnostics: Diagnostics) -> Compiled | None:
    found = {name: parse_report(render_report(each).encode()) for name, each in reports(inputs, profile, diagnostics)}
    return None if diagnostics.failed else Compiled(inputs, found)


def _selecting(settings: Settings, key: Key, provider: str, profile: str | None, tenant: str | None) -> Settings:
    if tenant is not None:
        return replace(settings, tenants=_with(settings.tenants, tenant, key, provider))
    if profile not in (None, "default"):
        return replace(settings, profiles=_with(settings.profiles, profile, key, provider))
    return replace(settings, base=_layer(settings.base, key, provider))


def _with(layers: Mapping[str, Layer], name: str, key: Key, provider: str) -> dict[str, Layer]:
    return {**layers, name: _layer(layers.get(name, {}), key, provider)}


def _layer(layer: Layer, key: Key, provider: str) -> Layer:
    section = layer.get(key.domain, Section())
    selections = {**section.selections, key.name: Stated(provider, SUPPOSED)}
    return {**layer, key.domain: replace(section, selections=selections)}


def _ranking(candidates: Catalog, key: Key, supposed: Supposition) -> Catalog:
    def ranked(scope: Candidates) -> Candidates:
        return {**scope, key: tuple(_ranked(each, supposed) for each in scope[key])} if key in scope else scope

    profiles = {name: ranked(scope) for name, scope in candidates.profiles.items()}
    tenants = {name: ranked(scope) for name, scope in candidates.tenants.items()}
    return replace(candidates, base=ranked(candidates.base), profiles=profiles, tenants=tenants)


def _ranked(candidate: Candidate, supposed: Supposition) -> Candidate:
    if candidate.provider != supposed.provider:
        return candidate
    if supposed.what == "stack_level":
        return replace(candidate, stack_level=supposed.rank)
    return replace(candidate, priority=supposed.rank, priority_from="declared", priority_place=SUPPOSED)
