"""From files to report: the order of files and keys is nothing, and another key changes nothing of this one."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project

pytestmark = pytest.mark.usefixtures("no_builtins")

KEYS = ("alpha", "beta", "gamma")
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "priority": st.integers(-2, 2),
        "stack_level": st.integers(-2, 2),
        "capabilities": st.lists(st.sampled_from(("x", "y")), unique=True),
    },
)
MODULES = {f"shop/m{n}.py": f"class P{n}:\n    def __init__(self, *, size: int = 0) -> None: ...\n" for n in range(4)}


@st.composite
def sections(draw: st.DrawFn) -> dict[str, Any]:
    """A services section in which every key has candidates and anything may be chosen, required and set."""
    components, selections, sizes = [], {}, {}
    for key in KEYS:
        providers = draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=3, unique=True))
        for name in providers:
            factory = f"shop.m{'abcd'.index(name)}:P{'abcd'.index(name)}"
            components.append({"key": key, "provider": name, "factory": factory, **draw(FIELDS)})
        if draw(st.booleans()):
            selections[key] = draw(st.sampled_from(providers))
        sizes |= {f"{key}/{name}": {"size": draw(st.integers(0, 9))} for name in providers if draw(st.booleans())}
    return {"components": components, "selections": selections, "provider_settings": sizes}


def reported(files: list[tuple[str, str]]) -> dict[str, Any] | None:
    """The bindings that a project of these files, made in this order, is compiled to."""
    with TemporaryDirectory() as folder:
        for name, text in files:
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        diagnostics = Diagnostics()
        outputs = compile_project(Project.at(Path(folder), {}), diagnostics)
        assert outputs is not None, [each.message for each in diagnostics]
        report = json.loads(outputs.profiles["default"][1]["explain.json"])
        return {key: binding for key, binding in report["bindings"].items() if key.startswith("service:")}


def files_of(section: dict[str, Any]) -> list[tuple[str, str]]:
    app = {"name": "shop", "packages": ["shop"]}
    return [
        ("settings/app.yml", json.dumps(app)),
        ("settings/services.yml", json.dumps(section)),
        ("shop/__init__.py", ""),
        *MODULES.items(),
    ]


@settings(max_examples=50)
@given(section=sections(), data=st.data())
def test_the_order_of_files_and_keys_is_nothing(section: dict[str, Any], data: st.DataObject) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: shuffled(item) for name, item in data.draw(st.permutations(list(value.items())))}
        return [shuffled(item) for item in value] if isinstance(value, list) else value

    assert reported(data.draw(st.permutations(files_of(shuffled(section))))) == reported(files_of(section))


@settings(max_examples=50)
@given(section=sections())
def test_a_key_that_is_added_changes_no_other(section: dict[str, Any]) -> None:
    without = {
        "components": [each for each in section["components"] if each["key"] != "gamma"],
        "selections": {key: name for key, name in section["selections"].items() if key != "gamma"},
        "provider_settings": {n: s for n, s in section["provider_settings"].items() if not n.startswith("gamma/")},
    }
    more, fewer = reported(files_of(section)), reported(files_of(without))
    assert more is not None
    assert {key: binding for key, binding in more.items() if key != "service:gamma"} == fewer
