"""Installed distributions that offer components through entry points; their source is read, never imported."""

from __future__ import annotations

import importlib.metadata as metadata
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from oneiric_compiler.diagnostics.found import Diagnostics, did_you_mean
from oneiric_compiler.model import Stated
from oneiric_compiler.source.modules import Root

GROUP = "oneiric.components"


@dataclass(frozen=True, slots=True)
class Plugin:
    """A distribution, its version, the modules its entry points name, and where their source lies."""

    name: str
    version: str
    modules: tuple[str, ...]
    roots: tuple[Root, ...]


def find_plugins(listed: Iterable[Stated[str]], diagnostics: Diagnostics) -> Iterator[Plugin]:
    """The listed plugins, in order; those that cannot be used are reported."""
    listed = tuple(listed)
    offered = {_normal(name): name for name in _offering()}
    for stated in listed:
        if plugin := _find(stated, offered.values(), diagnostics):
            yield plugin
    wanted = {_normal(stated.value) for stated in listed}
    for normal, name in sorted(offered.items()):
        if normal not in wanted:
            help = f"add `{name}` to `plugins` in settings/app.yml to use it"
            message = f"plugin `{name}` is installed but not listed"
            diagnostics.add("ONE208", message, help=help)


def _find(stated: Stated[str], offered: Iterable[str], diagnostics: Diagnostics) -> Plugin | None:
    name = stated.value
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        near = partial(did_you_mean, name, offered, "install it where the compiler runs")
        diagnostics.add("ONE207", f"plugin `{name}` is not installed", stated.place, help=near)
        return None
    modules = tuple(sorted({each.module for each in distribution.entry_points if each.group == GROUP}))
    roots = tuple(root for module in modules if (root := _root(distribution, module)))
    if not modules or len(roots) < len(modules):
        reason = f"names a module whose source is not found, of {', '.join(modules)}" if modules else "offers nothing"
        help = f"its entry points in the group `{GROUP}` name the modules to read"
        diagnostics.add("ONE207", f"plugin `{name}` {reason}", stated.place, help=help)
        return None
    return Plugin(name, distribution.version, modules, roots)


def _offering() -> Iterator[str]:
    for entry in metadata.entry_points(group=GROUP):
        if entry.dist is not None:
            yield entry.dist.name


def _root(distribution: metadata.Distribution, module: str) -> Root | None:
    top = module.partition(".")[0]
    for folder in (str(distribution.locate_file("")), *sys.path):
        path = Path(folder or ".")
        if (path / top).is_dir() or (path / f"{top}.py").is_file():
            return Root(path.resolve(), only=frozenset((top,)))
    return None


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
