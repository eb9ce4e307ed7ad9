"""The compiler, as a list of calls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from oneiric_compiler.diagnostics.found import Diagnostics, did_you_mean
from oneiric_compiler.stages.catalog import catalog
from oneiric_compiler.stages.emit import emit
from oneiric_compiler.stages.link import link
from oneiric_compiler.stages.read import Project, read
from oneiric_compiler.stages.report import render_report, report
from oneiric_compiler.stages.resolve import resolve

__all__ = ["Outputs", "Project", "compile_project"]


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a compile makes: for each profile its folder, relative to the project, and its files by name."""

    root: Path
    profiles: dict[str, tuple[str, dict[str, bytes]]]

    def moved(self, out: Path) -> Outputs:
        """The same files under another folder than the project's own output."""
        profiles = {name: ("." if name == "default" else name, files) for name, (_, files) in self.profiles.items()}
        return Outputs(out.resolve(), profiles)


def compile_project(project: Project, diagnostics: Diagnostics, *, profile: str | None = None) -> Outputs | None:
    """Compiles every profile, or the one named; None when `diagnostics` holds an error."""
    settings = read(project, diagnostics)
    if settings is None:
        return None
    candidates, sources = catalog(project, settings, diagnostics)
    incomplete = settings.incomplete or candidates.incomplete
    profiles: dict[str, tuple[str, dict[str, bytes]]] = {}
    for name in profile_names(settings.profiles, profile, diagnostics):
        overlay = None if name == "default" else name
        resolution = resolve(settings, candidates, overlay, diagnostics)
        linked = link(resolution, sources, incomplete, diagnostics)
        if diagnostics.failed:
            continue
        explained = report(settings, candidates, linked, overlay)
        files = {"explain.json": render_report(explained), **emit(explained)}
        folder = settings.app.output if overlay is None else f"{settings.app.output}/{name}"
        profiles[name] = folder, {file: text.encode() for file, text in files.items()}
    return None if diagnostics.failed else Outputs(project.root, profiles)


def profile_names(known: Iterable[str], wanted: str | None, diagnostics: Diagnostics) -> list[str]:
    """The profiles to compile, the base first: all, or the one wanted, which is reported when it is none."""
    names = ["default", *known]
    if wanted is None:
        return names
    if wanted not in names:
        help = did_you_mean(wanted, names)
        diagnostics.add("ONE116", f"`{wanted}` is no profile listed in settings/app.yml", help=help)
        return []
    return [wanted]
