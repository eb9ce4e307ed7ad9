"""Whether what is pinned is what the settings, the lock and the signatures say, without any network."""

from __future__ import annotations

from oneiric_compiler.diagnostics.found import Diagnostics, Source, Span
from oneiric_compiler.manifests.lock import LockError
from oneiric_compiler.manifests.pinned import read_pinned
from oneiric_compiler.model import Project, Settings
from oneiric_compiler.remote.pins import Pins


def check(project: Project, settings: Settings, diagnostics: Diagnostics) -> None:
    """Tell of every pin that is missing, altered, rejected by a rule, or of no source that is stated."""
    for manifest in read_pinned(project, settings, diagnostics):
        wanted = {entry.artifact for entry in manifest.entries if entry.artifact}
        for artifact in sorted(wanted, key=str):
            manifest.artifact(artifact, diagnostics)
    pins = Pins(project.root, settings.app.output)
    try:
        lock = pins.lock()
    except (LockError, OSError):
        return  # told of where the pins are read
    help = "run `oneiric remote-sync`, and commit what it pins and removes"
    for name in sorted(lock.sources.keys() - {source.name for source in settings.remote.sources}):
        message = f"the lock names the source `{name}`, which settings/remote.yml does not"
        diagnostics.add("ONE606", message, Span(Source(f"{pins.shown}/lock.json", "")), help=help)
    for file in pins.strangers(lock):
        message = f"{pins.shown}/{file} is in no lock: a sync was interrupted, or somebody put it there"
        diagnostics.add("ONE606", message, Span(Source(f"{pins.shown}/{file}", "")), help=help)
