"""Workflows of any shape: where one compiles, `verify` reads its code back to what the report says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.verify import verify

NAMES = ("reserve", "charge", "class", "holds", "for-each", "a.b", "text", "tick_")
PARTS = """
from typing import Any, TypedDict
from oneiric import Token, component


class Made(TypedDict):
    id: str
    parts: list[str]


@component("task", "typed", provider="it")
class Typed:
    async def __call__(self, *, a: Any = None, b: Any = None) -> Made:
        return {"id": "", "parts": []}

    async def again(self, *, a: Any = None, b: Any = None) -> list[Any]:
        return []


@component("task", "once", provider="it", idempotent=True)
class Once:
    async def __call__(self, *, token: Token, a: Any = None, b: Any = None) -> dict[str, Any]:
        return {}
"""
CALLS = ("task:typed", "task:typed#again", "task:once", "workflow:inner")
PATHS = ("", ".id", ".parts", ".parts[0]", "['x y'].z")
DEFAULTS = ("", ":-null", ":-0", ":-text", ':-{"a": [1]}')


@st.composite
def reference(draw: st.DrawFn, roots: list[str]) -> str:
    root, path, default = (draw(st.sampled_from(each)) for each in (roots, PATHS, DEFAULTS))
    shown = f"nodes['{root}']" if "." in root else root
    return f"${{{shown}{path}{default}}}"


def template(roots: list[str]) -> st.SearchStrategy[Any]:
    read = reference(roots)
    text = st.lists(read | st.sampled_from(["x", "$${", " and ", "}", '"', "é"]), min_size=1, max_size=3).map("".join)
    leaves = read | text | st.none() | st.booleans() | st.integers(-9, 9) | st.just(0.5)
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b c"]), inner, max_size=2),
        max_leaves=4,
    )


@st.composite
def flow(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    nodes: dict[str, dict[str, Any]] = {}
    for at, name in enumerate(names):
        node: dict[str, Any] = {"call": draw(st.sampled_from(CALLS))}
        roots = ["input", *names[:at]]
        if draw(st.booleans()):
            node |= {"for_each": draw(reference(roots)), "most": 5}
            roots = [*roots, "item"]
        node["with"] = draw(st.fixed_dictionaries({}, optional={"a": template(roots), "b": template(roots)}))
        if draw(st.booleans()):
            node["on_error"] = "continue"
        if draw(st.booleans()):
            root = draw(st.sampled_from(["input", *names[:at]]))
            condition = {"path": f"['{root}'].id", "equals": draw(st.sampled_from(["x", 1, None]))}
            node["when"] = draw(st.sampled_from([[condition], [{"not": condition}], [{"any": [condition, condition]}]]))
        nodes[name] = node
    return {"nodes": nodes, "result": draw(template(["input", *names]))}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, Any]], dict[str, bytes] | None]:
    root = tmp_path_factory.mktemp("flows")
    inner = {"nodes": {"only": {"call": "task:typed"}}, "result": "${only.id}"}
    for name, text in {
        "shop/__init__.py": "",
        "shop/parts.py": PARTS,
        "settings/app.yml": "name: shop\npackages: [shop]\n",
        "settings/adapters.yml": "selections: {engine: inline}\n",
    }.items():
        path: Path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def of(stated: dict[str, Any]) -> dict[str, bytes] | None:
        (root / "settings/workflows.yml").write_text(json.dumps({"workflows": {"tried": stated, "inner": inner}}))
        outputs = compile_project(Project.at(root, {}), Diagnostics())
        return None if outputs is None else {**outputs.profiles["default"][1]}

    return of


@settings(max_examples=40)
@given(stated=flow())
def test_what_compiles_is_read_back(
    compiled: Callable[[dict[str, Any]], dict[str, bytes] | None], stated: dict[str, Any]
) -> None:
    files = compiled(stated)
    if files is not None:
        assert [*verify(json.loads(files["explain.json"]), files["wiring.py"], b"")] == []
