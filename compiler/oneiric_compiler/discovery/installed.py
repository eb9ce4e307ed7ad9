"""Modules of installed distributions, found in what was recorded when they were installed; nothing is imported."""

from __future__ import annotations

import importlib.metadata as metadata
import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from oneiric_compiler.source.modules import Root, prefixes


@dataclass(frozen=True, slots=True)
class Installed:
    """A distribution that has a module, its version, and where the source of the module's package lies."""

    name: str
    version: str
    root: Root


class Unread(NamedTuple):
    """Why a module is not read: a code, what is wrong, what to do."""

    code: str
    what: str
    help: str


def find_installed(module: str) -> Installed | Unread:
    """The distribution that a module was installed with, or what keeps it from being read."""
    found = [each for each in metadata.distributions() if _has_source(each, module)]
    names = sorted({each.name for each in found})
    if len(names) > 1:
        what = f"the module `{module}` is of several distributions: {', '.join(f'`{name}`' for name in names)}"
        return Unread("ONE214", what, "uninstall all but one: which of them was read would be chance")
    if not found:
        return _missing(module)
    first = found[0]  # what is first on the path is what would be imported
    root = Root(Path(str(first.locate_file(""))).resolve(), only=frozenset((_package(first, module),)))
    return Installed(first.name, first.version, root)


def _missing(module: str) -> Unread:
    for each in metadata.distributions():
        if _is_linked(each) and module.partition(".")[0] in _tops(each):
            what = (
                f"the module `{module}` is of `{each.name}`, which is installed as editable: its source lies elsewhere"
            )
            return Unread("ONE215", what, "install a build of it, or name its folder in `source_roots`")
        if _has(each, f"{_path(module)}.") or _has(each, f"{_path(module)}/__init__."):
            what = f"the module `{module}` of `{each.name}` is compiled: it has no source to read"
            return Unread("ONE215", what, "name a class or function of the project that wraps it")
    what = f"no installed distribution has the module `{module}`"
    return Unread("ONE213", what, "install it where the compiler runs, or name a class under a source root")


def _has_source(distribution: metadata.Distribution, module: str) -> bool:
    return _has(distribution, f"{_path(module)}/__init__.py,") or _has(distribution, f"{_path(module)}.py,")


def _package(distribution: metadata.Distribution, module: str) -> str:
    """The outermost package of the module that is the distribution's own: above it others may have some as well."""
    return next((each for each in prefixes(module)[:-1] if _has(distribution, f"{_path(each)}/__init__.py,")), module)


def _has(distribution: metadata.Distribution, start: str) -> bool:
    """Whether a line of its record begins so: a path, a hash and a size."""
    return f"\n{start}" in f"\n{distribution.read_text('RECORD') or ''}"


def _path(module: str) -> str:
    return module.replace(".", "/")


def _is_linked(distribution: metadata.Distribution) -> bool:
    """Whether it is installed as editable: its record names no source."""
    try:
        return bool(json.loads(distribution.read_text("direct_url.json") or "{}")["dir_info"]["editable"])
    except (ValueError, LookupError, TypeError):
        return False


def _tops(distribution: metadata.Distribution) -> set[str]:
    """The packages that it is known by: those that its metadata names, else its own name."""
    named = (distribution.read_text("top_level.txt") or "").split()
    return {*named, distribution.name.lower().replace("-", "_").replace(".", "_")}
