"""`oneiric schema`: what an editor offers in a project's settings, and what it marks as wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from oneiric_compiler.diagnostics.found import Diagnostics, Source
from oneiric_compiler.settings.documents import parse_document

from tests.unit.cli.running import run

PARTS = """
from enum import Enum
from typing import Literal, Protocol

from oneiric import Secret, component


class Mail(Protocol):
    def send(self, text: str) -> None: ...


class Level(Enum):
    low = 1
    high = 2


@component("service", "mail", provider="smtp", capabilities=("html",), port="shop.parts:Mail")
class Smtp:
    '''Sends mail.

    `host`: where to,
    by name.
    `port`: usually 25.
    '''

    def __init__(self, *, host: str = "", port: int = 25, mode: Literal["plain", "tls"] = "tls",
                 level: Level = Level.low, token: Secret | None = None, tags: list[str] | None = None) -> None: ...

    def send(self, text: str) -> None: ...


@component("service", "news", provider="smtp", needs={"cache": "adapter:cache"})
class News(Smtp):
    '''`host`: where from.'''

    def __init__(self, *, host: str = "", cache: object) -> None: ...


@component("service", "news", provider="any")
def anything(**options: object) -> object: ...
"""
SETTINGS = {
    "app.yml": "name: shop\npackages: [shop]\nprofiles: [production]\ndomains: [plugin]\n",
    "profiles/production.yml": "services:\n  components: [{key: mail, provider: api, factory: 'shop.parts:Smtp'}]\n",
    "tenants/acme.yml": "services:\n  components:\n"
    "    - {key: news, provider: own, factory: 'shop.parts:News', needs: {cache: cache}}\n",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with its schemas."""
    root = tmp_path_factory.mktemp("project")
    (root / "shop").mkdir()
    (root / "shop/__init__.py").touch()
    (root / "shop/parts.py").write_text(PARTS)
    for name, text in SETTINGS.items():
        (root / "settings" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "settings" / name).write_text(text)
    done = run("schema", cwd=root)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "written settings/.schemas/app.schema.json"
    return root


def schema(root: Path, name: str) -> Any:
    return json.loads((root / f"settings/.schemas/{name}.schema.json").read_text())


def marked(root: Path, name: str, text: str) -> list[str]:
    """Where an editor marks `text`, written as a file of the schema `name`."""
    diagnostics = Diagnostics()
    value = parse_document(Source("x.yml", text), diagnostics).value
    assert not list(diagnostics)
    return [error.json_path for error in Draft202012Validator(schema(root, name)).iter_errors(value)]


def test_every_section_and_both_kinds_of_overlay_have_one(made: Path) -> None:
    sections = ["actions", "adapters", "events", "plugin", "services", "tasks", "workflows"]
    names = [path.name for path in sorted((made / "settings/.schemas").iterdir())]
    assert names == sorted(f"{name}.schema.json" for name in ("app", "remote", "profiles", "tenants", *sections))


def test_it_completes_to_the_candidates_that_exist(made: Path) -> None:
    offered = schema(made, "services")["properties"]
    assert {key: each["enum"] for key, each in offered["selections"]["properties"].items()} == {
        "mail": ["smtp"],
        "news": ["any", "smtp"],
    }
    assert offered["requires"]["properties"]["mail"]["items"]["enum"] == ["html"]
    entries = {
        name: schema(made, "services")["$defs"][each["$ref"].rpartition("/")[2]]
        for name, each in offered["provider_settings"]["properties"].items()
    }
    described = {name: each["properties"].get("host", {}).get("description") for name, each in entries.items()}
    assert described["mail/smtp"] == "where to, by name."
    assert described["news/smtp"] == "where from."
    assert described["smtp"] == "where from. / where to, by name.", "for both factories"
    assert "description" not in entries["mail/smtp"]["properties"]["mode"]
    assert list(entries) == ["any", "mail/smtp", "news/any", "news/smtp", "smtp"]
    assert list(entries["smtp"]["properties"]) == ["host"], "of both factories that it is for"
    assert list(entries["mail/smtp"]["properties"]) == ["host", "level", "mode", "port", "tags", "token"]
    assert list(entries["news/smtp"]["properties"]) == ["host"], "a need is not a setting"
    assert "shop.parts:Mail" in schema(made, "services")["$defs"]["port"]["anyOf"][0]["enum"]
    one = schema(made, "services")["$defs"]["need"]["anyOf"][0]
    assert {"adapter:cache", "cache", "service:mail"} <= set(one["enum"])


