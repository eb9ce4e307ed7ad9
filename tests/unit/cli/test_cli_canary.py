"""A secret that a project writes out, or that a process is given, stands in nothing that any command says or leaves.

Where it is only warned of (ONE414) the wiring and the report hold it, since the wiring is what makes the component.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.cli.running import MAIN, environment, run
from tests.unit.serve.serving import until

CANARY = "hunter2canary"
APP = "name: shop\npackages: [shop]\nprofiles: [busy]\n"
PARTS = f'''
from typing import Any, Protocol
from oneiric import Secret, component

class Payments(Protocol):
    async def pay(self) -> int: ...

@component("service", "payments", provider="card", port="shop.parts:Payments", eager=True)
class Card:
    """Pays.

    `password`: of the account
    """
    def __init__(
        self, *, key: Secret, password: str = "{CANARY}", options: dict[str, Any] = {{}}, sizes: list[int] = [],
        url: str = "",
    ) -> None:
        self.key = key

    async def pay(self) -> int:
        return 1

@component("service", "payments", provider="cash", stack_level=-1)
class Cash:
    def __init__(self, *, token: str = "{CANARY}") -> None: ...
    async def pay(self) -> int:
        return 2
'''
WARNED = f"""
provider_settings:
  card:
    key: ${{ONEIRIC_SECRET_CARD_KEY}}
    password: {CANARY}
    options:
      passwort: {CANARY}
      tokens: {{ada: [{CANARY}]}}
      body: 'say password={CANARY} to it'
  cash: {{token: {CANARY}}}
"""
REFUSED = {
    "a URL": f"card: {{url: 'db://ada:{CANARY}@host'}}",
    "a long URL": f"card: {{url: 'db://ada:{'x' * 80}{CANARY}@host', sizes: 'db://ada:{'x' * 80}{CANARY}@host'}}",
    "a connection text": f"card: {{options: {{a: ['Server=a;Password={CANARY}']}}}}",
    "a header": f"card: {{options: {{Authorization: 'Bearer {CANARY}'}}}}",
    "a private key": f'card: {{url: "-----BEGIN PRIVATE KEY-----\\n{CANARY}\\n-----END PRIVATE KEY-----"}}',
    "a Secret": f"card: {{key: {CANARY}}}",
    "a default": f"card: {{key: '${{ONEIRIC_SECRET_KEY:-{CANARY}}}'}}",
    "the wrong type under a secret's name": f"card: {{sizes: [{{password: {CANARY}}}], passwort: {CANARY}}}",
    "an unknown provider": f"credit: {{password: {CANARY}, url: 'db://u:{CANARY}@h'}}",
    "an alias": f"card: {{password: *{CANARY}}}",
    "an anchor": f"card: {{password: &{CANARY} x}}",
    "a tag": f"card: {{password: !{CANARY} x}}",
    "a malformed reference": f"card: {{password: '${{1 {CANARY}'}}",
    "YAML that breaks off": f'card: {{password: "{CANARY}',
    "YAML that breaks off beside": f"card: {{password: {CANARY}, a: ]}}",
    "a key twice": f"card: {{password: {CANARY}, password: {CANARY}}}",
    "a misplaced entry": f"card: db://u:{CANARY}@h",
}
FORMATS = (("compile",), *(("compile", "--format", each) for each in ("json", "sarif", "github")))
QUESTIONS = (
    *FORMATS,
    ("compile", "--check"),
    ("compile", "--strict"),
    ("explain",),
    ("explain", "--json"),
    ("explain", "service:payments"),
    ("explain", "service:payments", "--json"),
    ("explain", "service:payments", "--tenant", "acme"),
    ("explain", "service:payments", "--tenant", "acme", "--json"),
    ("explain", "service:payments", "--uses"),
    ("explain", "--why-not", "cash", "service:payments"),
    ("explain", "--why-not", "cash", "service:payments", "--json"),
    ("explain", "--what-if", "provider=cash", "service:payments"),
    ("explain", "--what-if", "provider=cash", "service:payments", "--json"),
    ("list",),
    ("list", "--json"),
    ("list", "--unused"),
    ("matrix",),
    ("diff", "before", "generated"),
    ("diff", "before", "generated", "--format", "json"),
    ("diff", "before", "generated", "--format", "markdown"),
    ("verify",),
    ("schema",),
    ("status",),
    ("health",),
    ("swap", "service:payments", "cash"),
    ("remote-status",),
)


def project(root: Path, services: str) -> Path:
    files = {
        "settings/app.yml": APP,
        "settings/services.yml": services,
        "settings/profiles/busy.yml": "services: {selections: {payments: cash}}\n",
        "settings/tenants/acme.yml": f"services: {{provider_settings: {{card: {{password: {CANARY}acme}}}}}}\n",
        "shop/__init__.py": "",
        "shop/parts.py": PARTS,
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture(scope="module")
def warned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that compiles, what it was before its secrets changed in `before/`."""
    root = project(tmp_path_factory.mktemp("warned"), WARNED.replace(CANARY, f"{CANARY}before"))
    assert run("compile", cwd=root).returncode == 0
    (root / "generated").rename(root / "before")
    project(root, WARNED)
    assert run("compile", cwd=root).returncode == 0
    return root


