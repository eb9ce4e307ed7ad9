"""Whole compiles of signed manifests against the model of precedence: allowed, held under a ceiling, ranked last."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project

from tests.golden.signing import PUBLIC, digest, entry, manifest, pin
from tests.property.test_property_resolve import Case, Expected, Part, expected

pytestmark = pytest.mark.usefixtures("no_builtins")

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SOURCES = {"acme": "a", "beta": "b"}
PARTS = "".join(f"class Part{name}:\n    pass\n\n\n" for name in "abcd")


@dataclass(frozen=True)
class Remote:
    """One source: its ceiling, whether its allowlist has the parts' package, and what it offers of the one key."""

    priority: int
    stack_level: int
    allowed: bool
    entries: Mapping[str, tuple[int | None, int | None, frozenset[str]]]


@dataclass(frozen=True)
class World:
    own: Mapping[str, tuple[int, int]]
    sources: Mapping[str, Remote]
    selected: str | None
    required: frozenset[str]


RANKS = st.sampled_from((-100, -6, -5, -1, 0, 1, 50))
CAPABILITIES = st.frozensets(st.sampled_from(("ttl", "kv")))
PROVIDERS = st.sampled_from("abcd")
remotes = st.builds(
    Remote,
    RANKS,
    RANKS,
    st.sampled_from((True, True, True, False)),
    st.dictionaries(PROVIDERS, st.tuples(st.none() | RANKS, st.none() | RANKS, CAPABILITIES), max_size=3),
)
worlds = st.builds(
    World,
    st.dictionaries(PROVIDERS, st.tuples(RANKS, RANKS), min_size=1, max_size=2),
    st.fixed_dictionaries(dict.fromkeys(SOURCES, remotes)),
    st.none() | PROVIDERS,
    st.sampled_from((frozenset(), frozenset(), frozenset(("ttl",)))),
)


def modelled(world: World) -> tuple[Case, list[str]]:
    """The world in the terms of the model, and who declares each of its parts."""
    every = frozenset(("ttl", "kv"))
    parts = [Part(name, "settings", *ranks, every, None, ()) for name, ranks in world.own.items()]
    declared = ["settings"] * len(parts)
    for source, remote in world.sources.items():
        for name, (priority, level, capabilities) in remote.entries.items():
            held = min(priority or 0, remote.priority), min(level or 0, remote.stack_level)
            parts.append(Part(name, f"manifest:{source}", *held, capabilities, None, (), not remote.allowed))
            declared.append(f"manifest:{source}")
    selected = {"base": world.selected} if world.selected else {}
    return Case({"base": tuple(parts)}, selected, {}, {"base": world.required}, None, None), declared


def project(root: Path, world: World) -> None:
    (root / "settings").mkdir()
    (root / "shop").mkdir()
    (root / "shop/__init__.py").touch()
    (root / "shop/parts.py").write_text(PARTS)
    (root / "settings/app.yml").write_text("name: shop\npackages: [shop]\n")
    sources = [
        {
            "name": name,
            "address": f"https://cdn.example/{name}.yaml",
            "keys": [PUBLIC[SOURCES[name]]],
            "allow": ["shop.parts" if remote.allowed else "shop.other"],
            "ceiling": {"priority": remote.priority, "stack_level": remote.stack_level},
        }
        for name, remote in world.sources.items()
    ]
    (root / "settings/remote.yml").write_text(json.dumps({"sources": sources}))
    components = [
        {"key": "thing", "provider": name, "factory": f"shop.parts:Part{name}", "priority": priority}
        | {"stack_level": level, "capabilities": ["kv", "ttl"]}
        for name, (priority, level) in world.own.items()
    ]
    section: dict[str, Any] = {"components": components, "requires": {"thing": sorted(world.required)}}
    if world.selected:
        section["selections"] = {"thing": world.selected}
    (root / "settings/services.yml").write_text(json.dumps(section))
    for name, remote in world.sources.items():
        entries = [
            entry("thing", provider, f"shop.parts:Part{provider}", domain="service", capabilities=sorted(capabilities))
            | {"priority": priority, "stack_level": level}
            for provider, (priority, level, capabilities) in remote.entries.items()
        ]
        pin(root, name, manifest(name, entries, by=SOURCES[name], as_json=True))


