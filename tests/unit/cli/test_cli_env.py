"""`oneiric env`: what a wiring reads of its environment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from oneiric.preflight.reads import place_of, reads, reads_of, written
from oneiric.report import parse_report
from syrupy.assertion import SnapshotAssertion

from tests.unit.cli.running import COMPILER_EXTRA, fits, run, session

PARTS = """\
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Literal

from oneiric import Secret, component


class Mode(Enum):
    FAST = "fast"


@dataclass
class Pool:
    size: int = 1
    hosts: list[str] = field(default_factory=list)


@component("adapter", "store", provider="table", eager=True)
class Table:
    def __init__(
        self, *, url: str, mode: Mode = Mode.FAST, wait: timedelta, ca: Path, level: Literal["a", "b"] = "a",
        pool: Pool, token: str = "", password: Secret, key: Secret, plain: int = 1,
    ) -> None: ...


@component("service", "desk", provider="plain")
class Desk:
    def __init__(self, *, name: str = "") -> None: ...
"""
ADAPTERS = """\
provider_settings:
  table:
    url: http://${HOST}:${PORT:-80}/${HOST}
    mode: ${MODE}
    wait: ${WAIT:-30s}
    ca: ${CA_FILE:-it's here}
    level: ${LEVEL:-b}
    pool:
      size: ${POOL:-4}
      hosts: ["${HOST}", "${SPARE:-}"]
    token: ${STORE_TOKEN:-hunter2-hunter2}
    password: ${ONEIRIC_SECRET_STORE}
    key: ${STORE_KEY}
    plain: ${PLAIN:?a number, such as 3}
"""
FILES = {
    "shop/__init__.py": "",
    "shop/parts.py": PARTS,
    "settings/app.yml": "name: shop\npackages: [shop]\nprofiles: [busy]\n",
    "settings/adapters.yml": ADAPTERS,
    "settings/profiles/busy.yml": "adapters: {provider_settings: {table: {pool: {size: '${BUSY_POOL}'}}}}\n",
    "settings/tenants/acme.yml": "services: {provider_settings: {plain: {name: '${DESK}'}}}\n",
    "settings/tenants/bolt.yml": "services: {provider_settings: {plain: {name: '${BOLT_DESK:-b}'}}}\n"
    "adapters: {provider_settings: {table: {url: '${BOLT_URL}'}}}\n",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two profiles and two tenants, compiled."""
    root = tmp_path_factory.mktemp("env")
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    done = run("compile", cwd=root)
    assert done.returncode == 0, done.stderr
    return root


@pytest.mark.parametrize("format", ["text", "json", "dotenv"])
def test_everything_that_is_read_is_listed(project: Path, format: str, snapshot: SnapshotAssertion) -> None:
    told = session([("env", "--format", format)], cwd=project)
    assert told == snapshot
    assert "hunter2" not in told


def test_a_profile_has_its_own(project: Path) -> None:
    done = run("env", "--profile", "busy", "--json", cwd=project)
    fits(document := json.loads(done.stdout))
    (pool,) = (each for each in document["variables"] if each["name"] == "BUSY_POOL")
    assert (pool["required"], pool["type"], document["profile"]) == (True, "int", "busy")
    assert pool["at"] == "settings/profiles/busy.yml:1:53"


def test_no_value_of_the_environment_is_shown(project: Path) -> None:
    for format in ("text", "json", "dotenv"):
        assert (
            "of-this-environment" not in run("env", "--format", format, cwd=project, HOST="of-this-environment").stdout
        )


def test_it_works_on_the_base_install(project: Path) -> None:
    done = run("env", cwd=project, blocked=COMPILER_EXTRA)
    assert (done.returncode, done.stderr) == (0, "")
    assert "settings/adapters.yml#/provider_settings/table/url" in done.stdout


def test_two_formats_at_once_are_a_mistake(project: Path) -> None:
    done = run("env", "--json", "--format", "dotenv", cwd=project)
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["message"] == "--json and --format dotenv exclude each other"


def test_where_nothing_is_read_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings/app.yml").write_text("name: shop\n")
    assert run("compile", cwd=tmp_path).returncode == 0
    assert run("env", cwd=tmp_path).stdout == "no key reads a variable or a secret\n"
    assert json.loads(run("env", "--json", cwd=tmp_path).stdout)["variables"] == []


def test_a_line_break_in_a_default_stays_in_its_line(tmp_path: Path) -> None:
    for name, text in {
        "shop/__init__.py": "",
        "shop/parts.py": PARTS,
        "settings/app.yml": "name: shop\npackages: [shop]\n",
        "settings/services.yml": 'provider_settings: {plain: {name: "${DESK:-a\\nEVIL=1}"}}\n',
        "settings/adapters.yml": ADAPTERS,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert run("compile", cwd=tmp_path).returncode == 0
    lines = run("env", "--format", "dotenv", cwd=tmp_path).stdout.splitlines()
    assert '# DESK="a\\nEVIL=1"' in lines
    assert not [line for line in lines if line.startswith("EVIL")]


def test_a_default_that_holds_references_has_them_listed() -> None:
    inner = {"env": "FALLBACK", "default": {"text": ["http://", {"env": "HOST"}]}}
    expression = {"text": [{"env": "URL", "default": inner}, "/", {"secret": "KEY"}]}
    setting = {"ref": {"a": ["", "${URL:-${FALLBACK:-http://${HOST}}}/${ONEIRIC_SECRET_KEY}"]}, "from": "f#/u"}
    facts = {"settings": {"url": {**setting, "expr": expression}, "odd": [], "plain": {"value": 1}}}
    found = {each.name: each for each in reads_of("adapter:store", facts)}
    assert found["URL"].default == "${FALLBACK:-http://${HOST}}"
    assert {name: each.required for name, each in found.items()} == {
        "URL": False,
        "FALLBACK": False,
        "HOST": False,
        "KEY": True,
    }
    assert {each.place for each in found.values()} == {"f#/u/a/1"}


def test_a_reason_and_the_type_of_a_structure_are_listed() -> None:
    pool = {"record": "shop.parts:Pool", "fields": {"size": "int"}, "required": ["size"]}
    types: dict[str, object] = {
        "list[str]": {"list": "str"},
        "tuple[Path, ...]": {"tuple": "path"},
        "dict[str, Any]": {"dict": "any"},
        "tuple[int, Secret]": {"fixed": ["int", "secret"]},
        "set[timedelta] | None": {"optional": {"set": {"by": "oneiric.texts:duration"}}},
        "list[shop.parts:Pool]": {"list": pool},
        "shop.parts:UserId": {"then": "shop.parts:UserId", "of": "int"},
        '"a" | 1 | null': {"one_of": ["a", 1, None]},
    }
    for type, kind in types.items():
        expression = {"env": "A", "default": {"env": "B", "why": "ask Ada"}, "as": kind}
        first, second = reads_of("adapter:x", {"settings": {"x": {"expr": expression, "from": "f#/x"}}})
        assert (first.type, first.default, first.why) == (type, "${B:?ask Ada}", None)
        assert (second.name, second.required, second.why) == ("B", False, "ask Ada")


def test_places_are_those_of_the_level_that_states_a_part() -> None:
    setting = {"ref": {"a": {"b/c": "${X}"}, "ab": "${XY}"}, "from": "low#/p", "from_at": {"/a": "high#/q/a"}}
    assert place_of(setting, "X") == "high#/q/a/b~1c"
    assert place_of(setting, "XY") == "low#/p/ab"
    assert place_of(setting, "Z") == "low#/p"


def test_defaults_are_written_as_settings_write_them() -> None:
    assert written([{"secret": "A"}, "b", {"value": 3}]) == "${ONEIRIC_SECRET_A}b3"
    assert written({"env": "A", "default": ""}) == "${A:-}"


@pytest.mark.parametrize("bindings", [{"a:b": None}, {"a:b": {"settings": [1]}}, {"a:b": {"tenants": {"t": 1}}}])
def test_a_report_of_another_shape_reads_nothing(bindings: object) -> None:
    document = {"format": "oneiric.explain/1", "app": "x", "profile": "default", "bindings": bindings}
    assert reads(parse_report(json.dumps(document).encode())) == []
