"""The projects that campaigns start from, as files in memory: golden cases, this repository's own, samples."""

from __future__ import annotations

import ast
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.golden.golden_cases import all_cases
from tests.samples import sample

CHECKOUT = Path(__file__).parents[2]
UPSTREAM = ("readme-adapters.yml", "upstream-standard-settings.yaml", "upstream-sample-manifest.yaml")


@dataclass(frozen=True)
class Start:
    """A project to start from: its files by path."""

    name: str
    files: Mapping[str, bytes]

    @property
    def settings(self) -> list[str]:
        return [path for path in self.files if path.endswith(".yml") and not path.startswith("generated/")]

    @property
    def sources(self) -> list[str]:
        return [path for path in self.files if path.endswith(".py") and not path.startswith("generated/")]

    def made(self, root: Path, changes: Mapping[str, bytes | None]) -> None:
        """The files in `root`, in place of what is there, with what is changed; None is no file."""
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        for path, data in {**self.files, **changes}.items():
            if data is not None:
                file = root / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)


@cache
def starts() -> tuple[Start, ...]:
    return tuple(sorted((*_golden(), *_own(), *_samples()), key=lambda start: start.name))


@cache
def words() -> tuple[str, ...]:
    """Every name in any settings, sorted: sections, keys, providers, settings."""
    found: set[str] = set()
    for tree in trees():
        _names(tree, found)
    return tuple(sorted(found))


@cache
def trees() -> tuple[Any, ...]:
    """Every settings file that is YAML to others as well, and the values in it."""
    found: list[Any] = []
    for start in starts():
        for path in start.settings:
            if (tree := tree_of(start.files[path].decode("utf-8", "replace"))) is not None:
                found += [tree, *tree.values()]
    return tuple(found)


def tree_of(text: str) -> dict[str, Any] | None:
    """The mapping that a text is to any reader of YAML; not one with anchors, which may be of any size."""
    try:
        tree = None if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)) else yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict) else None


@cache
def snippets() -> tuple[ast.stmt, ...]:
    """The statements of every source that is Python."""
    found: list[ast.stmt] = []
    for start in starts():
        for path in start.sources:
            with suppress(SyntaxError, ValueError):
                found += ast.parse(start.files[path]).body
    return tuple(found)


def _names(tree: Any, found: set[str]) -> None:
    if isinstance(tree, dict):
        found.update(name for name in tree if isinstance(name, str))
        for inner in tree.values():
            _names(inner, found)
    elif isinstance(tree, list):
        for inner in tree:
            _names(inner, found)
    elif isinstance(tree, str) and len(tree) < 60:
        found.add(tree)


def _read(root: Path, *patterns: str) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for pattern in patterns
        for path in sorted(root.glob(pattern))
        if path.is_file() and "__pycache__" not in path.parts
    }


def _golden() -> Iterator[Start]:
    for case in all_cases():
        files = _read(case.folder, "**/*")
        yield Start(case.name, {path: data for path, data in files.items() if not path.startswith("want/")})


def _own() -> Iterator[Start]:
    """This repository's demo, often: of the built-ins that are installed."""
    files = _read(CHECKOUT, "settings/**/*", "shop/**/*.py")
    for number in range(2):
        yield Start(f"own {number}", {**files, "installed-builtins": b""})


def _samples() -> Iterator[Start]:
    for name in UPSTREAM:
        path = sample(name)
        if path.is_file():
            files = {"settings/app.yml": b"name: sample\n", "settings/adapters.yml": path.read_bytes()}
            yield Start(f"sample {name}", {**files, "installed-builtins": b""})
        else:
            sys.stderr.write(f"{path} is not there: no cases from it\n")
