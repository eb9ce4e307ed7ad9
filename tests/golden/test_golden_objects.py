"""The settings objects of the cases are made: their classes take the keywords that the compiler read."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from golden_cases import HERE
from oneiric import Secret
from oneiric.tenants.bindings import evaluate

VALUES = {"POOL_SIZE": "7", "PORT": "5"}


class Activation:
    """What an expression asks of an activation."""

    def _env(self, name: str, default: str | None = None) -> str:
        return VALUES.get(name, name.lower())

    def _env_as(self, convert: Any, name: str, default: str | None = None) -> Any:
        return convert(self._env(name))

    def _secret(self, name: str) -> Secret:
        return Secret(name)


@pytest.mark.parametrize(
    "case",
    [
        "objects_attrs",
        "objects_attrs_names",
        "objects_dataclasses",
        "objects_inherited",
        "objects_merged",
        "objects_recursive",
        "objects_unions",
    ],
)
def test_objects_are_made(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE / case))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    importlib.invalidate_caches()
    report = json.loads(Path(HERE, case, "want/explain.json").read_text("utf-8"))
    expressions = [
        setting["expr"]
        for binding in report["bindings"].values()
        for setting in binding["settings"].values()
        if "make" in setting.get("expr", {})
    ]
    assert expressions
    for expr in expressions:
        made = evaluate(expr, Activation())
        assert f"{case}.parts:{type(made).__name__}" == expr["make"] or case == "objects_inherited"
        for name in expr["named"].keys() & vars(type(made)).get("__annotations__", {}).keys() - {"warm"}:
            assert hasattr(made, name)
