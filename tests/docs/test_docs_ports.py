"""The page of a port has the tables of every provider, made from the schemas."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.pages.marked import filled
from oneiric_compiler.pages.ports import Ports, page_of
from oneiric_compiler.source.docstrings import Docstring, docstring
from oneiric_compiler.source.modules import Root, Sources

ROOT = Path(__file__).parents[2]
SCHEMAS = sorted((ROOT / "schemas/settings").rglob("*.schema.json"))
BY_NAME = {
    path.relative_to(ROOT / "schemas/settings").as_posix().removesuffix(".schema.json"): json.loads(path.read_text())
    for path in SCHEMAS
}
PAGES = {port: ROOT / page_of(port) for port in sorted({name.rpartition("/")[0] for name in BY_NAME})}
PORTS = Ports(BY_NAME)
MAKERS = {"providers": PORTS.providers, "settings": PORTS.settings}


@pytest.mark.parametrize("name", BY_NAME)
def test_the_page_names_the_provider_and_its_settings(name: str) -> None:
    port, _, provider = name.rpartition("/")
    page = PAGES[port].read_text("utf-8")
    assert [each for each in (provider, *BY_NAME[name]["properties"]) if f"`{each}`" not in page] == []


@pytest.mark.parametrize("port", PAGES)
def test_every_provider_has_its_tables(port: str) -> None:
    text = PAGES[port].read_text("utf-8")
    settings = [name for names in re.findall(r"<!-- settings of (.*?) -->", text) for name in names.split(", ")]
    with_settings = [name for name, schema in BY_NAME.items() if schema["properties"]]
    assert sorted(settings) == sorted(name for name in with_settings if name.rpartition("/")[0] == port)
    assert text.count(f"<!-- providers of {port} -->") == 1


def test_every_page_of_the_built_ins_is_of_a_key() -> None:
    folders = {page.parent for page in PAGES.values()} | {ROOT / "docs/ports", ROOT / "docs/actions"}
    assert {page for folder in folders for page in folder.glob("*.md")} == {*PAGES.values()}


def test_a_table_is_made_anew_and_nothing_else_changes() -> None:
    page = (
        "before\n<!-- settings of secrets/env -->\nold\n<!-- end -->\nafter <!-- end --> <!-- others --><!-- end -->\n"
    )
    made = filled(page, MAKERS)
    assert made.startswith("before\n<!-- settings of secrets/env -->\n\n| setting | type | default | meaning |\n")
    assert "| `uppercase_keys` | boolean | `true` | upper-case the name first." in made
    assert "| `required_keys` | list of text | `null` |" in made
    assert made.endswith("|\n\n<!-- end -->\nafter <!-- end --> <!-- others --><!-- end -->\n")
    assert filled(made, MAKERS) == made
    with pytest.raises(AssertionError, match="different settings"):
        filled("<!-- settings of secrets/env, secrets/file --><!-- end -->", MAKERS)
    with pytest.raises(AssertionError, match="no built-in serves nothing"):
        filled("<!-- providers of nothing --><!-- end -->", MAKERS)


def test_a_type_tells_secrets_references_and_null_apart() -> None:
    rows = PORTS.settings("http/aiohttp").splitlines()
    types = {row.split("|")[1].strip(): row.split("|")[2].strip() for row in rows if row.startswith("| `")}
    assert types["`secret_headers`"] == "mapping to secret"
    assert types["`healthcheck_path`"] == "text or null"
    assert types["`base_url`"] == "text"
    assert types["`retries`"] == "integer"


def test_what_a_provider_needs_names_its_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    named = {name: re.findall(r"the extra `(.*?)`", schema["x-needs"]) for name, schema in BY_NAME.items()}
    adapters = {name.replace("/", "-"): found for name, found in named.items() if name.count("/") == 1}
    assert adapters == {name: [name] if extras.get(name) else [] for name in adapters}
    of_actions = {name: found for name, found in named.items() if name.startswith("action/")}
    assert [name for name, found in of_actions.items() if found not in ([], [extra_of(name)])] == []
    of_integrations = {path.stem for path in (ROOT / "runtime/oneiric/integrations").glob("[a-z]*.py")}
    of_others = {"compiler", "dev", "docs", "lsp", "serve-metrics", "trust", *of_integrations}
    wanted = {name for name, brought in extras.items() if brought and not brought[0].startswith("oneiric[")}
    assert wanted - of_others <= {each for found in named.values() for each in found}


def extra_of(action: str) -> str:
    """What the actions of a group may need is in one extra, and imported by the calls that need it."""
    return f"action-{action.split('/')[1].partition('.')[0]}"


CLASSES = '''
class Base:
    """Not told of.

    `host`: where the server is.
    `port`: its port.
    """

class Ring(Child):
    """`host`: of the ring."""

class Child(Base, Ring):
    """What it is
    for.

    More of it, with `code`: not a setting.

    Needs a server,
    and an extra.

    `timeout`: seconds; goes on
    here.
    `host`: what the child says.
    """

async def make(*, size):
    """`size`: of a function's."""

def silent(): ...
'''


def test_a_docstring_tells_of_the_component_its_needs_and_its_settings(tmp_path: Path) -> None:
    (tmp_path / "some.py").write_text(CLASSES)
    sources = Sources((Root(tmp_path),), Diagnostics())
    told = {
        name: docstring(sources, found)
        for name in ("Base", "Child", "Ring", "make", "silent")
        if (found := sources.find(f"some:{name}"))
    }
    settings = {"timeout": "seconds; goes on here.", "host": "what the child says.", "port": "its port."}
    assert told["Child"] == Docstring("What it is for.", "a server, and an extra", settings)
    assert told["Base"] == Docstring("Not told of.", "", {"host": "where the server is.", "port": "its port."})
    assert told["Ring"] == Docstring("", "", {**settings, "host": "of the ring."}), "bases that go round end"
    assert told["make"] == Docstring("", "", {"size": "of a function's."})
    assert told["silent"] == Docstring("", "", {})
