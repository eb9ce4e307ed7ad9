"""Built-in components: where they lie, and the words of their settings."""

from __future__ import annotations

import ast
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from oneiric import errors
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.editor.builtin_schemas import settings_schemas, value_schema
from oneiric_compiler.linking.ports import Ports
from oneiric_compiler.linking.vocabulary import ANSWERS, WORDS
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import gather
from oneiric_compiler.source.types import Scalar
from oneiric_compiler.tables.builtins import is_builtin

SETTINGS: dict[str, dict[str, Any]] = {
    name.removesuffix(".schema.json"): json.loads(text)["properties"] for name, text in settings_schemas().items()
}
CHECKOUT = Path(__file__).resolve().parents[2]
ADAPTERS = CHECKOUT / "runtime/oneiric/adapters"
ACTIONS = CHECKOUT / "runtime/oneiric/actions"
ELSEWHERE = {other for word in WORDS for other in word.elsewhere.split()}
BASES = {"Closed", "Unavailable", "Refused", "Misconfigured"}
KEPT = {("monitoring/sentry", "dsn")}  # what Sentry calls the address and key of a project, in its pages and its SDKs


def test_every_word_is_said_once() -> None:
    said = [name for word in WORDS for name in (word.name, *word.elsewhere.split())]
    assert sorted(said) == sorted(set(said))


def test_no_setting_is_spelled_as_elsewhere() -> None:
    assert {(name, each) for name, settings in SETTINGS.items() for each in ELSEWHERE & settings.keys()} == KEPT


@pytest.mark.parametrize("word", WORDS, ids=lambda word: word.name)
def test_a_word_is_of_one_type_and_in_use(word: Any) -> None:
    found = [settings[word.name] for settings in SETTINGS.values() if word.name in settings]
    assert found
    wanted = value_schema(Scalar(word.type))
    for schema in found:
        kinds = [kind for kind in schema.get("anyOf", [schema]) if kind != {"type": "null"}]
        kinds = [{name: value for name, value in kind.items() if name in ("type", "$ref")} for kind in kinds]
        assert kinds == wanted.get("anyOf", [wanted])


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_for_what_a_provider_lacks_and_names_what_it_has(name: str) -> None:
    assert not ANSWERS[name].keys() & SETTINGS[name].keys()
    called = [re.findall(r"^`(\w+)` is called `(\w+)` here", text) for text in ANSWERS[name].values()]
    assert [new for found in called for _, new in found if new not in SETTINGS[name]] == []
    assert [
        (old, said) for old, text in ANSWERS[name].items() for said in re.findall(r"^`(\w+)` is", text) if said != old
    ] == []


@pytest.mark.parametrize("name", [name for name in SETTINGS if name.count("/") == 1])
def test_an_adapter_lies_in_the_folder_of_its_key_in_a_module_of_its_name(name: str) -> None:
    key, provider = name.split("/")
    source = (ADAPTERS / key / f"{provider.replace('-', '_')}.py").read_text("utf-8")
    assert f'"{key}",\n    provider="{provider}"' in source
    (port,) = re.findall(rf'port="oneiric\.adapters\.{key}:(\w+)"', source)
    assert f"class {port}(Protocol):" in (ADAPTERS / key / "__init__.py").read_text("utf-8")


@pytest.mark.parametrize("key", sorted({name.split("/")[0] for name in SETTINGS if name.count("/") == 1}))
def test_the_errors_of_a_port_join_the_bases(key: str) -> None:
    port = importlib.import_module(f"oneiric.adapters.{key}")
    kinds = [kind for kind in vars(port).values() if isinstance(kind, type) and issubclass(kind, errors.OneiricError)]
    own = [kind for kind in kinds if kind.__module__ == port.__name__]
    joined = {(kind.__name__, base) for kind in own for base in BASES if getattr(errors, base) in kind.__bases__}
    word = key.replace("_", "")
    named = {
        (kind.__name__, base) for kind in own for base in BASES if kind.__name__.lower() == f"{word}{base.lower()}"
    }
    assert joined == named
    assert {base for _, base in named} >= ({"Closed", "Unavailable"} if key == "secrets" else BASES)


def test_an_action_lies_in_the_module_of_its_group_or_of_its_name_with_its_port() -> None:
    for name in [name for name in SETTINGS if name.startswith("action/")]:
        _, key, provider = name.split("/")
        modules = [ACTIONS / f"{part}.py" for part in key.split(".")]
        sources = {path.stem: path.read_text("utf-8") for path in modules if path.is_file()}
        declared = f'"{key}",\n    provider="{provider}"'
        ((module, source),) = [each for each in sources.items() if declared in each[1]]
        ports = re.findall(rf'port="oneiric\.actions\.{module}:(\w+)"', source)
        assert ports and [port for port in ports if f"class {port}(Protocol):" not in source] == []
        takes = [
            (node.args.posonlyargs + node.args.args)[1:]
            for node in ast.walk(ast.parse(source))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == "__call__"
        ]
        assert takes and not any(takes), "a call takes keywords alone"


def settings_of_a_layer(path: Path) -> set[str]:
    """Those of a layer that is declared there, which has no schema of its own."""
    source = path.read_text("utf-8")
    if "layer=True" not in source:
        return set()
    methods = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    return {each.arg for node in methods if node.name == "__init__" for each in node.args.kwonlyargs}


@pytest.mark.parametrize(
    "path", sorted(ADAPTERS.glob("*/*.py")), ids=lambda path: path.relative_to(ADAPTERS).as_posix()
)
def test_what_an_error_blames_is_a_setting(path: Path) -> None:
    blamed = {each.value for each in settings_named(path) if isinstance(each, ast.Constant)}
    key = path.parent.name
    known = {each for name, settings in SETTINGS.items() if key in ("_common", name.split("/")[0]) for each in settings}
    assert blamed <= known | settings_of_a_layer(path)


def settings_named(path: Path) -> Iterator[ast.expr]:
    """What calls of `Faults`, and of errors, are given as a setting."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in ("no_answer", "no_entry", "no_sense"):
                yield node.args[-1]
            yield from (keyword.value for keyword in node.keywords if keyword.arg == "setting")


def test_every_provider_behind_a_network_has_its_cases() -> None:
    """Those of `tests.backends.activation`, in a module of tests, which is where its contract is kept too."""
    schemas = {name: json.loads(text) for name, text in settings_schemas().items()}
    behind = {name.removesuffix(".schema.json") for name, each in schemas.items() if each["x-stack-level"] == -20}
    tests = "".join(path.read_text("utf-8") for path in (CHECKOUT / "tests/backends").glob("test_*.py"))
    assert (
        behind - {f"{key}/{name}" for key, name in re.findall(r'\bProvider\(\s*"(\w+)",\s*"([\w-]+)"', tests)} == set()
    )


def test_every_component_of_this_project_offers_what_its_port_promises() -> None:
    """A compile takes that as read."""
    diagnostics = Diagnostics()
    gathered = gather(Project.at(CHECKOUT, {}), diagnostics)
    assert gathered is not None
    ports = Ports(gathered.sources, diagnostics)
    own = [each for found in gathered.catalog.base.values() for each in found if is_builtin(each.factory) and each.port]
    for each in own:
        assert each.port is not None
        ports.fit(each, each.port)
    assert len(own) > 40
    assert [*diagnostics] == []
