"""The compiler, as a list of calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from oneiric_compiler.diagnostics.found import Diagnostics, did_you_mean
from oneiric_compiler.model import Gathered, Linked, Outputs, Project
from oneiric_compiler.stages.catalog import catalog
from oneiric_compiler.stages.choosing import NAME as CHOOSE
from oneiric_compiler.stages.choosing import Offer, choosing
from oneiric_compiler.stages.emit import emit
from oneiric_compiler.stages.flows import flows
from oneiric_compiler.stages.link import link
from oneiric_compiler.stages.read import read
from oneiric_compiler.stages.report import Report, render_report, report
from oneiric_compiler.stages.resolve import Resolution, resolve


def compile_project(project: Project, diagnostics: Diagnostics, *, profile: str | None = None) -> Outputs | None:
    """Compiles every profile, or the one named; None when `diagnostics` holds an error."""
    inputs = gather(project, diagnostics)
    return None if inputs is None else outputs(project, inputs, diagnostics, profile)


def outputs(project: Project, inputs: Gathered, diagnostics: Diagnostics, profile: str | None) -> Outputs | None:
    """What a project comes to that was read; None when `diagnostics` holds an error."""
    profiles: dict[str, tuple[str, dict[str, bytes]]] = {}
    offers: dict[str, Offer] = {}
    for name, explained in reports(inputs, profile, diagnostics):
        output = inputs.settings.app.output
        files = {"explain.json": render_report(explained), **emit(explained)}
        folder = output if name == "default" else f"{output}/{name}"
        profiles[name] = folder, {file: text.encode() for file, text in files.items()}
        offers[name] = Offer.of(explained)
    if profile is None and len(offers) > 1:
        profiles["default"][1][CHOOSE] = choosing(offers).encode()
    return None if diagnostics.failed else Outputs(project.root, profiles)


def gather(project: Project, diagnostics: Diagnostics) -> Gathered | None:
    """Reads all that a project is made of; None when app.yml does not tell."""
    settings = read(project, diagnostics)
    return None if settings is None else Gathered(settings, *catalog(project, settings, diagnostics))


def reports(inputs: Gathered, profile: str | None, diagnostics: Diagnostics) -> Iterator[tuple[str, Report]]:
    """The report of every profile, or of the one named, as long as `diagnostics` holds no error."""
    for name in _profile_names(inputs.settings.profiles, profile, diagnostics):
        overlay = None if name == "default" else name
        resolution, linked = wire(inputs, overlay, diagnostics)
        declared = flows(resolution.scope, linked, inputs, diagnostics)
        if not diagnostics.failed:
            yield name, report(inputs, linked, declared, overlay)


def wire(inputs: Gathered, profile: str | None, diagnostics: Diagnostics) -> tuple[Resolution, Linked]:
    """What serves each key of a profile (None: the base), decided and then made concrete."""
    resolution = resolve(inputs, profile, diagnostics)
    return resolution, link(resolution, inputs, diagnostics)


def _profile_names(known: Iterable[str], wanted: str | None, diagnostics: Diagnostics) -> list[str]:
    """The profiles to compile, the base first: all, or the one wanted, which is reported when it is none."""
    names = ["default", *known]
    if wanted is None:
        return names
    if wanted not in names:
        help = did_you_mean(wanted, names)
        diagnostics.add("ONE116", f"profile `{wanted}` is not listed in settings/app.yml", help=help)
        return []
    return [wanted]
