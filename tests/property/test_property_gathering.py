"""What a pattern gathers and in which order, against a model that asks of each pair which comes first; and who is
handed what where keys are taken away or are other keys, against one that tries every key in every place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cmp_to_key
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.linking.gathering import matched, ordered
from oneiric_compiler.model import Key, Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.verify import verify

NAMES = ["a", "a.b", "a.c", "ab", "b", "b.a", "c"]
keys = st.lists(st.sampled_from([Key(*each) for each in product(("service", "task"), NAMES)]), unique=True)
patterns = st.sampled_from(
    [f"{domain}:{start}*" for domain, start in product(("service", "task"), ("", "a", "a.", "b"))]
)
orders = st.lists(st.sampled_from([*NAMES, "*"]), unique=True)


def comes_first(one: str, other: str, order: list[str]) -> int:
    """As `cmp`: by the place that the order gives each, itself or as one of the others, then by name."""
    others = order.index("*") if "*" in order else len(order)
    places = [(order.index(name) if name in order else others, name) for name in (one, other)]
    return (places[0] > places[1]) - (places[0] < places[1])


@given(keys, patterns)
def test_a_pattern_matches_what_begins_so(found: list[Key], pattern: str) -> None:
    domain, _, start = pattern[:-1].partition(":")
    assert matched(pattern, found) == sorted(
        key for key in found if key.domain == domain and key.name.startswith(start)
    )


@given(keys, patterns, orders)
def test_an_order_moves_what_it_names_and_nothing_is_lost(found: list[Key], pattern: str, order: list[str]) -> None:
    members = matched(pattern, found)
    names = [key.name for key in ordered(members, order)]
    assert sorted(names) == sorted(key.name for key in members)
    assert names == sorted(names, key=cmp_to_key(lambda one, other: comes_first(one, other, order)))


# Keys that are taken away ------------------------------------------------------------------------------------

PARTS = ("a", "b", "c")
USERS = ("u", "v")
EVERYONE = (*PARTS, *USERS)
ALIASES = ("x", "y")
PARAMETERS = ("needed", "wanted", "listed", "wished", "all")
SOURCE = """from oneiric import component

{}"""
CLASS = """
@component("service", "{key}", provider="std", needs={needs}, optional={optional}, lazy={lazy})
class {name}:
    def __init__(
        self, *, needed: object = None, wanted: object = None, listed: list[object] = [], wished: list[object] = [],
        all: list[object] = []
    ) -> None: ...
