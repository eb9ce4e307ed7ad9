"""Before anything starts: what the environment lacks, all at once; only the secrets component is started for it."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from oneiric import Deadlines, Preflight, PreflightError, Runtime, RuntimeClosed, load
from oneiric.preflight.missing import Missing, Want, gathered
from oneiric.preflight.trial import Trial, extra_lacks
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.stages.write import write

from tests.unit.runtime.making import run

PARTS = """
import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Literal

from oneiric import Secret, component
from oneiric.adapters.secrets import SecretNotFound

print("imported")
made = []


class Part:
    def __init__(self):
        made.append(self)
        self.closed = False

    def close(self):
        self.closed = True


@component("service", "shop", provider="main", eager=True, needs={"mail": "adapter:mail", "audit": "service:audit"},
           lazy=("audit",))
class Shop(Part):
    def __init__(self, *, mail: object, audit: object, level: Literal["a", "b"] = "a") -> None:
        super().__init__()


@component("adapter", "mail", provider="relay")
class Smtp(Part):
    def __init__(self, *, url: str, port: int = 25, wait: timedelta = timedelta(), ca_file: Path = Path("."),
                 password: Secret) -> None:
        super().__init__()


@component("service", "audit", provider="file")
class Audit(Part):
    def __init__(self, *, path: str, key: Secret) -> None:
        super().__init__()


@component("task", "sweep", provider="main", eager=True)
class Sweep(Part):
    def __init__(self, *, every: int = 1) -> None:
        super().__init__()


@component("adapter", "secrets", provider="strongbox")
class Vault(Part):
    def __init__(self, *, mode: str = "") -> None:
        super().__init__()
        self.mode = mode
        if mode == "start":
            raise SecretNotFound("the token")

    async def get(self, name):
        match self.mode:
            case "hang":
                await asyncio.Event().wait()
            case "raise":
                raise OSError("a text with the password hunter2")
            case "exit":
                raise SystemExit(3)
            case "text":
                return "hunter2"
            case _:
                return Secret("hunter2")
"""
ADAPTERS = """
selections: {secrets: env}
provider_settings:
  relay:
    url: smtp://${MAIL_HOST}
    port: ${MAIL_PORT:-25}
    wait: ${MAIL_WAIT:-1s}
    ca_file: ${MAIL_CA:-.}
    password: ${ONEIRIC_SECRET_MAIL}
"""
SERVICES = """
provider_settings:
  main: {level: "${LEVEL:-a}"}
  file: {path: "${AUDIT}", key: "${ONEIRIC_SECRET_AUDIT}"}
"""
FILES = {
    "settings/adapters.yml": ADAPTERS,
    "settings/services.yml": SERVICES,
    "settings/tasks.yml": "provider_settings: {main: {every: '${SWEEP_EVERY}'}}\n",
    "settings/tenants/acme.yml": "adapters: {provider_settings: {relay: {password: '${ONEIRIC_SECRET_ACME}'}}}\n",
    "settings/tenants/bolt.yml": "services: {provider_settings: {file: {path: '${BOLT_AUDIT}'}}}\n",
}
VAULT = {
    **FILES,
    "settings/adapters.yml": f"{ADAPTERS.replace('env', 'strongbox')}  strongbox: {{mode: '${{VAULT:-}}'}}\n",
}
COMPLETE = {
    "MAIL_HOST": "localhost",
    "SWEEP_EVERY": "3",
    "AUDIT": "log",
    "BOLT_AUDIT": "log",
    **{f"ONEIRIC_SECRET_{name}": "hunter2" for name in ("MAIL", "AUDIT", "ACME")},
}


class Shop:
    """A project whose package has a name of its test's own, compiled, and on the path."""

    def __init__(self, root: Path, package: str, files: Mapping[str, str]) -> None:
        self.root, self.package = root, package
        roles = "roles: {web: ['service:*'], worker: ['task:*']}\n"
        common = {
            f"{package}/__init__.py": "",
            f"{package}/parts.py": PARTS,
            "settings/app.yml": f"name: stall\npackages: [{package}]\n{roles}",
        }
        for name, text in {**common, **files}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        diagnostics = Diagnostics()
        outputs = compile_project(Project.at(root, {}), diagnostics)
        assert outputs is not None, list(diagnostics)
        assert write(outputs, diagnostics)

    def runtime(self, *lacking: str, environ: Mapping[str, str] | None = None, **options: Any) -> Runtime[Any]:
        given = {name: text for name, text in {**COMPLETE, **(environ or {})}.items() if name not in lacking}
        return Runtime(load(self.root / "generated/wiring.py"), environ=given, **options)

    def found(self, *lacking: str, environ: Mapping[str, str] | None = None, **options: Any) -> Preflight:
        """What is missing later, where nothing is missing at the start."""
        return run(self.runtime(*lacking, environ=environ, **options).preflight())

    def missing(self, *lacking: str, environ: Mapping[str, str] | None = None, **options: Any) -> list[str]:
        """What is missing at the start."""
        with pytest.raises(PreflightError) as raised:
            self.found(*lacking, environ=environ, **options)
        assert str(raised.value) == "\n".join(raised.value.missing)
        assert "hunter2" not in str(raised.value)
        return list(raised.value.missing)

    @property
    def made(self) -> list[Any]:
        """The parts that were made, of whatever kind; none where their module was not even imported."""
        module = sys.modules.get(f"{self.package}.parts")
        return getattr(module, "made", [])


