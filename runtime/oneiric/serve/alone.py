"""An application for one command, where no process serves it: nothing starts but what the command uses."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from oneiric.engines.work import work_of
from oneiric.host import Host
from oneiric.loading import load
from oneiric.runtime import Runtime, host_of
from oneiric.serve.checkpoints import ENGINE, Checkpoints, engine_of, kept
from oneiric.serve.invoking import Invoking
from oneiric.serve.messages import Messages
from oneiric.serve.process import source_roots
from oneiric.serve.runs import Runs
from oneiric.serve.ticking import Ticking
from oneiric.session import beside


class Alone:
    """The rooms that do operations, by the names they have in a process."""

    __slots__ = ("invoking", "messages", "runs", "ticking")

    def __init__(self, host: Host) -> None:
        self.runs = Runs(host)
        self.messages = Messages(host)
        self.ticking = Ticking(host)
        self.invoking = Invoking(host)


@asynccontextmanager
async def alone(
    root: Path, path: Path, *, checkpoints: Checkpoints | None = None, works: bool = False
) -> AsyncGenerator[Alone]:
    """The rooms of the wiring at a path; where it `works`, runs are carried on meanwhile, those left behind too.

    Raises `LoadError`, `UnknownKey` where no engine is bound, and what the engine does.
    """
    wiring = load(path)
    sys.path[:0] = source_roots(root, wiring)
    async with AsyncExitStack() as stack:
        replace: dict[str, Any] = {}
        if checkpoints is not None:
            replace[ENGINE] = await stack.enter_async_context(kept(engine_of(checkpoints)))
        runtime = Runtime(wiring, project=root, replace=replace)
        host = await stack.enter_async_context(beside(host_of(runtime)))
        rooms, work = Alone(host), work_of(host)
        if works:
            await work.begin(rooms.runs)
        try:
            yield rooms
        finally:
            await work.end(rooms.runs)