@settings(max_examples=40)
@given(world=worlds)
def test_a_compile_of_manifests_decides_as_the_model_does(world: World) -> None:
    case, declared = modelled(world)
    want = expected(case, profile=False, tenant=False)
    root = Path(tempfile.mkdtemp())
    try:
        project(root, world)
        diagnostics = Diagnostics()
        outputs = compile_project(replace(Project.at(root, {}), evaluated_at=NOW), diagnostics)
        codes = {each.code for each in diagnostics if each.severity == "error"}
    finally:
        shutil.rmtree(root)
    named = {index for index, part in enumerate(case.added["base"]) if part.provider == world.selected}
    if world.selected and not named:
        assert codes == {"ONE301"}
    elif named and all(want.fates.get(index) in ("capability", "allowlist") for index in named):
        assert codes == {"ONE302"}
    else:
        assert outputs is not None, list(diagnostics)
        binding = json.loads(outputs.profiles["default"][1]["explain.json"])["bindings"]["service:thing"]
        found = {each["order"]: each for each in binding["candidates"]}
        fates = {order: why for order, each in found.items() if (why := each.get("lost_by") or each.get("excluded_by"))}
        (winner,) = (order for order, each in found.items() if each["won"])
        assert Expected(winner, binding["decided_by"], fates) == want
        assert [found[order]["source"] for order in sorted(found)] == declared


# Anything at all ---------------------------------------------------------------------------------------------

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)
FIELDS = (
    "name",
    "address",
    "keys",
    "key_file",
    "threshold",
    "allow",
    "ceiling",
    "caps",
    "deadlines",
    "auth",
    "redirects",
)
LIKELY = {
    "name": st.sampled_from(("acme", "beta", "lock")),
    "address": st.sampled_from(
        ("https://x.example/a", "http://x", "https://[", "vendor/a", "../a", "/a", "https://u:p@x")
    ),
    "keys": st.lists(st.sampled_from((PUBLIC["a"], PUBLIC["b"], "A" * 43 + "=")), min_size=1),
}
stated = st.fixed_dictionaries({}, optional={name: LIKELY.get(name, ANY) | ANY for name in FIELDS})
remote_files = st.fixed_dictionaries(
    {}, optional={"roots": ANY | st.just(["vendor"]), "sources": ANY | st.lists(stated)}
)


def told(root: Path, **environ: str) -> tuple[bool, list[str]]:
    """Whether the project compiles, and what is said without help."""
    diagnostics = Diagnostics()
    outputs = compile_project(replace(Project.at(root, environ), evaluated_at=NOW), diagnostics)
    return outputs is not None, [each.message for each in diagnostics if not each.help]


@settings(max_examples=40)
@given(value=remote_files | ANY, key=st.text(max_size=50) | st.just(PUBLIC["a"]))
def test_whatever_stands_in_remote_yml_is_answered(value: Any, key: str) -> None:
    root = Path(tempfile.mkdtemp())
    try:
        (root / "settings").mkdir()
        (root / "settings/app.yml").write_text("name: shop\n")
        (root / "settings/remote.yml").write_text(json.dumps(value))
        compiles, unhelped = told(root, ONEIRIC_TRUSTED_PUBLIC_KEYS=key)
    finally:
        shutil.rmtree(root)
    assert not unhelped
    nothing = not isinstance(value, dict) or not value.get("sources")
    assert nothing or not compiles or all(each.get("required") is False for each in value["sources"])


@settings(max_examples=100)
@given(data=st.data())
def test_no_byte_of_what_is_pinned_can_be_changed_unnoticed(data: st.DataObject) -> None:
    """Changes to a pinned file are refused; those of the lock too, unless it still says the same."""
    root = Path(tempfile.mkdtemp())
    try:
        named = ("acme_parts.py", b"class Fast:\n    pass\n")
        only = Remote(0, -5, True, {})
        project(root, World({"a": (0, 0)}, {"acme": only, "beta": only}, None, frozenset()))
        remote = json.loads((root / "settings/remote.yml").read_text())
        remote["sources"][0]["allow"] = ["acme_parts"]
        (root / "settings/remote.yml").write_text(json.dumps(remote))
        pin(root, "acme", manifest("acme", [entry("x", "fast", "acme_parts:Fast", *named)]), dict([named]))
        (root / "generated/manifests/acme.json").unlink()
        assert told(root) == (True, [])
        artifact = f"artifacts/{digest(named[1])}.py"
        name = data.draw(st.sampled_from(("acme.yaml", "beta.json", "lock.json", artifact)))
        file = root / "generated/manifests" / name
        before = file.read_bytes()
        where = data.draw(st.integers(0, len(before) - 1))
        byte = bytes([data.draw(st.integers(0, 255).filter(lambda each: each != before[where]))])
        file.write_bytes(before[:where] + data.draw(st.sampled_from((byte, b""))) + before[where + 1 :])
        compiles, unhelped = told(root)
        same = file.name == "lock.json" and _means(file.read_bytes()) == _means(before)
    finally:
        shutil.rmtree(root)
    assert not unhelped
    assert compiles is same or (file.name == "lock.json" and not compiles)


def _means(lock: bytes) -> Any:
    """What a lock says, but for where its artifacts came from: nobody goes there any more."""
    try:
        document = json.loads(lock)
    except ValueError:
        return None
    for artifact in document.get("sources", {}).get("acme", {}).get("artifacts", {}).values():
        artifact.pop("uri", None)
    return document
