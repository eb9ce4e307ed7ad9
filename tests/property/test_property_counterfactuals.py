"""What a report says of how a loser would win is so: the edits, made in the files and compiled, let it win."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project

pytestmark = pytest.mark.usefixtures("no_builtins")

KEY, SECTION = "a.b", "plugins"
LEVELS = ("base", "busy", "acme")
FILES = {
    "base": "settings/plugins.yml",
    "busy": "settings/profiles/busy.yml",
    "acme": "settings/tenants/acme.yml",
}
PROVIDERS = "xyz"
CAPABILITIES = ("kv", "ttl")
FACTORIES = st.sampled_from(("made:Easy", "made:Asking"))

Files: TypeAlias = dict[str, Any]
"""A project: settings files as values, and under `shop/parts.py` what the decorators of its classes say."""


def ranks(bound: int) -> st.SearchStrategy[dict[str, Any]]:
    """What a declaration may state, with priorities and stack levels up to `bound`, or as far as they go."""
    fields = {
        "priority": st.sampled_from((-min(bound, 1000), -1, 0, 1, min(bound, 1000))),
        "stack_level": st.sampled_from((-min(bound, 100), -1, 0, 1, min(bound, 100))),
        "capabilities": st.just([CAPABILITIES[0]]) | st.just(list(CAPABILITIES)),
    }
    return st.fixed_dictionaries({}, optional=fields)


@st.composite
def projects(draw: st.DrawFn, bound: int) -> Files:
    """Candidates of one key in the package, the settings and overlays; selections and requirements in every level."""
    files: Files = {
        "settings/app.yml": {
            "name": "shop",
            "packages": ["shop"],
            "allow": ["made"],
            "profiles": ["busy"],
            "domains": [SECTION],
            "stack_order": draw(
                st.dictionaries(st.just("made"), st.sampled_from((-min(bound, 1000), 1, min(bound, 1000))))
            ),
        }
    }
    declared = draw(st.lists(st.sampled_from(PROVIDERS), min_size=1, unique=True))
    files["shop/parts.py"] = {f"P{name}": {"provider": name, **draw(ranks(bound))} for name in declared}
    in_base: set[str] = set()
    for level in LEVELS:
        left = sorted(set(PROVIDERS) - in_base)
        added = draw(st.lists(st.sampled_from(left), max_size=2, unique=True)) if left else []
        in_base |= set(added) if level == "base" else set()
        components = [
            {"key": KEY, "provider": name, "factory": draw(FACTORIES), **draw(ranks(bound))} for name in added
        ]
        section: dict[str, Any] = {"components": components}
        known = sorted({*declared, *in_base, *added})
        if draw(st.booleans()):
            section["selections"] = {KEY: draw(st.sampled_from(known))}
        if level != "base" and draw(st.booleans()):
            section["requires"] = {KEY: [draw(st.sampled_from(CAPABILITIES))]}
        if given := draw(st.lists(st.sampled_from(known), unique=True)):
            section["provider_settings"] = {f"{KEY}/{name}": {"size": 1} for name in given}
        files[FILES[level]] = section if level == "base" else {SECTION: section}
    return files


def compiled(files: Files, profile: str | None = None) -> dict[str, Any] | None:
    """The reports by profile, or that of one; None for a project that does not compile."""
    with TemporaryDirectory() as folder:
        for name, value in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(value) if name.endswith(".yml") else source(value))
        Path(folder, "shop/__init__.py").touch()
        Path(folder, "made.py").write_text(
            "class Easy:\n    def __init__(self, *, size: int = 0) -> None: ...\n\n\n"
            "class Asking:\n    def __init__(self, *, size: int) -> None: ...\n"
        )
        outputs = compile_project(Project.at(Path(folder), {}), Diagnostics(), profile=profile)
        if outputs is None:
            return None
        return {name: json.loads(each["explain.json"]) for name, (_, each) in outputs.profiles.items()}


def source(classes: dict[str, dict[str, Any]]) -> str:
    text = "from oneiric import component\n"
    for name, facts in classes.items():
        arguments = ", ".join(f"{argument}={value!r}" for argument, value in facts.items())
        text += f'\n\n@component("{SECTION}", "{KEY}", {arguments})\nclass {name}:\n'
        text += "    def __init__(self, *, size: int = 0) -> None: ...\n"
    return text


def component(components: list[dict[str, Any]], named: str) -> dict[str, Any]:
    return next(each for each in components if f"{each['key']}/{each['provider']}" == named)


def edited(files: Files, edits: list[dict[str, Any]]) -> Files:
    files = copy.deepcopy(files)
    for edit in edits:
        file, _, pointer = edit["at"].partition("#")
        *path, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.strip("/").split("/")]
        node: Any = files[file]
        for index, part in enumerate(path):
            listed = index > 0 and path[index - 1] == "components"
            node = component(node, part) if listed else node.setdefault(part, {})
        assert node.get(last) != edit.get("set", node)
        node[last] = edit.get("set", 7)
    return files


def losers(reports: dict[str, Any]) -> Iterator[tuple[str, str | None, dict[str, Any]]]:
    """Every loser, with the profile and the tenant it loses in."""
    for profile, report in reports.items():
        binding = report["bindings"][f"{SECTION}:{KEY}"]
        scopes = {None: binding, **binding["tenants"]}
        for tenant, each in scopes.items():
            for candidate in each.get("candidates", ()):
                if "lost_by" in candidate:
                    yield profile, tenant, candidate


def winner(reports: dict[str, Any], profile: str, tenant: str | None) -> tuple[tuple[str, str], str]:
    """Where from the winner is, and the rule that decided."""
    binding = reports[profile]["bindings"][f"{SECTION}:{KEY}"]
    own = binding["tenants"].get(tenant, binding) if tenant else binding
    found = next(each for each in own.get("candidates", binding["candidates"]) if each["won"])
    return (found["source"], found["declared_at"]), own["decided_by"]


APP = {"name": "shop", "packages": ["shop"], "allow": ["made"], "profiles": ["busy"], "domains": [SECTION]}
BEHIND_ITS_OWN_PROVIDER: Files = {
    "settings/app.yml": APP,
    "shop/parts.py": {"Px": {"provider": "x"}},
    "settings/plugins.yml": {
        "components": [{"key": KEY, "provider": "x", "factory": "made:Easy", "priority": 1000, "stack_level": 100}]
    },
    "settings/profiles/busy.yml": {},
    "settings/tenants/acme.yml": {},
}
"""Nothing but a candidate of the same provider is ahead, as far ahead as can be: no selection is part of the answer."""
ANOTHER_IN_A_TENANT: Files = {
    "settings/app.yml": APP,
    "shop/parts.py": {"Px": {"provider": "x"}, "Py": {"provider": "y"}},
    "settings/plugins.yml": {},
    "settings/profiles/busy.yml": {},
    "settings/tenants/acme.yml": {
        SECTION: {
            "components": [
                {"key": KEY, "provider": "x", "factory": "made:Asking"},
                {"key": KEY, "provider": "y", "factory": "made:Easy"},
            ]
        }
    },
}
"""What is selected for all is another component in a tenant, which lacks a parameter there."""


@settings(max_examples=20)
@given(files=projects(5) | projects(1000))
@example(files=BEHIND_ITS_OWN_PROVIDER)
@example(files=ANOTHER_IN_A_TENANT)
def test_the_edits_of_each_alternative_let_the_loser_win_and_none_of_them_is_too_many(files: Files) -> None:
    reports = compiled(files)
    assume(reports is not None)
    assert reports is not None
    for profile, tenant, loser in losers(reports):
        itself = loser["source"], loser["declared_at"]
        assert winner(reports, profile, tenant)[0] != itself
        for edits in loser["wins_if"]:
            after = compiled(edited(files, edits), profile)
            assert after is not None, (profile, tenant, loser, edits)
            assert winner(after, profile, tenant)[0] == itself, (profile, tenant, loser, edits)
            stated = [index for index, edit in enumerate(edits) if "set" in edit and len(edits) > 1]
            for index in stated:  # what is left to the reader may be asked for by another scope that a rank reaches
                fewer = compiled(edited(files, [*edits[:index], *edits[index + 1 :]]), profile)
                won, rule = winner(fewer, profile, tenant) if fewer else (None, "")
                assert won != itself or rule == "registration-order", (profile, tenant, loser, edits)


@settings(max_examples=20)
@given(files=projects(5))
def test_a_loser_of_the_projects_own_files_can_always_win(files: Files) -> None:
    """Short of the bounds; but for a tenant's choice over what one profile alone declares, which others would lack."""
    reports = compiled(files)
    assume(reports is not None)
    assert reports is not None
    for profile, tenant, loser in losers(reports):
        of_one_profile = tenant is not None and "/profiles/" in loser["declared_at"]
        assert loser["wins_if"] or of_one_profile, (profile, tenant, loser)
