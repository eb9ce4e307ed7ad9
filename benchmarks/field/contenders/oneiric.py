"""This project: the parts declared in settings, compiled ahead of time; the classes are the very same."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.field.cache import Cache
from benchmarks.field.chain import Maker
from benchmarks.field.parts import FIRST, Parts

DISTRIBUTION = "oneiric"
START = """\
import asyncio, sys, time
from benchmarks.field.parts import ANSWER, ORDER
from generated.wiring import Wiring
from oneiric import Runtime

async def main():
    async with Runtime(Wiring) as runtime:
        desk = await runtime.use("service", "desk-7")
        assert type(runtime.wiring.services.desk_7.current).__name__ == "Desk7"
        first, modules = time.monotonic(), len(sys.modules)
        assert await desk.serve(ORDER) == ANSWER
        from benchmarks.field.reached import tell
        tell(first, modules)

asyncio.run(main())
"""
_COMPONENT = "  - {{key: {key}, provider: plain, factory: '{path}'{needs}}}\n"
_TENANT = """\
services:
  components:
    - {{key: store-{i}, provider: other, factory: 'parts.other:Other{i}'}}
  selections:
    store-{i}: other
"""


def write(parts: Parts, folder: Path, tenants: int = 0) -> None:
    """The settings of the project in `folder`, and what they compile to."""
    from benchmarks.field.environment import compiler
    from benchmarks.projects import compile_project

    lines = ["components:\n"]
    for i, (store, desk) in enumerate(parts.paths()):
        lines.append(_COMPONENT.format(key=f"store-{i}", path=store, needs=""))
        lines.append(_COMPONENT.format(key=f"desk-{i}", path=desk, needs=f", needs: {{store: 'service:store-{i}'}}"))
    settings = folder / "settings"
    (settings / "tenants").mkdir(parents=True)
    (settings / "app.yml").write_text("name: field\nallow: [parts]\n", "utf-8")
    (settings / "services.yml").write_text("".join(lines), "utf-8")
    for number in range(tenants):
        (settings / "tenants" / f"t{number}.yml").write_text(_TENANT.format(i=FIRST), "utf-8")
    compile_project(folder, python=compiler())


@asynccontextmanager
async def access(parts: Parts) -> AsyncGenerator[dict[str, tuple[str, dict[str, Any]]]]:
    async with _running() as runtime:
        await runtime.use("service", f"desk-{FIRST}")
        slot = getattr(runtime.wiring.services, f"desk_{FIRST}")
        yield {
            DISTRIBUTION: (f"runtime.wiring.services.desk_{FIRST}.current", {"runtime": runtime}),
            f"{DISTRIBUTION}, slot held": ("slot.current", {"slot": slot}),
        }


@asynccontextmanager
async def transient() -> AsyncGenerator[dict[str, tuple[str, dict[str, Any]]]]:
    from oneiric import Runtime

    from benchmarks.swapping import wiring

    async with Runtime(wiring("one", Maker)) as runtime:
        slot = runtime.wiring.adapters.cache
        async with slot.lease():
            yield {f"{DISTRIBUTION}, a component that is a factory": ("slot.current()", {"slot": slot})}


@asynccontextmanager
async def swap(first: Cache) -> AsyncGenerator[tuple[Any, Any]]:
    from oneiric import Runtime

    from benchmarks.swapping import wiring

    def of(cache: Cache) -> Any:
        return wiring(f"{id(cache):x}", lambda: cache)

    async def replace(other: Cache) -> None:
        outcome = await runtime.reload(of(other))
        assert outcome.accepted, outcome.reason

    async with Runtime(of(first)) as runtime:
        live = runtime.wiring.adapters.cache.live
        yield lambda: live, replace


@asynccontextmanager
async def tenant(parts: Parts) -> AsyncGenerator[Any]:
    async with _running() as runtime:

        async def own(name: str) -> tuple[Any, Any]:
            return await runtime.use("service", f"desk-{FIRST}", tenant=name), None

        yield own


@asynccontextmanager
async def _running() -> AsyncGenerator[Any]:
    from oneiric import Runtime

    from generated.wiring import Wiring

    async with Runtime(Wiring) as runtime:
        yield runtime