"""


@dataclass(frozen=True)
class Wish:
    """What a user needs: one or several keys it cannot be without, some that it can, and all that a pattern matches."""

    needed: str | None
    wanted: str | None
    listed: tuple[str, ...]
    wished: tuple[str, ...]
    all: bool


@dataclass(frozen=True)
class Layout:
    """What the users need, what the profile and the tenant take away and select, and the aliases of the base and of
    the profile, which may be aliases of aliases."""

    wishes: Mapping[str, Wish]
    profile: frozenset[str]
    tenant: frozenset[str]
    selected: frozenset[str]
    aliases: Mapping[str, str]
    elsewhere: Mapping[str, str]


def meant(layout: Layout, name: str) -> str:
    """The key that is meant by a name."""
    for _ in ALIASES:
        name = layout.elsewhere.get(name, layout.aliases.get(name, name))
    return name


def is_bound(layout: Layout, key: str, *, tenant: bool) -> bool:
    """A key is there unless its most specific level that says something takes it away."""
    if tenant and key in layout.tenant:
        return False
    return (tenant and key in layout.selected) or key not in layout.profile


def expected(layout: Layout, *, tenant: bool) -> dict[str, dict[str, Any]] | None:
    """What each key that is bound is handed, by parameter; None where one lacks what it cannot be without."""
    found: dict[str, dict[str, Any]] = {}
    for key in EVERYONE:
        if not is_bound(layout, key, tenant=tenant):
            continue
        found[key] = {}
        if key not in layout.wishes:
            continue
        stated = layout.wishes[key]
        wish = Wish(
            needed=stated.needed and meant(layout, stated.needed),
            wanted=stated.wanted and meant(layout, stated.wanted),
            listed=tuple(meant(layout, each) for each in stated.listed),
            wished=tuple(meant(layout, each) for each in stated.wished),
            all=stated.all,
        )
        for need in (*((wish.needed,) if wish.needed else ()), *wish.listed):
            if not is_bound(layout, need, tenant=tenant):
                return None
        there = [each for each in EVERYONE if is_bound(layout, each, tenant=tenant)]
        handed: dict[str, Any] = {
            "needed": wish.needed,
            "wanted": wish.wanted if wish.wanted in there else None,
            "listed": [*wish.listed] or None,
            "wished": [each for each in wish.wished if each in there] if wish.wished else None,
            "all": [each for each in there if each != key] if wish.all else None,
        }
        found[key] = {name: each for name, each in handed.items() if each is not None}
    return found


def compiled(layout: Layout) -> tuple[dict[str, Any], list[str]] | None:
    """The report of the profile, and what does not verify; None where it does not compile."""
    classes = ""
    for key in EVERYONE:
        wish = layout.wishes.get(key, Wish(None, None, (), (), all=False))
        needs: dict[str, Any] = {
            "needed": wish.needed and f"service:{wish.needed}",
            "wanted": wish.wanted and f"service:{wish.wanted}",
            "listed": [f"service:{each}" for each in wish.listed],
            "wished": [f"service:{each}" for each in wish.wished],
            "all": "service:*" if wish.all else None,
        }
        stated = {name: each for name, each in needs.items() if each}
        optional = tuple(name for name in ("wanted", "wished") if name in stated)
        lazy = tuple(name for name in ("all",) if name in stated)  # so that it makes no cycle
        classes += CLASS.format(key=key, name=key.upper(), needs=json.dumps(stated), optional=optional, lazy=lazy)
    profile = {"services": {"unbind": sorted(layout.profile), "aliases": layout.elsewhere}}
    tenant = {"unbind": sorted(layout.tenant), "selections": dict.fromkeys(sorted(layout.selected), "std")}
    files = {
        "settings/app.yml": json.dumps({"name": "shop", "packages": ["shop"], "profiles": ["small"]}),
        "settings/services.yml": json.dumps({"aliases": layout.aliases}),
        "settings/profiles/small.yml": json.dumps(profile),
        "settings/tenants/acme.yml": json.dumps({"services": tenant}),
        "shop/__init__.py": "",
        "shop/parts.py": SOURCE.format(classes),
    }
    with TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        diagnostics = Diagnostics()
        outputs = compile_project(Project.at(Path(folder), {}), diagnostics, profile="small")
    if outputs is None:
        assert {each.code for each in diagnostics if each.severity == "error"} == {"ONE431"}
        return None
    written = outputs.profiles["small"][1]
    report = json.loads(written["explain.json"])
    return report, list(verify(report, written["wiring.py"], written.get("tenants.jsonl", b"")))


def handed(report: dict[str, Any], *, tenant: bool) -> dict[str, dict[str, Any]]:
    """What each key that is bound is handed, as the report says."""
    found: dict[str, dict[str, Any]] = {}
    for key, binding in report["bindings"].items():
        own = binding["tenants"].get("acme", binding) if tenant else binding
        if not own.get("unbound"):
            single = {name: each.partition(":")[2] for name, each in own["needs"].items()}
            several = {
                name: [member.partition(":")[2] for member in each["members"]]
                for name, each in own.get("gathers", {}).items()
            }
            found[key.partition(":")[2]] = {**single, **several}
    return found


def few(of: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(of), unique=True, max_size=2).map(tuple)


def wishes(of: tuple[str, ...]) -> st.SearchStrategy[Wish]:
    one = st.none() | st.sampled_from(of)
    return st.builds(Wish, st.none() | one, one, st.just(()) | few(of), few(of), st.booleans())


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    aliases = {"x": draw(st.sampled_from(PARTS))}
    aliases |= {"y": draw(st.sampled_from((*PARTS, "x")))} if draw(st.booleans()) else {}
    elsewhere = {"x": draw(st.sampled_from(PARTS))} if draw(st.booleans()) else {}
    named = (*PARTS, *aliases)
    needs = {"u": draw(wishes(named)), "v": draw(wishes((*named, "u")))}
    taken = st.frozensets(st.sampled_from(EVERYONE), max_size=2)
    profile, tenant = draw(taken), draw(taken)
    return Layout(needs, profile, tenant, draw(taken) - tenant, aliases, elsewhere)


@pytest.mark.usefixtures("no_builtins")
@settings(max_examples=60)
@given(layouts())
def test_who_is_handed_what_where_keys_are_taken_away_or_are_others(layout: Layout) -> None:
    base, tenant = expected(layout, tenant=False), expected(layout, tenant=True)
    found = compiled(layout)
    assert (found is None) == (base is None or tenant is None)
    if found is not None:
        report, findings = found
        assert handed(report, tenant=False) == base
        assert handed(report, tenant=True) == tenant
        assert findings == []
