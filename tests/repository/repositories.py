"""A project in git whose settings do not conflict by themselves: every key has lines of its own, apart from others."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.diagnostics.render import as_text
from oneiric_compiler.model import Outputs, Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.stages.write import write

CHECKOUT = Path(__file__).resolve().parents[2]
KEYS = ("ka", "kb", "kc", "kd")
NEW = ("kab", "kac", "kbb", "zz")
SECONDS = 600


@dataclass
class Section:
    """What a level says of services: the provider of a key, and the size of its provider `one`."""

    selections: dict[str, str] = field(default_factory=dict[str, str])
    sizes: dict[str, int] = field(default_factory=dict[str, int])

    def text(self, indent: str = "") -> str:
        lines = ["selections:"]
        for key in sorted((*KEYS, *NEW)):
            lines += ["", f"  # {key}", *([f"  {key}: {self.selections[key]}"] if key in self.selections else [])]
        lines += ["", "provider_settings:"]
        for key in sorted((*KEYS, *NEW)):
            lines += ["", f"  # {key}", *([f"  {key}/one: {{size: {self.sizes[key]}}}"] if key in self.sizes else [])]
        return "".join(f"{indent}{line}".rstrip() + "\n" for line in lines)


@dataclass
class Shop:
    """The project of a test: its keys, its base, its profile and its tenants."""

    keys: set[str] = field(default_factory=lambda: set(KEYS))
    needing_ka: set[str] = field(default_factory=set[str])
    base: Section = field(default_factory=Section)
    production: Section = field(default_factory=Section)
    tenants: dict[str, Section] = field(
        default_factory=lambda: {"acme": Section(dict.fromkeys(KEYS, "own")), "zeta": Section({"kb": "own"})}
    )

    def edited(self, *edits: Callable[[Shop], object]) -> Shop:
        shop = deepcopy(self)
        for edit in edits:
            edit(shop)
        return shop

    def files(self) -> dict[str, str]:
        overlays = {"profiles/production": self.production}
        overlays |= {f"tenants/{name}": section for name, section in self.tenants.items()}
        return {
            "settings/app.yml": "name: shop\npackages: [shop]\nprofiles: [production]\n",
            "settings/services.yml": self.base.text(),
            **{f"settings/{name}.yml": f"services:\n{section.text('  ')}" for name, section in overlays.items()},
            "shop/__init__.py": "",
            **{f"shop/{key}.py": module(key, key in self.needing_ka) for key in self.keys},
        }


def module(key: str, needing_ka: bool) -> str:
    name = key.title()
    needs, parameter = (', needs={"ka": "service:ka"}', ", ka: object") if needing_ka else ("", "")
    return f'''from typing import Protocol

from oneiric import component


class {name}(Protocol):
    def run(self) -> None: ...


@component("service", "{key}", provider="one", port="shop.{key}:{name}", stack_level=1{needs})
class {name}One:
    def __init__(self, *, size: int = 1{parameter}) -> None: ...
    def run(self) -> None: ...


@component("service", "{key}", provider="two")
class {name}Two:
    def run(self) -> None: ...


@component("service", "{key}", provider="own", stack_level=-1)
class {name}Own:
    def run(self) -> None: ...
'''


def put(root: Path, files: dict[str, str]) -> None:
    """Makes `files` the sources and settings below `root`, and no others."""
    for path in [*root.glob("settings/**/*.yml"), *root.glob("shop/*.py")]:
        path.unlink()
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def compiled(root: Path) -> Outputs:
    """What the project in `root` compiles to."""
    diagnostics = Diagnostics()
    outputs = compile_project(Project.at(root, {}), diagnostics)
    assert outputs is not None, as_text(diagnostics)
    return outputs


def made(root: Path, shop: Shop) -> None:
    """Makes `root` that shop, compiled."""
    put(root, shop.files())
    assert write(compiled(root), Diagnostics())


def git(root: Path, *arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Git as a user without settings of their own has it; its result, whatever it is."""
    hidden = {name: text for name, text in os.environ.items() if not name.startswith("GIT_")}
    author = {f"GIT_{who}_{what}": "n@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(
        ["git", "-c", "init.defaultBranch=main", *arguments],
        cwd=root,
        env={**hidden, **author, **alone, **environ},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def copied(root: Path) -> None:
    """Makes `root` a repository of what would be committed here, all of it staged."""
    listed = git(CHECKOUT, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        if (CHECKOUT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, root / name)
    git(root, "init")
    git(root, "add", "-A")


def committed(root: Path, message: str) -> None:
    git(root, "add", "-A")
    done = git(root, "commit", "-m", message)
    assert done.returncode == 0, done.stdout + done.stderr


def pre_commit(root: Path, environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pre_commit", *arguments],
        cwd=root,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, **environ},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