@pytest.fixture
def package(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.syspath_prepend(tmp_path)
    return re.sub(r"\W", "_", request.node.name)


@pytest.fixture
def shop(tmp_path: Path, package: str) -> Shop:
    return Shop(tmp_path, package, FILES)


@pytest.fixture
def vault(tmp_path: Path, package: str) -> Shop:
    """The same, whose secrets are those of a component that misbehaves as it is told."""
    return Shop(tmp_path, package, VAULT)


def names(missing: tuple[Missing, ...]) -> list[str]:
    return [each.name for each in missing]


def test_where_nothing_is_missing_nothing_is_said(shop: Shop) -> None:
    assert shop.found() == Preflight((), (), 0)


def test_everything_that_is_missing_is_told_at_once_with_its_setting(shop: Shop) -> None:
    gone = shop.root / shop.package
    shutil.move(gone, gone.with_suffix(".away"))
    environ = {"MAIL_PORT": "many", "MAIL_WAIT": "soon", "MAIL_CA": "no/such.pem", "LEVEL": "c", "SWEEP_EVERY": ""}
    relay = "settings/adapters.yml#/provider_settings/relay"
    parts = f"{shop.package}/parts.py"
    told = [each.split("; needed by ") for each in shop.missing("MAIL_HOST", "ONEIRIC_SECRET_MAIL", environ=environ)]
    assert dict(told) == {
        "the environment variable LEVEL cannot be read: expected one of a, b": (
            "service:shop (level, settings/services.yml#/provider_settings/main/level)"
        ),
        "the environment variable MAIL_HOST is not set": f"adapter:mail (url, {relay}/url)",
        "the environment variable MAIL_PORT cannot be read: expected a whole number": (
            f"adapter:mail (port, {relay}/port)"
        ),
        "the environment variable MAIL_WAIT cannot be read: expected a duration such as 30s, 1h30m or PT5M": (
            f"adapter:mail (wait, {relay}/wait)"
        ),
        "the environment variable SWEEP_EVERY cannot be read: expected a whole number": (
            "task:sweep (every, settings/tasks.yml#/provider_settings/main/every)"
        ),
        "the secret MAIL cannot be had: there is no secret 'MAIL': the environment variable ONEIRIC_SECRET_MAIL is not "
        "set": f"adapter:mail (password, {relay}/password)",
        f"the module {shop.package} is not on the path": (
            f"adapter:mail ({parts}#Smtp), service:shop ({parts}#Shop), task:sweep ({parts}#Sweep)"
        ),
        "the file no/such.pem does not exist": f"adapter:mail (ca_file, {relay}/ca_file)",
    }


def test_no_module_of_the_project_is_imported(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.found()
    assert f"{shop.package}.parts" not in sys.modules
    assert shop.package not in sys.modules
    assert capsys.readouterr().out == ""


def test_what_no_eager_key_needs_is_for_later(shop: Shop) -> None:
    """What is needed lazily is not needed to start."""
    found = shop.found("AUDIT", "ONEIRIC_SECRET_AUDIT", "ONEIRIC_SECRET_ACME", "BOLT_AUDIT")
    assert names(found.later) == ["AUDIT", "BOLT_AUDIT", "ACME", "AUDIT"]
    assert {want.tenant for each in found.later for want in each.wanted} == {None, "acme", "bolt"}


def test_what_is_missing_already_is_not_told_for_later_again(shop: Shop) -> None:
    async def look() -> Preflight:
        from oneiric.preflight.check import preflight
        from oneiric.runtime import host_of
        from oneiric.session import beside

        async with beside(host_of(shop.runtime("MAIL_HOST"))) as host:
            return await preflight(host)

    found = run(look())
    assert (names(found.missing), found.later) == (["MAIL_HOST"], ())
    assert [want.tenant for want in found.missing[0].wanted] == [None]


def test_a_role_wants_what_it_starts(shop: Shop) -> None:
    assert len(shop.missing("MAIL_HOST", "SWEEP_EVERY", role="web")) == 1
    assert names(shop.found("MAIL_HOST", role="worker").later) == ["MAIL_HOST"]


def test_a_replacement_needs_nothing(shop: Shop) -> None:
    replace = {"adapter:mail": object()}
    assert shop.found("MAIL_HOST", "ONEIRIC_SECRET_MAIL", "ONEIRIC_SECRET_ACME", replace=replace) == Preflight(
        (), (), 0
    )


def test_a_paused_key_does_not_start_and_so_needs_nothing_yet(shop: Shop) -> None:
    from oneiric.runtime import host_of

    async def look() -> Preflight:
        runtime = shop.runtime("MAIL_HOST")
        host_of(runtime).paused["adapter:mail"] = "maintenance"
        async with runtime:
            return await runtime.preflight()

    assert names(run(look()).later) == ["MAIL_HOST"]


def test_the_secrets_component_alone_is_started_and_closed_again(vault: Shop) -> None:
    assert vault.found() == Preflight((), (), 0)
    assert [(type(each).__name__, each.closed) for each in vault.made] == [("Vault", True)]


def test_inside_it_is_asked_of_the_component_that_is_there(vault: Shop) -> None:
    async def look() -> tuple[Preflight, list[str]]:
        async with vault.runtime() as runtime:
            return await runtime.preflight(), sorted(type(each).__name__ for each in vault.made if not each.closed)

    assert run(look()) == (Preflight((), (), 0), ["Shop", "Smtp", "Sweep", "Vault"])


def test_a_closed_runtime_is_not_tried(shop: Shop) -> None:
    async def look() -> None:
        async with (runtime := shop.runtime()):
            pass
        await runtime.preflight()

    with pytest.raises(RuntimeClosed):
        run(look())


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("raise", "cannot be had: adapter:secrets raised OSError"),
        ("exit", "cannot be had: adapter:secrets raised SystemExit"),
        ("hang", "cannot be had: adapter:secrets took longer than 0.05 seconds"),
        ("text", "is a str of adapter:secrets, not a Secret"),
    ],
)
def test_a_secrets_component_that_misbehaves_is_told_for_each_secret(vault: Shop, mode: str, told: str) -> None:
    deadlines = Deadlines(secrets=0.05)
    found = vault.missing("MAIL_HOST", environ={"VAULT": mode}, deadlines=deadlines)
    assert [each.partition(";")[0] for each in found] == [
        "the environment variable MAIL_HOST is not set",
        f"the secret MAIL {told}",
    ]
    assert [each.closed for each in vault.made] == [True]


