"""Where a stable place (`file#/json/pointer`, `file.py#Name`) is today: `file:line:column`."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import oneiric

if TYPE_CHECKING:
    from oneiric_compiler.settings.documents import Document, Path_, Value


class Locator:
    """Finds places of one project in its files as they are now; a place that is not found stays as it is.

    `settings` is the folder that places call `settings/`; `roots` are where source files are looked for.
    """

    def __init__(self, root: Path, settings: Path) -> None:
        self._settings = settings
        self._roots = (root, root / "src", Path(oneiric.__file__).parent.parent)
        self._document = cache(self._read_document)
        self._lines = cache(_definitions)

    def __call__(self, place: str) -> str:
        file, mark, pointer = place.partition("#")
        path = self._path(file) if mark else None
        if path is None:
            return place
        if not file.endswith((".yml", ".yaml", ".json")):
            found = self._lines(path).get(pointer)
        elif pointer.startswith("/") and (document := self._document(path)):
            found = _pointed(document, pointer)
        else:
            found = None
        return f"{file}:{found[0]}:{found[1]}" if found else place

    def _path(self, file: str) -> Path | None:
        if file.startswith("settings/"):
            return self._settings / file.removeprefix("settings/")
        return next((root / file for root in self._roots if (root / file).is_file()), None)

    @staticmethod
    def _read_document(path: Path) -> Document | None:
        try:
            from oneiric_compiler.diagnostics.found import Diagnostics
            from oneiric_compiler.settings.documents import read_document
        except ModuleNotFoundError:
            return None
        return read_document(path, path.name, Diagnostics())


def _pointed(document: Document, pointer: str) -> tuple[int, int] | None:
    path: Path_ = ()
    value: Value = document.value
    for part in pointer[1:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and name in value:
            path, value = (*path, name), value[name]
        elif isinstance(value, list) and (index := _index(value, name)) is not None:
            path, value = (*path, index), value[index]
        else:
            return None
    span = document.place(*path).span
    return (span.line, span.column) if span else None


def _index(items: list[Value], name: str) -> int | None:
    """Items of a list are named by number, components by `KEY/PROVIDER`."""
    for index, item in enumerate(items):
        if isinstance(item, dict) and f"{item.get('key')}/{item.get('provider')}" == name:
            return index
    return int(name) if name.isdecimal() and int(name) < len(items) else None


def _definitions(path: Path) -> dict[str, tuple[int, int]]:
    """The classes and functions at the top level of a Python file, each with its line and column."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return {}
    return {
        node.name: (node.lineno, node.col_offset + 1)
        for node in tree.body
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
    }