def test_an_overlay_completes_to_what_overlays_of_its_kind_add(made: Path) -> None:
    selections = {
        name: schema(made, name)["properties"]["services"]["properties"]["selections"]["properties"]
        for name in ("profiles", "tenants")
    }
    assert selections["profiles"]["mail"]["enum"] == ["api", "smtp"]
    assert selections["tenants"]["mail"]["enum"] == ["smtp"]
    assert selections["tenants"]["news"]["enum"] == ["any", "own", "smtp"]


RIGHT = {
    "nothing": ("services", ""),
    "a selection": ("services", "selections: {mail: smtp}"),
    "a capability": ("services", "requires: {mail: [html]}"),
    "a port of one's own": ("services", "ports: {mail: 'shop.other:Mail'}"),
    "values": ("services", "provider_settings: {mail/smtp: {port: 1, mode: plain, level: high, tags: [a], host: b}}"),
    "references": (
        "services",
        "provider_settings: {mail/smtp: {port: '${P:-2}', mode: '${M}', token: '${ONEIRIC_SECRET_T}', host: 'a${B}'}}",
    ),
    "null where it is a value": ("services", "provider_settings: {mail/smtp: {token: null, tags: null}}"),
    "options nobody can know": ("services", "provider_settings: {any: {what: ever}}"),
    "a component of a new key": (
        "services",
        "components: [{key: new, provider: p, factory: 'shop.parts:Smtp', needs: {a: 'service:mail'}, stack_level: 3}]",
    ),
    "a profile": ("profiles", "services: {selections: {mail: api}}\nplugin: {}"),
    "a tenant": ("tenants", "services: {selections: {news: own}, provider_settings: {own: {host: x}}}"),
}
WRONG = {
    "another section": ("services", "selection: {mail: smtp}", "$"),
    "another key": ("services", "selections: {mial: smtp}", "$.selections"),
    "another provider": ("services", "selections: {mail: smpt}", "$.selections.mail"),
    "a provider of another key": ("services", "selections: {mail: any}", "$.selections.mail"),
    "a provider of a profile": ("services", "selections: {mail: api}", "$.selections.mail"),
    "another capability": ("services", "requires: {mail: [htlm]}", "$.requires.mail[0]"),
    "a capability of another key": ("services", "requires: {news: [html]}", "$.requires.news[0]"),
    "settings of nobody": ("services", "provider_settings: {smpt: {}}", "$.provider_settings"),
    "a field of one key alone": ("services", "provider_settings: {smtp: {port: 1}}", "$.provider_settings.smtp"),
    "a need as a setting": ("services", "provider_settings: {smtp: {cache: x}}", "$.provider_settings.smtp"),
    "text for a number": (
        "services",
        "provider_settings: {mail/smtp: {port: many}}",
        "$.provider_settings['mail/smtp'].port",
    ),
    "another choice": (
        "services",
        "provider_settings: {mail/smtp: {mode: ssl}}",
        "$.provider_settings['mail/smtp'].mode",
    ),
    "another member": (
        "services",
        "provider_settings: {mail/smtp: {level: mid}}",
        "$.provider_settings['mail/smtp'].level",
    ),
    "a secret in plain text": (
        "services",
        "provider_settings: {mail/smtp: {token: hunter2}}",
        "$.provider_settings['mail/smtp'].token",
    ),
    "a need of nothing": (
        "services",
        "components: [{key: new, provider: p, factory: 'a:B', needs: {a: 'service:mial'}}]",
        "$.components[0].needs.a",
    ),
    "a profile's section": ("profiles", "service: {}", "$"),
    "a profile's provider": ("profiles", "services: {selections: {mail: own}}", "$.services.selections.mail"),
    "a tenant's new key": (
        "tenants",
        "services: {components: [{key: new, provider: p, factory: 'a:B'}]}",
        "$.services.components[0].key",
    ),
    "a profile that cannot be one": ("app", "name: shop\nprofiles: [default]", "$.profiles[0]"),
}


@pytest.mark.parametrize(("name", "text"), RIGHT.values(), ids=RIGHT)
def test_what_is_right_is_not_marked(made: Path, name: str, text: str) -> None:
    assert marked(made, name, text) == []