def test_one_that_does_not_start_is_told_with_all_that_want_it(vault: Shop) -> None:
    (told,) = vault.missing(environ={"VAULT": "start"})
    assert told.startswith(
        "adapter:secrets cannot be asked: adapter:secrets (strongbox): factory failed: there is no secret"
    )
    assert "needed by adapter:mail (password, settings/adapters.yml#" in told


def test_one_that_lacks_something_itself_is_not_started(tmp_path: Path, package: str) -> None:
    adapters = VAULT["settings/adapters.yml"].replace("${VAULT:-}", "${VAULT_MODE}")
    shop = Shop(tmp_path, package, {**VAULT, "settings/adapters.yml": adapters})
    (told,) = shop.missing()
    assert told.startswith("the environment variable VAULT_MODE is not set; needed by adapter:secrets (mode,")
    assert shop.made == []


def test_secrets_for_later_are_not_waited_for_longer_than_one(vault: Shop) -> None:
    found = vault.found(environ={"VAULT": "hang"}, deadlines=Deadlines(secrets=0.05), role="worker")
    told = {each.name for each in found.later}
    assert len(told) + found.unasked == 3


def test_a_cancelled_one_closes_what_it_started(vault: Shop) -> None:
    async def look() -> None:
        task = asyncio.ensure_future(vault.runtime(environ={"VAULT": "hang"}).preflight())
        while not vault.made:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(look())
    assert [each.closed for each in vault.made] == [True]


def test_a_tenants_own_secrets_component_is_not_started(tmp_path: Path, package: str) -> None:
    settings = "{relay: {password: '${ONEIRIC_SECRET_ACME}'}}"
    acme = f"adapters: {{selections: {{secrets: strongbox}}, provider_settings: {settings}}}\n"
    shop = Shop(tmp_path, package, {**FILES, "settings/tenants/acme.yml": acme})
    found = shop.found("ONEIRIC_SECRET_ACME")
    assert (found.later, found.unasked) == ((), 2)
    assert shop.made == []


