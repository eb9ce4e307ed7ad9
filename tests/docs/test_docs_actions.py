"""The pages of the actions: their examples run, and their tables name every field of the ports as they are."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from oneiric_compiler.editor.builtin_schemas import builtins_and_sources
from oneiric_compiler.pages.calls import Calls
from oneiric_compiler.pages.marked import filled

ROOT = Path(__file__).parents[2]
PORTS = {
    key.name: candidates[0].port.value
    for key, candidates in builtins_and_sources()[0].items()
    if key.domain == "action" and candidates[0].port is not None
}
CALLS = Calls()


def page(key: str) -> str:
    return (ROOT / f"docs/actions/{key}.md").read_text("utf-8")


def call(key: str) -> Any:
    module, _, name = PORTS[key].partition(":")
    return getattr(importlib.import_module(module), name).__call__


def rows(table: str) -> dict[str, list[str]]:
    cells = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines() if line.startswith("| `")
    ]
    return {row[0].strip(" `"): row[1:] for row in cells}


@pytest.mark.parametrize("key", PORTS)
def test_examples_of_functions_run(key: str) -> None:
    for code in re.findall(r"```python\n(.*?)```", page(key), re.DOTALL):
        if "await " not in code:
            exec(compile(code, f"docs/actions/{key}.md", "exec"), {})


@pytest.mark.parametrize("key", PORTS)
def test_the_tables_have_every_field_of_the_port(key: str) -> None:
    signature = inspect.signature(call(key))
    taken = rows(CALLS.payload(f"action/{key}"))
    assert list(taken) == list(signature.parameters)[1:]
    required = {name for name, each in signature.parameters.items() if each.default is each.empty and name != "self"}
    assert {name for name, (_, default, _) in taken.items() if default == "required"} == required
    result = get_type_hints(call(key))["return"]
    assert list(rows(CALLS.result(f"action/{key}"))) == list(get_type_hints(result))


@pytest.mark.parametrize("key", PORTS)
def test_a_page_has_its_tables_and_a_line_of_the_index(key: str) -> None:
    text = page(key)
    assert text.startswith(f"# {key}\n")
    for marker in ("payload", "result", "providers"):
        assert text.count(f"<!-- {marker} of action/{key} -->") == 1
    assert f"[{key}](actions/{key}.md)" in (ROOT / "docs/actions.md").read_text("utf-8")


def test_a_table_says_what_a_field_takes() -> None:
    taken = rows(CALLS.payload("action/validation.schema"))
    assert taken["fields"][0] == "list of mapping with `name`, `type`, `required`, `allow_null`"
    assert taken["data"][0] == "mapping to any value"
    assert taken["fail_fast"] == ["boolean", "", taken["fail_fast"][2]]
    told = rows(CALLS.payload("action/compression.encode"))
    assert told["mode"][:2] == ["`compress` or `decompress`", "`compress`"]
    assert rows(CALLS.result("action/data.transform"))["applied"][0].startswith("mapping with `include_fields`, ")
    made = filled("a <!-- result of action/workflow.retry -->old<!-- end --> b", {"result": CALLS.result})
    assert made.startswith("a <!-- result of action/workflow.retry -->\n\n| field | type | meaning |")
    with pytest.raises(KeyError):
        CALLS.payload("action/nothing")


def test_an_action_of_one_s_own_keeps_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/actions.md").read_text("utf-8"), re.DOTALL)
    action, contract = (next(each for each in blocks if f"class {name}(" in each) for name in ("Greet", "TestGreet"))
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/__init__.py").touch()
    (tmp_path / "shop/actions.py").write_text(action)
    (tmp_path / "test_greet.py").write_text(contract)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        monkeypatch.delitem(sys.modules, name)
    arguments = [str(tmp_path), "-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", "--import-mode=importlib"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert re.search(r"^9 passed", done.stdout, re.MULTILINE), done.stdout + done.stderr
