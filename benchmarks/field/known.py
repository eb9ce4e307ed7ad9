"""Which contenders there are, what they are called, which release of each is installed."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from pkgutil import iter_modules
from types import ModuleType

from benchmarks.field import contenders


def found(*, peers: bool) -> dict[str, ModuleType]:
    """The contenders by what they are called: the floors and this project, and the peers too where asked for."""
    modules = [import_module(f"{contenders.__name__}.{each.name}") for each in iter_modules(contenders.__path__)]
    named = {label(module): module for module in modules}
    return {name: module for name, module in named.items() if peers or name == "oneiric" or is_floor(module)}


def label(module: ModuleType) -> str:
    """What a contender is called: its distribution; a floor has a label of its own."""
    name: str = module.LABEL if is_floor(module) else module.DISTRIBUTION
    return name


def is_floor(module: ModuleType) -> bool:
    return hasattr(module, "LABEL")


def versions(named: dict[str, ModuleType]) -> dict[str, str]:
    """The installed version of each that is a distribution."""
    return {name: version(name) for name, module in named.items() if not is_floor(module)}
