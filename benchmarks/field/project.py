"""The folder that the contenders work in: the package `parts`, and what each of them writes beside it."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from benchmarks.field.parts import FIRST, PER_MODULE, Parts

_AREA = '''\
class Store{i}:
    """Keeps what area {i} needs."""

    async def get(self, order: str) -> str:
        return f"{{order}} at store {i}"


class Desk{i}:
    """Serves area {i}."""

    def __init__(self, store: Store{i}) -> None:
        self.store = store

    async def serve(self, order: str) -> str:
        return f"desk {i}: {{await self.store.get(order)}}"
'''
_OTHER = '''\
from parts.areas{module} import Store{i}


class Other{i}(Store{i}):
    """What a tenant has instead."""

    async def get(self, order: str) -> str:
        return f"{{order}} at the other store {i}"
'''


@contextmanager
def project(parts: Parts, contenders: dict[str, ModuleType]) -> Generator[Path, None, None]:
    """A folder with the parts and all that the contenders write; it is gone afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_parts(parts, folder)
        for contender in contenders.values():
            if hasattr(contender, "write"):
                contender.write(parts, folder)
        yield folder


@contextmanager
def imported(folder: Path) -> Generator[None, None, None]:
    """Have the folder's packages importable in this process, and forget them afterwards."""
    before = _forget()
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        _forget()
        sys.modules.update(before)


def _forget() -> dict[str, ModuleType]:
    """Take the folder's packages out of what is imported; another project's of the same name may be."""
    names = [name for name in sys.modules if name.partition(".")[0] in {"parts", "generated"}]
    return {name: sys.modules.pop(name) for name in names}


def write_parts(parts: Parts, folder: Path) -> None:
    package = folder / "parts"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    for first in range(0, parts.areas, PER_MODULE):
        areas = range(first, min(first + PER_MODULE, parts.areas))
        text = "\n\n".join(_AREA.format(i=i) for i in areas)
        (package / f"areas{first // PER_MODULE}.py").write_text(text, "utf-8")
    (package / "other.py").write_text(_OTHER.format(i=FIRST, module=FIRST // PER_MODULE), "utf-8")
