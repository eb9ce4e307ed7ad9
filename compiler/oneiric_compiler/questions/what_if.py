"""The resolver run again on other values of one key, without a file being touched, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from oneiric.report import Report, parse_report

from oneiric_compiler.diagnostics.found import Diagnostics, Place
from oneiric_compiler.model import Candidate, Catalog, Key, Layer, Section, Settings, Stated
from oneiric_compiler.pipeline import profile_names
from oneiric_compiler.questions.diff.compare import Change, compare
from oneiric_compiler.source.modules import Sources
from oneiric_compiler.stages.catalog import catalog
from oneiric_compiler.stages.link import link
from oneiric_compiler.stages.read import Project, read
from oneiric_compiler.stages.report import render_report, report
from oneiric_compiler.stages.resolve import resolve

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
    """A project as far as its reports: what it was made of, and the reports by profile."""

    settings: Settings
    catalog: Catalog
    sources: Sources
    reports: Mapping[str, Report]


def compiled(project: Project, profile: str | None, diagnostics: Diagnostics) -> Compiled | None:
    """The project as its files are, in every profile or one; None when it has errors."""
    settings = read(project, diagnostics)
    if settings is None:
        return None
    candidates, sources = catalog(project, settings, diagnostics)
    return _reported(settings, candidates, sources, profile, diagnostics)


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
    settings, candidates = now.settings, now.catalog
    for each in suppositions:
        if each.what == "provider":
            settings = _selecting(settings, key, each.provider, profile, tenant)
        else:
            candidates = _ranking(candidates, key, each)
    then = _reported(settings, candidates, now.sources, profile, diagnostics)
    return None if then is None else {name: compare(was, then.reports[name]) for name, was in now.reports.items()}


def _reported(
    settings: Settings, candidates: Catalog, sources: Sources, profile: str | None, diagnostics: Diagnostics
) -> Compiled | None:
    incomplete = settings.incomplete or candidates.incomplete
    reports: dict[str, Report] = {}
    for name in profile_names(settings.profiles, profile, diagnostics):
        overlay = None if name == "default" else name
        linked = link(resolve(settings, candidates, overlay, diagnostics), sources, incomplete, diagnostics)
        if not diagnostics.failed:
            text = render_report(report(settings, candidates, linked, overlay))
            reports[name] = parse_report(text.encode())
    return None if diagnostics.failed else Compiled(settings, candidates, sources, reports)


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