@pytest.mark.parametrize("text", [None, "", "{}", '{"format": "oneiric.explain/1", "app": "x", "profile": "y"}'])
def test_without_a_report_secrets_alone_are_known(shop: Shop, text: str | None) -> None:
    path = shop.root / "generated/explain.json"
    path.unlink()
    if text is not None:
        path.write_text(text)
    (told,) = shop.missing("MAIL_HOST", "ONEIRIC_SECRET_MAIL")
    assert told.endswith("ONEIRIC_SECRET_MAIL is not set; needed by adapter:mail")


def test_a_report_of_another_generation_is_not_believed(shop: Shop) -> None:
    path = shop.root / "generated/explain.json"
    report = json.loads(path.read_text())
    report["bindings"]["task:sweep"]["fingerprint"] = "00000000"
    path.write_text(json.dumps(report))
    assert shop.found("SWEEP_EVERY") == Preflight((), (), 0)


@pytest.mark.parametrize(
    "damage",
    [
        {"settings": {"every": {"expr": {"env": ["SWEEP_EVERY"]}}}},
        {"settings": {"every": {"expr": {"env": "SWEEP_EVERY", "as": {"one_of": 3}}}}},
        {"settings": {"every": {"expr": {"text": 3}}}},
        {"factory": 3, "artifact": "x"},
        {"settings": []},
    ],
)
def test_damaged_facts_lack_nothing(shop: Shop, damage: dict[str, Any]) -> None:
    path = shop.root / "generated/explain.json"
    report = json.loads(path.read_text())
    report["bindings"]["task:sweep"].update(damage)
    path.write_text(json.dumps(report))
    assert shop.found() == Preflight((), (), 0)


@pytest.mark.parametrize("fact", ["unbound", "provided"])
def test_what_is_not_made_lacks_nothing(fact: str) -> None:
    settings = {"x": {"expr": {"text": [{"env": "X"}, {"secret": "S"}]}, "from": "f#/x"}}
    facts: dict[str, Any] = {"settings": settings, "factory": "no_such_module:X"}
    assert len(Trial({}).lacking("a:b", facts)) == 2
    assert [name for name, _ in Trial({}).secrets("a:b", facts)] == ["S"]
    facts[fact] = True
    assert Trial({}).lacking("a:b", facts) == []
    assert Trial({}).secrets("a:b", facts) == []


def test_a_report_has_nothing_called(tmp_path: Path) -> None:
    """A report is not signed: what converts is of this package or of the standard library, whatever it says."""
    facts = {"settings": {"x": {"expr": {"env": "X", "as": {"by": "os:mkdir"}}, "from": "f#/x"}}, "factory": "os:x"}
    assert Trial({"X": str(tmp_path / "made")}).lacking("a:b", facts) == []
    assert not (tmp_path / "made").exists()


def test_a_default_is_tried_where_its_variable_is_not_set() -> None:
    inner = {"env": "B", "default": {"text": [{"env": "C"}, "0"]}}
    facts = {
        "settings": {"x": {"expr": {"env": "A", "as": "int", "default": inner}, "from": "f#/x"}},
        "factory": "os:x",
    }

    def told(**environ: str) -> list[tuple[str, str]]:
        return [(each.name, each.reason) for each in Trial(environ).lacking("a:b", facts)]

    assert told() == [("C", "is not set")]
    assert told(A="1") == told(B="1") == told(C="1") == []
    assert told(C="one") == [("A", "is not set, and what stands in for it cannot be read: expected a whole number")]


def test_structures_are_tried_without_their_classes() -> None:
    host = {
        "record": "os:Host",
        "fields": {"name": "str", "port": "int", "kind": {"enum": "os:Kind"}},
        "required": ["name"],
    }
    kinds: dict[str, object] = {
        "A": {"list": {"then": "os:UserId", "of": "int"}},
        "B": {"optional": {"dict": host}},
        "C": {"fixed": ["int", "any", {"set": "bool"}]},
    }

    def told(**environ: str) -> list[tuple[str, str]]:
        settings = {name: {"expr": {"env": name, "as": kind}, "from": "f#/x"} for name, kind in kinds.items()}
        found = Trial(environ).lacking("a:b", {"settings": settings, "factory": "os:x"})
        return [(each.name, each.reason) for each in found if each.kind == "variable"]

    fine = {"A": "1, 2", "B": "{a: {name: b, kind: none}}", "C": "[1, x, [yes]]"}
    assert told(**fine) == told(**{**fine, "B": "null"}) == []
    assert told(**{**fine, "A": "1, x"}) == [("A", "cannot be read: expected a whole number at `1`")]
    assert told(**{**fine, "B": "{a: {port: 1}}"}) == [("B", "cannot be read: expected the field name at `a`")]
    assert told(**{**fine, "C": "1"}) == [("C", "cannot be read: expected a list of 3")]


