"""Keys that are other keys: `aliases`, where they lead, and what they cannot have besides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from oneiric.secrecy.names import secret_name

from oneiric_compiler.diagnostics.found import Diagnostics, Help, Place, did_you_mean
from oneiric_compiler.linking.graph import cycles
from oneiric_compiler.linking.scope import Scope
from oneiric_compiler.model import Key, Level, Stated
from oneiric_compiler.text.redact import MASK


def aliases_in(level: Level) -> Iterator[tuple[Key, Key, Stated[str]]]:
    """The aliases that one level states, in order, each with the key that it names."""
    for domain, section in sorted(level.items()):
        for name, stated in sorted(section.aliases.items()):
            of, _, target = stated.value.rpartition(":")
            yield Key(domain, name), Key(of or domain, target), stated


def stated_aliases(scope: Scope) -> dict[Key, tuple[Key, Stated[str]]]:
    """Every alias of a profile, with the key that its most specific level names."""
    levels = [level for name, level in scope.levels.items() if name != "tenant"]
    return {key: (target, stated) for level in levels for key, target, stated in aliases_in(level)}


def targets(stated: Mapping[Key, tuple[Key, Stated[str]]]) -> dict[Key, Key]:
    """The key that each alias comes to in the end; those that go round come to none."""
    found: dict[Key, Key] = {}
    for key in stated:
        way = [key]
        while (following := stated.get(way[-1])) and following[0] not in way:
            way.append(following[0])
        if following is None:
            found[key] = way[-1]
    return found


def check_aliases(scope: Scope, diagnostics: Diagnostics) -> None:
    """Reports aliases that go round or lead to nothing, and what the scope's own levels state of them besides."""
    stated = stated_aliases(scope)
    if scope.tenant is not None:
        for key, _, each in aliases_in(scope.levels["tenant"]):
            message = f"{key} is made an alias for tenant `{scope.tenant}` alone"
            help: Help = "a tenant's wiring is typed as the base's: state it for the domain, or in a profile"
            diagnostics.add("ONE438", message, each.name_place or each.place, help=help)
    elif stated:
        _check_ways(scope, stated, diagnostics)
    levels = [scope.levels["tenant"]] if scope.tenant is not None else [*scope.levels.values()]
    for key, (target, each) in sorted(stated.items()):
        for what, place in _besides(scope, levels, key):
            message = f"{key} is an alias of {target}, and has {what} of its own"
            help = f"state it of {target}, or remove one of the two"
            related = [("it is an alias here", each.place)]
            diagnostics.add("ONE436", message, place, help=help, related=related)


def _check_ways(scope: Scope, stated: Mapping[Key, tuple[Key, Stated[str]]], diagnostics: Diagnostics) -> None:
    for cycle in sorted({*cycles(sorted(stated), {key: {target} for key, (target, _) in stated.items()})}):
        chain = " -> ".join(map(str, (*cycle, cycle[0])))
        place = stated[cycle[0]][1].place
        diagnostics.add(
            "ONE437", f"aliases that go round: {chain}", place, help="let one of them name a component's key"
        )
    known = scope.known_keys()
    for key, (target, each) in sorted(stated.items()):
        if target not in known and target not in stated:
            names = [
                str(other) if ":" in each.value else other.name for other in known if other.domain == target.domain
            ]
            help = partial(did_you_mean, each.value, names, "declare a component for it")
            led = MASK if secret_name(key.name) else target  # a secret in the wrong place
            message = f"{key} is an alias of {led}, for which nothing declares a component"
            diagnostics.add("ONE305", message, each.place, help=help)


def _besides(scope: Scope, levels: list[Level], key: Key) -> Iterator[tuple[str, Place]]:
    """What else there is of an alias, and where."""
    added = [*scope.added.values()] if scope.tenant is None else [scope.added["tenant"]]
    for candidate in (each for found in added for each in found.get(key, ())):
        yield f"a candidate (`{candidate.provider}`)", candidate.place
    for section in (section for level in levels if (section := level.get(key.domain))):
        mappings: list[tuple[str, Mapping[str, Stated[Any]]]] = [
            ("a selection", section.selections),
            ("`requires`", section.requires),
            ("a port", section.ports),
            ("`unbind`", section.unbind),
            ("layers", section.layers),
            *((f"`{name}`", keys) for name, keys in section.options.items()),
        ]
        for what, keys in mappings:
            if key.name in keys:
                yield what, keys[key.name].name_place or keys[key.name].place
        for entry, place in section.setting_places.items():
            if entry.startswith(f"{key.name}/"):
                yield "settings", place
