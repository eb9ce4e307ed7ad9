"""What the kill trials are made with: a wiring and a compiler in place of the real ones, or a project and the compiler.

The first is quick, so that a kill hits the moments between a compile and its record; of the second everything is real.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple, TypeAlias

from oneiric.reload.recompile import Compiled, Order, recompile

from tests.faults.compiler import text_of

Compile: TypeAlias = Callable[[Order, Path, float], Awaitable[Compiled]]


class Kind(NamedTuple):
    """One kind of trial. `providers` of `key`, the first of which is the baseline's; `longest` is the most seconds
    that a process runs before its kill; `check` is run in the project after each."""

    key: str
    providers: tuple[str, ...]
    make: Callable[[Path], None]
    compile: Compile
    longest: float
    check: tuple[str, ...] | None


def _make_quick(folder: Path) -> None:
    (folder / "generated").mkdir()
    (folder / "generated" / "wiring.py").write_text(text_of())


async def _compile_quickly(order: Order, folder: Path, seconds: float) -> Compiled:
    """Without the time a process takes: writes in two halves."""
    text = text_of(order.overrides.base.get("adapter:a", "1"))
    wiring = folder / "swapped/wiring.py"
    wiring.parent.mkdir()
    wiring.with_name("explain.json").write_text("{}")
    with open(wiring, "w") as file:
        file.write(text[:200])
        file.flush()
        await asyncio.sleep(0.0005)
        file.write(text[200:])
    return Compiled(wiring, folder / "plain/wiring.py", None, {})


_PROVIDERS = ("first", "second", "third", "fourth")
_PORT = """\
from typing import Protocol
from oneiric import component

class Pinging(Protocol):
    async def ping(self) -> str: ...
"""
_PART = """
@component("adapter", "pinger", provider="{0}", port="lab.parts:Pinging")
class {1}:
    async def ping(self) -> str:
        return "{0}"

    def health(self) -> bool:
        return True

    async def aclose(self) -> None:
        pass
"""
_FILES = {
    "settings/app.yml": "name: lab\npackages: [lab]\n",
    "settings/adapters.yml": f"selections:\n  pinger: {_PROVIDERS[0]}\n",
    "lab/__init__.py": "",
    "lab/parts.py": _PORT + "".join(_PART.format(each, each.title()) for each in _PROVIDERS),
}
_COMPILE = (sys.executable, "-P", "-m", "oneiric_compiler", "compile")


def make_project(folder: Path) -> None:
    """A project that the compiler compiled."""
    for name, text in _FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    subprocess.run(_COMPILE, cwd=folder, check=True, timeout=60, capture_output=True)


QUICK = Kind("adapter:a", tuple("123456789"), _make_quick, _compile_quickly, 0.03, None)
REAL = Kind("adapter:pinger", _PROVIDERS, make_project, recompile, 1.2, (*_COMPILE, "--check"))