def test_a_reason_of_the_settings_is_told() -> None:
    facts = {"settings": {"x": {"expr": {"env": "A", "why": "ask Ada"}, "from": "f#/x"}}, "factory": "os:x"}
    assert [each.reason for each in Trial({}).lacking("a:b", facts)] == ["is not set: ask Ada"]
    assert [each.reason for each in Trial({"A": ""}).lacking("a:b", facts)] == ["is empty: ask Ada"]


def test_a_secret_in_another_ones_stead_is_asked_where_that_is_not_set() -> None:
    facts = {"settings": {"x": {"expr": {"text": [{"env": "A", "default": {"secret": "S"}}]}, "from": "f#/x"}}}
    assert [name for name, _ in Trial({}).secrets("a:b", facts)] == ["S"]
    assert Trial({"A": "1"}).secrets("a:b", facts) == []


def test_an_extra_that_is_not_installed_is_told_with_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {
        "factory": "oneiric.adapters.cache.redis:RedisCache",
        "provider": "redis",
        "decided_at": "f#/selections/cache",
    }
    assert Trial({}).lacking("adapter:cache", facts) == []

    def version(name: str) -> str:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "version", version)
    assert Trial({}).lacking("adapter:cache", facts) == []  # a module of that name is there
    monkeypatch.setattr("oneiric.preflight.trial.find_spec", lambda name: None)
    (missing,) = Trial({}).lacking("adapter:cache", facts)
    assert missing.told() == (
        "the extra cache-redis is not installed: redis>=5.0.1; needed by adapter:cache (f#/selections/cache)"
    )
    assert extra_lacks("cache-memory") is None


def test_the_same_thing_is_told_once_and_tenants_are_counted() -> None:
    wants = [Want("a:b", f"t{number}", "x", "f#/x") for number in range(5)]
    (one,) = gathered(Missing("variable", "X", "is not set", (want,)) for want in (*wants, Want("a:b"), *wants))
    assert one.told(lambda place: place.upper()) == (
        "the environment variable X is not set; needed by a:b, a:b of tenant t0 (x, F#/X), a:b of tenant t1 (x, F#/X), "
        "a:b of tenant t2 (x, F#/X), and 2 more of tenants"
    )


LAYERED = """

@component("adapter", "mail", provider="counted", layer=True)
class Counted(Part):
    def __init__(self, *, inner: Smtp, label: str, key: Secret) -> None:
        super().__init__()
"""
LAYERS = f"""{ADAPTERS}  counted: {{label: "${{LABEL}}", key: "${{ONEIRIC_SECRET_LAYER}}"}}
layers: {{mail: [counted]}}
"""


@pytest.fixture
def layered(tmp_path: Path, package: str) -> Shop:
    """The mail of the shop has a layer, which reads variables and secrets of its own; for a tenant, others."""
    tenant = "adapters: {provider_settings: {counted: {label: '${ACME_LABEL}'}}}\n"
    files = {
        "settings/adapters.yml": LAYERS,
        "settings/tenants/acme.yml": tenant,
        f"{package}/parts.py": PARTS + LAYERED,
    }
    return Shop(tmp_path, package, {**FILES, **files})


def test_what_layers_want_is_wanted(layered: Shop) -> None:
    secret = "there is no secret 'LAYER': the environment variable ONEIRIC_SECRET_LAYER is not set"
    assert [each.partition(" (")[0] for each in layered.missing()] == [
        "the environment variable LABEL is not set; needed by adapter:mail/counted",
        f"the secret LAYER cannot be had: {secret}; needed by adapter:mail/counted",
    ]
    given = {"LABEL": "x", "ONEIRIC_SECRET_LAYER": "hunter2"}
    assert names(layered.found(environ=given).later) == ["ACME_LABEL"]


def test_a_bare_replacement_has_no_layers_that_want_anything(layered: Shop) -> None:
    from oneiric import Bare

    class Fake:
        pass

    replace = {"adapter:mail": Fake()}
    assert len(layered.missing(replace=replace)) == 2
    assert layered.found(replace={"adapter:mail": Bare(Fake())}) == Preflight((), (), 0)