@pytest.mark.parametrize(("name", "text", "place"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_marked_at_its_place(made: Path, name: str, text: str, place: str) -> None:
    assert marked(made, name, text) == [place]


def test_a_selection_fits_where_it_compiles_and_nowhere_else(made: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(made, tmp_path / "project"))
    for provider in ("smtp", "any", "api", "own", "memory"):
        text = f"selections: {{news: {provider}}}\n"
        (root / "settings/services.yml").write_text(text)
        compiled = run("compile", cwd=root).returncode == 0
        assert (marked(root, "services", text) == []) == compiled, provider


def test_a_project_with_its_schemas_compiles_and_stays_fresh(made: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(made, tmp_path / "project"))
    assert run("compile", cwd=root).returncode == 0
    shutil.rmtree(root / "settings/.schemas")
    assert run("compile", "--check", cwd=root).stdout == "fresh\n"


def test_they_are_the_same_everywhere_and_written_only_where_they_differ(made: Path, tmp_path: Path) -> None:
    found = {path.name: path.read_bytes() for path in (made / "settings/.schemas").iterdir()}
    for seed in ("1", "2"):
        done = run("schema", "--out", tmp_path / seed, cwd=made, PYTHONHASHSEED=seed)
        assert done.returncode == 0
        assert {path.name: path.read_bytes() for path in (tmp_path / seed).iterdir()} == found
    again = run("schema", cwd=made)
    assert (again.returncode, again.stdout) == (0, "unchanged settings/.schemas\n")
    (made / "settings/.schemas/tasks.schema.json").write_text("{}")
    assert run("schema", cwd=made).stdout == "written settings/.schemas/tasks.schema.json\n"


def test_a_file_that_leads_no_editor_to_its_schema_is_told_with_the_line_to_add(made: Path) -> None:
    told = run("schema", cwd=made).stderr
    line = "# yaml-language-server: $schema=../.schemas/tenants.schema.json"
    assert f"note: settings/tenants/acme.yml should start with `{line}`\n" in told
    path = made / "settings/tenants/acme.yml"
    text = path.read_text()
    path.write_text(f"{line}\n{text}")
    assert "acme.yml" not in run("schema", cwd=made).stderr
    path.write_text(text)


def test_where_settings_or_sources_cannot_be_read_nothing_is_written(made: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(made, tmp_path / "project"))
    shutil.rmtree(root / "settings/.schemas")
    for file, text in (("settings/services.yml", "selectons: {}\n"), ("shop/half.py", "def f(:\n")):
        (root / file).write_text(text)
        done = run("schema", cwd=root)
        assert (done.returncode, done.stdout) == (2, "")
        assert f" --> {file}:1:" in done.stderr
        (root / file).unlink()
    assert not (root / "settings/.schemas").exists()


def test_a_choice_that_is_wrong_is_no_obstacle(made: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(made, tmp_path / "project"))
    (root / "settings/services.yml").write_text("selections: {mail: smpt}\n")
    assert run("schema", cwd=root).returncode == 0


def test_a_place_that_cannot_be_written_is_told(made: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("schema", "--out", tmp_path / "file/schemas", cwd=made)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Not a directory" in done.stderr
    (tmp_path / "taken/app.schema.json").mkdir(parents=True)
    done = run("schema", "--out", tmp_path / "taken", cwd=made)
    assert (done.returncode, done.stdout) == (2, "")
    assert [path.name for path in (tmp_path / "taken").iterdir()] == ["app.schema.json"], "nothing half written is left"


OBJECTS = """
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge, Len
from oneiric import Secret, component


@dataclass
class Host:
    '''One of the servers.'''

    name: str
    port: Annotated[int, Ge(1)] = 5432
    '''Where it
    listens.'''
    others: list[Host] = field(default_factory=list)


@dataclass
class Pool:
    '''`size`: connections to one host.'''

    size: int
    hosts: Annotated[list[Host], Len(1, 2)] = field(default_factory=list)
    password: Secret | None = None


@component("service", "store", provider="p")
class Store:
    def __init__(self, *, pool: Pool | None = None) -> None: ...
"""


def test_fields_of_settings_objects_are_offered_at_any_depth(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/__init__.py").touch()
    (tmp_path / "shop/parts.py").write_text(OBJECTS)
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings/app.yml").write_text("name: shop\npackages: [shop]\n")
    assert run("schema", cwd=tmp_path).returncode == 0
    defined = schema(tmp_path, "services")["$defs"]
    assert defined["shop.parts:Host"]["description"] == "One of the servers."
    assert defined["shop.parts:Host"]["properties"]["port"]["description"] == "Where it listens."
    assert defined["shop.parts:Pool"]["properties"]["size"]["description"] == "connections to one host."
    text = "provider_settings: {{p: {{pool: {pool}}}}}"
    below = "$.provider_settings.p.pool"
    for pool in ("null", "{hosts: [{name: a, port: 1, others: [{name: b}]}]}", "{password: '${ONEIRIC_SECRET_A}'}"):
        assert marked(tmp_path, "services", text.format(pool=pool)) == []
    for pool in ("{sise: 1}", "{hosts: [{port: 0}]}", "{hosts: []}", "{hosts: [{others: [{nam: a}]}]}", "1"):
        assert marked(tmp_path, "services", text.format(pool=pool)) == [below], pool
