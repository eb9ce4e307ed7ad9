"""Where the runs of one process are kept, in the place of what the settings say."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from oneiric.errors import OneiricError
from oneiric.lifecycle.steps import lifecycle

ENGINE = "adapter:engine"


class Checkpoints(NamedTuple):
    """In a SQLite file; without one nowhere, and they are gone with the process."""

    path: Path | None


def engine_of(checkpoints: Checkpoints) -> Any:
    """The engine that keeps them so. Raises `OneiricError` where its extra is not installed."""
    if checkpoints.path is None:
        from oneiric.adapters.engine.inline import InlineEngine

        return InlineEngine()
    try:
        from oneiric.adapters.engine.dbos import DbosEngine
    except ModuleNotFoundError as error:
        raise OneiricError(f"checkpoints need the extra `engine-dbos` of oneiric (no module {error.name})") from error
    return DbosEngine(path=checkpoints.path.absolute())


@asynccontextmanager
async def kept(engine: Any) -> AsyncGenerator[Any]:
    """An engine, started and closed as the runtime would. Raises what it does."""
    start = lifecycle(engine, "start")
    if start is not None:
        await start()
    try:
        yield engine
    finally:
        await engine.aclose()
