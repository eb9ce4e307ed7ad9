"""Secrets in every place that one may stand in, asked for by every command in every form: none is shown."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from tests.attacks.campaign import Campaign
from tests.attacks.commands import answer
from tests.unit.cli.test_cli_canary import APP, CANARY, PARTS, QUESTIONS, REFUSED, WARNED

MASKED = ("wiring.py", "explain.json", "tenants.jsonl")
PLACES: dict[str, Callable[[str], dict[str, str]]] = {
    "services": lambda text: {"settings/services.yml": f"provider_settings:\n  {text}\n"},
    "a profile": lambda text: {"settings/profiles/busy.yml": f"services:\n  provider_settings:\n    {text}\n"},
    "a tenant": lambda text: {"settings/tenants/acme.yml": f"services:\n  provider_settings:\n    {text}\n"},
    "another domain": lambda text: {"settings/adapters.yml": f"provider_settings:\n  {text}\n"},
    "the wrong file": lambda text: {"settings/app.yml": f"{APP}{text}\n"},
    "the wrong section": lambda text: {"settings/services.yml": f"requires:\n  {text}\n"},
    "a file of no section": lambda text: {"settings/tenants/acme.yml": f"{text}\n"},
    "a list": lambda text: {"settings/services.yml": f"provider_settings:\n  - {text}\n"},
}
OF_THE_PROVIDER = ("services", "a profile", "a tenant")
"""Where a setting is known to be a secret by its parameter alone."""
REMOTE = (
    f"sources: [{{name: a, address: 'https://u:{CANARY}@host/x', keys: [x]}}]\n",
    f"sources: [{{name: a, address: 'https://host/x?token={CANARY}', keys: [x]}}]\n",
    f"sources: [{{name: a, address: 'https://host/x', auth: {{header: authorization, value: 'Bearer {CANARY}1'}}}}]\n",
    f"sources: [{{name: a, address: 'https://host/x', auth: {{password: {CANARY}}}}}]\n",
    f"password: {CANARY}\n",
)
ENVIRONMENT = ("ONEIRIC_SECRET_CARD_KEY", "DB", "A", "URL", "PASSWORD")
ASKED = (
    *QUESTIONS,
    *(("remote-sync",), ("history",), ("reload",), ("rollback",)),
    *(("explain", "--json", "cache"), ("compile", "--profile", "busy")),
)
SOURCES = (
    PARTS,
    PARTS.replace('token: str = "', f'token: int = "{CANARY}'),
    PARTS.replace("key: Secret,", f'key: Secret = "{CANARY}",'),
    PARTS.replace("key: Secret,", f'key: Secret = Secret("{CANARY}"),'),
    PARTS.replace("class Cash:", f'class Cash(password="{CANARY}"):'),
    PARTS + f'\n@component("service", "x", provider="y", password="{CANARY}")\nclass X: ...\n',
    PARTS + f'\npassword = "{CANARY}\n',
)


@dataclass(frozen=True)
class Planted:
    files: tuple[tuple[str, str], ...]
    environ: tuple[tuple[str, str], ...]
    arguments: tuple[str, ...]


class Canaries(Campaign[Planted]):
    name, cases, few = "canaries", 8_000, 60

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        self.before = folder / "before"
        _write(self.before, _files(WARNED.replace(CANARY, f"{CANARY}before")))
        assert answer(self.before, "compile").returncode == 0

    def case(self, choose: Random) -> Planted:
        files = _files(WARNED)
        if choose.random() < 0.7:
            place = choose.choice([*PLACES])
            known = [text for name, text in REFUSED.items() if name != "a Secret" or place in OF_THE_PROVIDER]
            files |= PLACES[place](choose.choice((*known, *WARNED.split("\n")[2:7])).strip())
        if choose.random() < 0.2:
            files["settings/remote.yml"] = choose.choice(REMOTE)
        if choose.random() < 0.3:
            files["shop/parts.py"] = choose.choice(SOURCES)
        names = [name for name in ENVIRONMENT if choose.random() < 0.4]
        environ = {name: choose.choice((f"{CANARY}e", f"db://u:{CANARY}@h", f"Bearer {CANARY}1")) for name in names}
        return Planted(tuple(files.items()), tuple(environ.items()), choose.choice(ASKED))

    def attack(self, case: Planted) -> str:
        root = self.folder / "shop"
        shutil.rmtree(root, ignore_errors=True)
        _write(root, dict(case.files))
        shutil.copytree(self.before / "generated", root / "before")
        plain = {name: text for name, text in os.environ.items() if not name.startswith("ONEIRIC_")}
        with patch.dict(os.environ, {**plain, "NO_COLOR": "1", **dict(case.environ)}, clear=True):
            compiled = answer(root, "compile")
            done = answer(root, *case.arguments)
        for each in (compiled, done):
            assert CANARY not in each.stdout + each.stderr, each.stdout + each.stderr
        ours = [path for path in root.rglob("*") if path.is_file() and "before" not in path.parts]
        held = [
            path.relative_to(root) for path in ours if CANARY.encode() in path.read_bytes() and path.suffix != ".pyc"
        ]
        held = [path for path in held if path.as_posix() not in dict(case.files) and path.name not in MASKED]
        assert held == [], held
        return f"{'compiled' if compiled.returncode == 0 else 'refused'}, then {done.returncode}"

    def smaller(self, case: Planted) -> Iterator[Planted]:
        usual = _files("")
        for name, text in case.files:
            others = [(each, other) for each, other in case.files if each != name]
            if name not in usual:
                yield replace(case, files=tuple(others))
            elif text != usual[name]:
                yield replace(case, files=(*others, (name, usual[name])))
        for at in range(len(case.environ)):
            yield replace(case, environ=case.environ[:at] + case.environ[at + 1 :])

    def shown(self, case: Planted) -> str:
        usual = _files("")
        changed = [f"--- {name}\n{text}" for name, text in case.files if usual.get(name) != text]
        return "\n".join((*changed, json.dumps(dict(case.environ)), f"$ oneiric {' '.join(case.arguments)}"))


def _files(services: str) -> dict[str, str]:
    return {
        "settings/app.yml": APP,
        "settings/services.yml": services,
        "settings/profiles/busy.yml": "services: {selections: {payments: cash}}\n",
        "settings/tenants/acme.yml": "services: {selections: {payments: cash}}\n",
        "shop/__init__.py": "",
        "shop/parts.py": PARTS,
    }


def _write(root: Path, files: dict[str, Any]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
