"""Small wirings for one test: keys and factories in, a wiring class out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from oneiric.wiring import Domain, Wiring, bind

T = TypeVar("T")
EAGER = os.environ.get("ONEIRIC_EAGER_TASKS") == "1"
"""Whether tasks start at once, as `asyncio.eager_task_factory` has it from Python 3.12 on."""


def key(factory: Callable[[Any], Any], *, name: str = "", **options: Any) -> Any:
    """A binding that `wiring_of` takes."""
    return lambda attribute: bind(name or f"adapter:{attribute}", "f", provider="test", **options)(factory)


def wiring_of(**keys: Any) -> type[Any]:
    """A wiring with one domain, `adapters`."""
    bindings = {attribute: make(attribute) for attribute, make in keys.items()}
    domain: Any = type("Adapters", (Domain,), bindings)

    class Small(Wiring, app="test"):
        pass

    Small.domains(adapters=domain)
    return Small


def run(work: Coroutine[Any, Any, T], *, within: float = 10.0) -> T:
    """Run a test's coroutine under a deadline; in a loop whose tasks may be eager."""

    async def bounded() -> T:
        async with asyncio.timeout(within):
            return await work

    with asyncio.Runner() as runner:
        if EAGER:
            runner.get_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
        return runner.run(bounded())


class Part:
    """A component that counts its closes; `made` lists all instances since the test began."""

    def __init__(self, made: list[Part]) -> None:
        made.append(self)
        self.closes = 0

    async def ping(self, value: int = 1) -> int:
        return value

    def close(self) -> None:
        self.closes += 1
