"""Keys that a profile or a tenant takes away: `unbind`, what contradicts it, and who needs such a key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from oneiric_compiler.diagnostics.found import Diagnostics, Help, Place, did_you_mean
from oneiric_compiler.linking.aliases import stated_aliases
from oneiric_compiler.linking.scope import Scope
from oneiric_compiler.model import SECRETS, Candidate, Key, Level, Section, Stated
from oneiric_compiler.tables.tiers import LevelName


def unbound_by(level: Level) -> Iterator[tuple[Key, Stated[str]]]:
    """The keys that one level unbinds, in order."""
    for domain, section in sorted(level.items()):
        yield from ((Key(domain, name), stated) for name, stated in sorted(section.unbind.items()))


def check_unbinding(scope: Scope, diagnostics: Diagnostics) -> None:
    """Reports what the scope's own levels unbind of what nothing declares, or bind as well, and swaps of such keys."""
    own: list[LevelName] = ["tenant"] if scope.tenant is not None else list(scope.levels)
    for name in own:
        for key, stated in unbound_by(scope.levels[name]):
            if not scope.candidates(key) and key not in stated_aliases(scope):
                others = [each.name for each in scope.known_keys() if each.domain == key.domain]
                near = partial(did_you_mean, key.name, others, "remove it: there is nothing to take away")
                diagnostics.add("ONE305", f"nothing declares a component for {key}", stated.place, help=near)
            for what, place in _also_stated(scope.levels[name][key.domain], key.name):
                message = f"{key} is unbound, and `{what}` states something of it in the same place"
                related = [("it is unbound here", stated.place)]
                diagnostics.add("ONE430", message, place, help="remove one of the two", related=related)
        for key, choice in scope.swaps.get(name, {}).items():
            if (by := scope.unbound(key)) is not None:
                message = f"{key} is unbound by {file_of(by)}, and what is unbound cannot be swapped"
                help = f"select it first, in a more specific place: `selections: {{{key.name}: {choice.value}}}`"
                related = [("it is unbound here", by.place)]
                diagnostics.add("ONE432", message, choice.place, help=help, related=related)


def _also_stated(section: Section, name: str) -> Iterator[tuple[str, Place]]:
    stated: list[tuple[str, Mapping[str, Stated[Any]]]] = [
        ("selections", section.selections),
        ("requires", section.requires),
        ("layers", section.layers),
        *section.options.items(),
    ]
    for what, keys in stated:
        if name in keys:
            yield what, keys[name].place


def tell_needed(user: Key, winner: Candidate, need: Key, place: Place, scope: Scope, diagnostics: Diagnostics) -> None:
    """Reports a need of a key that is unbound."""
    stated = scope.unbound(need)
    assert stated is not None
    message = f"{user} ({winner.provider}) needs {need}, which {file_of(stated)} unbinds"
    help = f"list the parameter in `optional`, with a default, or unbind {user} there as well"
    diagnostics.add("ONE431", message, place, help=help, related=[("it is unbound here", stated.place)])


def tell_secrets_needed(user: Key, winner: Candidate, scope: Scope, place: Place, diagnostics: Diagnostics) -> None:
    """Reports a secret where the component is unbound that has the secrets."""
    stated = scope.unbound(SECRETS)
    assert stated is not None
    message = f"{user} ({winner.provider}) is set with a secret, and {file_of(stated)} unbinds {SECRETS}"
    help: Help = f"keep {SECRETS}, or set it otherwise there"
    diagnostics.add("ONE431", message, place, help=help, related=[("it is unbound here", stated.place)])


def file_of(stated: Stated[str]) -> str:
    """The settings file that states it."""
    return stated.place.pointer.partition("#")[0]


def named_by(winners: Iterable[Candidate]) -> Iterator[Key]:
    """The keys that candidates name in full as their needs."""
    for winner in winners:
        for stated in winner.handed.values():
            for need in (stated.value,) if isinstance(stated.value, str) else stated.value:
                if ":" in need and not need.endswith("*"):
                    yield Key(*need.split(":", 1))
