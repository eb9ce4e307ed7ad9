"""What to write where a parameter lacks its value: a setting with its file, or a need with the key that serves it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from oneiric_compiler.linking.scope import NOTHING, Scope
from oneiric_compiler.model import RUNTIME, Candidate, Key
from oneiric_compiler.source.types import AnyOf, Choice, Enumeration, Parameter, Record, Scalar, Type, Unchecked, all_in

_APPLICATION = "oneiric.application:Application"


def served_types(scope: Scope) -> frozenset[str]:
    """The ports and classes, as `module:Name`, of which what serves a key is an instance."""
    return frozenset(type for key in scope.known_keys() for type in _types(scope, key))


def need_help(scope: Scope, candidate: Candidate, parameter: str, type: str) -> str:
    """How a candidate states that a parameter, of a port or a component's class, is a need."""
    keys = [key for key in sorted(scope.known_keys()) if type in _types(scope, key)]
    keys = [RUNTIME] if type == _APPLICATION else keys
    key = next((str(each) for each in keys), "DOMAIN:KEY")
    declared = ".py#" in candidate.place.pointer
    written = f'needs={{"{parameter}": "{key}"}}' if declared else f'needs: {{{parameter}: "{key}"}}'
    others = f" (or {', '.join(f'`{each}`' for each in keys[1:4])})" if len(keys) > 1 else ""
    where = f", where {key} is what serves {type.rpartition(':')[2]}" if not keys else ""
    return f"a component is a need, not a setting: declare `{candidate.provider}` with `{written}`{where}{others}"


def missing_help(scope: Scope, candidate: Candidate, parameter: Parameter) -> str:
    """What to add so that a parameter has a value."""
    instance = next(_instances(parameter.type, served_types(scope)), None)
    if instance is not None:
        return need_help(scope, candidate, parameter.name, instance)
    file = f"settings/{scope.settings.app.sections[candidate.key.domain]}.yml"
    lines = (f"{_entry(scope, candidate, parameter.name)}:", f"  {parameter.name}: {_example(parameter)}")
    return "\n".join((f"add to {file}:", "  provider_settings:", *(f"    {line}" for line in lines)))


def _types(scope: Scope, key: Key) -> Iterator[str]:
    for level in scope.levels.values():
        if stated := level.get(key.domain, NOTHING).ports.get(key.name):
            yield stated.value
    for candidate in scope.candidates(key):
        if candidate.port:
            yield candidate.port.value
        if candidate.signature.result:
            yield candidate.signature.result


def _instances(type: Type, served: frozenset[str]) -> Iterator[str]:
    """The ports and component classes in a type."""
    for each in all_in(type):
        if (isinstance(each, Unchecked) and each.is_protocol) or getattr(each, "reference", None) in served:
            yield cast("Unchecked | Record", each).reference


def _entry(scope: Scope, candidate: Candidate, parameter: str) -> str:
    """The provider, or `key/provider` where it serves another key that has no such parameter."""
    others = [
        each.signature
        for key in scope.known_keys()
        if key.domain == candidate.key.domain
        for each in scope.candidates(key)
        if each.provider == candidate.provider
    ]
    alone = all(each.open or each.parameters is None or parameter in each.parameters for each in others)
    return candidate.provider if alone else f"{candidate.key.name}/{candidate.provider}"


def _example(parameter: Parameter) -> str:
    """A value to start from, with the type as a comment; nothing that would pass unread."""
    members = parameter.type.members if isinstance(parameter.type, AnyOf) else (parameter.type,)
    if Scalar("Secret") in members:
        return f"${{ONEIRIC_SECRET_{parameter.name.upper()}}}"
    choices = next((each for each in members if isinstance(each, (Choice, Enumeration))), None)
    if choices is not None:
        values = choices.values if isinstance(choices, Choice) else choices.members
        return f" # one of {', '.join(str(value) for value in values)}"
    return f" # {parameter.type}"