@pytest.mark.parametrize("arguments", QUESTIONS, ids=" ".join)
def test_no_command_shows_what_is_only_warned_of(arguments: tuple[str, ...], warned: Path) -> None:
    done = run(*arguments, cwd=warned)
    assert done.stdout + done.stderr
    assert CANARY not in done.stdout + done.stderr


def test_no_schema_holds_one(warned: Path) -> None:
    run("schema", cwd=warned)
    assert not any(CANARY in path.read_text() for path in (warned / "settings/.schemas").iterdir())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f'password="{CANARY}', f'password="x{CANARY}'),
        (f'"passwort": "{CANARY}', f'"passwort": "x{CANARY}'),
        (f'token="{CANARY}"', f'token="x{CANARY}"'),
        (f'password="{CANARY}"', f'password=str("{CANARY}")'),
        (f'token="{CANARY}"', f'token=[each for each in "{CANARY}"]'),
        ("        return Card(", f'        password = "{CANARY}"\n        return Card('),
    ],
)
def test_an_edited_wiring_is_told_of_without_it(before: str, after: str, warned: Path, tmp_path: Path) -> None:
    for path in warned.rglob("*"):
        if path.is_file() and "generated" in path.parts:
            (tmp_path / path.relative_to(warned)).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path.relative_to(warned)).write_bytes(path.read_bytes())
    for path in tmp_path.rglob("wiring.py"):
        path.write_text(path.read_text().replace(before, after))
    done = run("verify", "generated", "generated/busy", cwd=tmp_path)
    assert done.returncode == 1
    assert CANARY not in done.stdout + done.stderr


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("arguments", FORMATS, ids=" ".join)
def test_a_refused_secret_is_not_shown_and_nothing_is_written(
    name: str, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    root = project(tmp_path, f"provider_settings:\n  {REFUSED[name]}\n")
    (root / "settings/tenants/acme.yml").unlink()
    done = run(*arguments, cwd=root)
    assert done.returncode == 2
    assert CANARY not in done.stdout + done.stderr
    assert not (root / "generated").exists()


@contextmanager
def serving(root: Path) -> Iterator[subprocess.Popen[str]]:
    """The process that serves the project, with its logs kept."""
    command = [sys.executable, "-c", MAIN, "serve"]
    environ = environment(ONEIRIC_SECRET_CARD_KEY=f"{CANARY}key", DB=f"db://u:{CANARY}@h")
    log = (root / "log").open("w")
    process = subprocess.Popen(command, cwd=root, env=environ, stdout=log, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        log.close()


def test_nothing_that_a_process_says_or_keeps_shows_one(tmp_path: Path) -> None:
    root = project(tmp_path, WARNED)
    assert run("compile", cwd=root).returncode == 0
    said = ""
    with serving(root):
        until(lambda: run("health", cwd=root).returncode == 0)
        for arguments in (
            ("status",),
            ("status", "--json"),
            ("health", "--probe"),
            ("swap", "service:payments", "cash"),
            ("swap", "service:payments", "card"),
            ("rollback",),
            ("reload",),
            ("status", "--json"),
        ):
            done = run(*arguments, cwd=root)
            said += done.stdout + done.stderr
    assert '"payments"' in said or "service:payments" in said
    assert CANARY not in said + (root / "log").read_text()
    kept = [path for path in (root / ".oneiric").rglob("*") if path.is_file()]
    outputs = ("wiring.py", "explain.json", "tenants.jsonl")
    held = [path for path in kept if CANARY.encode() in path.read_bytes() and path.suffix != ".pyc"]
    assert kept
    assert [path for path in held if path.name not in outputs] == []
    assert not any(f"{CANARY}key".encode() in path.read_bytes() for path in kept)
    assert os.listdir(root / ".oneiric")
