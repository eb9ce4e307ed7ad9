"""The resolver run again on other values of one key, without a file being touched, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from oneiric.report import Report, parse_report

from oneiric_compiler.diagnostics.found import Diagnostics, Place
from oneiric_compiler.model import (
    Candidates,
    Catalog,
    Gathered,
    Key,
    Level,
    Project,
    Section,
    Settings,
    Stated,
)
from oneiric_compiler.pipeline import gather, reports
from oneiric_compiler.questions.diff.compare import Difference, compare
from oneiric_compiler.stages.report import render_report
from oneiric_compiler.tables.options import KeyOption
from oneiric_compiler.tables.tiers import Rank

SUPPOSED = Place("--what-if")


@dataclass(frozen=True, slots=True)
class Supposition:
    """Something else than there is: a selection, an option of the key, or, of each candidate of a provider, the number
    it is ranked by."""

    provider: str
    rank: Rank | None = None
    value: Any = 0
    option: KeyOption | None = None


@dataclass(frozen=True, slots=True)
class Compiled:
    """A project as far as its reports: what it is made of, and the reports by profile."""

    inputs: Gathered
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
) -> dict[str, list[Difference]] | None:
    """What changes in each profile; None when it would not compile. It is the tenant, profile or base that selects."""
    inputs = now.inputs
    for each in suppositions:
        if each.rank is None:
            settings = _stating(inputs.settings, key, each, profile, tenant)
            inputs = replace(inputs, settings=settings)
        else:
            catalog = _ranking(inputs.catalog, key, each.provider, each.rank, each.value)
            inputs = replace(inputs, catalog=catalog)
    then = _compiled(inputs, profile, diagnostics)
    return None if then is None else {name: compare(was, then.reports[name]) for name, was in now.reports.items()}


def _compiled(inputs: Gathered, profile: str | None, diagnostics: Diagnostics) -> Compiled | None:
    found = {name: parse_report(render_report(each).encode()) for name, each in reports(inputs, profile, diagnostics)}
    return None if diagnostics.failed else Compiled(inputs, found)


def _stating(settings: Settings, key: Key, each: Supposition, profile: str | None, tenant: str | None) -> Settings:
    if tenant is not None:
        return replace(settings, tenants=_with(settings.tenants, tenant, key, each))
    if profile not in (None, "default"):
        return replace(settings, profiles=_with(settings.profiles, profile, key, each))
    return replace(settings, base=_level(settings.base, key, each))


def _with(levels: Mapping[str, Level], name: str, key: Key, each: Supposition) -> dict[str, Level]:
    return {**levels, name: _level(levels.get(name, {}), key, each)}


def _level(level: Level, key: Key, each: Supposition) -> Level:
    section = level.get(key.domain, Section())
    if each.option is None:
        selections = {**section.selections, key.name: Stated(each.provider, SUPPOSED)}
        unbind = {name: stated for name, stated in section.unbind.items() if name != key.name}
        return {**level, key.domain: replace(section, selections=selections, unbind=unbind)}
    name = each.option.name
    options = {**section.options, name: {**section.options.get(name, {}), key.name: Stated(each.value, SUPPOSED)}}
    return {**level, key.domain: replace(section, options=options)}


def _ranking(candidates: Catalog, key: Key, provider: str, rank: Rank, value: int) -> Catalog:
    supposed: dict[str, Any] = {rank.fact: value}
    if rank.origin:
        supposed |= {rank.origin: "declared", rank.place: SUPPOSED}

    def ranked(scope: Candidates) -> Candidates:
        found = (replace(each, **supposed) if each.provider == provider else each for each in scope.get(key, ()))
        return {**scope, key: tuple(found)} if key in scope else scope

    profiles = {name: ranked(scope) for name, scope in candidates.profiles.items()}
    tenants = {name: ranked(scope) for name, scope in candidates.tenants.items()}
    return replace(candidates, base=ranked(candidates.base), profiles=profiles, tenants=tenants)
