"""A project with one key more that is bound: for a call of what nothing in its settings asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from oneiric_compiler.diagnostics.found import Diagnostics, Place, did_you_mean
from oneiric_compiler.model import Decision, Key, Level, Project, Section, Settings, Stated
from oneiric_compiler.pipeline import gather, outputs
from oneiric_compiler.stages.resolve import resolve

_WANTED = Place("the command")


class Unknown(Exception):
    """There is no candidate for the key; `help` names the nearest."""

    def __init__(self, key: Key, help: str | None) -> None:
        super().__init__(f"there is no {key.domain} `{key.name}`")
        self.help = help


def wanting(project: Project, key: str, profile: str | None, diagnostics: Diagnostics) -> Mapping[str, bytes] | None:
    """The outputs of a profile in which what serves the key by the tiers is bound. None when the settings have errors.

    Raises `Unknown`.
    """
    inputs = gather(project, diagnostics)
    if inputs is None:
        return None
    overlay = None if profile in (None, "default") else profile
    wanted = Key(*key.split(":", 1))
    if overlay is not None and overlay not in inputs.settings.profiles:
        outputs(project, inputs, diagnostics, overlay)
        return None
    decisions = resolve(inputs, overlay, Diagnostics()).decisions
    decision = decisions.get(wanted)
    if decision is None:
        names = [each.name for each in decisions if each.domain == wanted.domain]
        raise Unknown(wanted, did_you_mean(wanted.name, names))
    if isinstance(decision, Decision):
        settings = _selecting(inputs.settings, wanted, decision.winner.provider, overlay)
        inputs = replace(inputs, settings=settings)
    made = outputs(project, inputs, diagnostics, profile or "default")
    return None if made is None else made.profiles[profile or "default"][1]


def _selecting(settings: Settings, key: Key, provider: str, profile: str | None) -> Settings:
    if profile is None:
        return replace(settings, base=_with(settings.base, key, provider))
    level = _with(settings.profiles.get(profile, {}), key, provider)
    return replace(settings, profiles={**settings.profiles, profile: level})


def _with(level: Level, key: Key, provider: str) -> Level:
    section = level.get(key.domain, Section())
    return {
        **level,
        key.domain: replace(section, selections={**section.selections, key.name: Stated(provider, _WANTED)}),
    }
