"""Which layers a key has, and with which settings, against a model that asks each level in turn."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.verify import verify

PARTS = """\
from typing import Protocol
from oneiric import component

class Http(Protocol):
    async def get(self) -> str: ...

@component("service", "http", provider="plain", port="shop:Http")
class Plain:
    async def get(self) -> str: ...

@component("service", "http", provider="a", layer=True)
def a(*, inner: Http, most: int = 0) -> Http: ...

@component("service", "http", provider="b", layer=True)
def b(*, inner: Http, most: int = 0) -> Http: ...
"""
LEVELS = ("base", "one", "acme")
PLACED = ("a", "b", "a:x", "b:x")
NAMES = ("a", "b", "http/a", "http/b", "http/a:x", "http/b:x")
lists = st.none() | st.lists(st.sampled_from(PLACED), unique=True, max_size=4)
numbers = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 9), max_size=4)
levels = st.fixed_dictionaries({level: st.tuples(lists, numbers) for level in LEVELS})


def section(stated: tuple[list[str] | None, dict[str, int]], known: set[str]) -> dict[str, Any]:
    layers, given = stated
    found: dict[str, Any] = {} if layers is None else {"layers": {"http": layers}}
    names = {name: {"most": most} for name, most in given.items() if ":" not in name or name.partition("/")[2] in known}
    return {**found, **({"provider_settings": names} if names else {})}


def expected(stated: dict[str, Any], held: tuple[str, ...], known: set[str]) -> dict[str, int | None]:
    """The layers of the last level that states any; the settings of the most specific name, there of the last level."""
    placed = next((stated[level][0] for level in reversed(held) if stated[level][0] is not None), [])
    found: dict[str, int | None] = {}
    for text in placed:
        name = text.partition(":")[0]
        found[text] = None
        for called in (name, f"http/{name}", *((f"http/{text}",) if text != name else ())):
            for level in held:
                if called in stated[level][1]:
                    found[text] = stated[level][1][called]
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(levels)
def test_layers_and_their_settings_are_those_of_the_most_specific_level(stated: dict[str, Any]) -> None:
    known = {text for layers, _ in stated.values() for text in layers or ()}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "settings/profiles").mkdir(parents=True)
        (root / "settings/tenants").mkdir()
        (root / "settings/app.yml").write_text("name: shop\npackages: [shop]\nprofiles: [one]\n")
        (root / "settings/services.yml").write_text(json.dumps(section(stated["base"], known)))
        (root / "settings/profiles/one.yml").write_text(json.dumps({"services": section(stated["one"], known)}))
        (root / "settings/tenants/acme.yml").write_text(json.dumps({"services": section(stated["acme"], known)}))
        (root / "shop.py").write_text(PARTS)
        diagnostics = Diagnostics()
        outputs = compile_project(Project.at(root, {}), diagnostics)
    assert outputs is not None, list(diagnostics)
    for profile, held in (("default", ("base",)), ("one", ("base", "one"))):
        files = outputs.profiles[profile][1]
        report = json.loads(files["explain.json"])
        assert [*verify(report, files["wiring.py"], files["tenants.jsonl"])] == []
        binding = report["bindings"]["service:http"]
        assert found(binding) == list(expected(stated, held, known).items())
        own, theirs = binding["tenants"].get("acme", binding), expected(stated, (*held, "acme"), known)
        assert found(own) == list(theirs.items())
        shared = own is binding or own.get("shared", False)
        assert shared == (list(theirs.items()) == list(expected(stated, held, known).items()))


def found(binding: dict[str, Any]) -> list[tuple[str, int | None]]:
    return [
        (key.partition("/")[2], layer["settings"].get("most", {}).get("value"))
        for key, layer in binding.get("layers", {}).items()
    ]
