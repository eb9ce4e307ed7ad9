"""This project's own components as a manifest, for others to compile."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from oneiric_compiler.model import Candidate, Catalog, Key
from oneiric_compiler.tables.options import OPTIONS
from oneiric_compiler.tables.tiers import RANKS


def export(name: str, candidates: Catalog) -> dict[str, Any]:
    """The unsigned manifest of the source `name`: what its packages and settings declare for the base, by key.

    A priority that was inferred is left out: whoever compiles the manifest infers, or holds it, again.
    """
    return {"source": name, "entries": [_entry(each) for each in _own(candidates.base)]}


def render(manifest: Mapping[str, Any], *, as_json: bool) -> str:
    """Its text, in the order of its fields."""
    if as_json:
        return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    text: str = yaml.safe_dump(dict(manifest), sort_keys=False, width=120)
    return text


def _own(candidates: Mapping[Key, tuple[Candidate, ...]]) -> Iterator[Candidate]:
    """One candidate for each key and provider, since a manifest has a provider once: the one that would win."""
    for _, found in sorted(candidates.items()):
        own: dict[str, Candidate] = {}
        for each in found:
            if each.is_own:
                before = own.get(each.provider)
                if before is None or _rank(each) >= _rank(before):
                    own[each.provider] = each
        yield from (each for _, each in sorted(own.items()))


def _rank(candidate: Candidate) -> tuple[int, ...]:
    return tuple(rank.of(candidate) for rank in RANKS)


def _entry(candidate: Candidate) -> dict[str, Any]:
    options = {option.name: option.stated(candidate) for option in OPTIONS}
    if candidate.priority_from != "declared":
        del options["priority"]
    if candidate.port:
        options["port"] = candidate.port.value
    if candidate.handed:
        options["needs"] = {name: need.value for name, need in candidate.handed.items()}
    return {
        "domain": candidate.key.domain,
        "key": candidate.key.name,
        "provider": candidate.provider,
        "factory": candidate.factory,
        "stack_level": candidate.stack_level,
        **{name: value for name, value in options.items() if value is not None},
    }
