"""Noticing that the wiring on disk has changed: by its content, whichever way it got there."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from pathlib import Path

import watchfiles

from oneiric.lines import generation_at

QUIET = 0.2
"""Seconds without a change of the content until it counts."""
LOOK = 1.0
"""Seconds after which the files are looked at without having been told, for file systems that do not tell."""
_LINKS = 40


def digest(wiring: Path) -> str | None:
    """The generation of a wiring's files; None while they cannot be read."""
    try:
        return generation_at(str(wiring))
    except OSError:
        return None


def folders(path: Path) -> set[Path]:
    """Where something can change what the path leads to: its real folder, and that of each symbolic link on the way."""
    rest = list(path.absolute().parts[1:])
    here, found, links = Path("/"), set[Path](), 0
    while rest and links <= _LINKS:
        part = rest.pop(0)
        if part == "..":
            here = here.parent
            continue
        step = here / part
        if step.is_symlink():
            links += 1
            found.add(here)
            target = Path(os.readlink(step))
            rest = [*(target.parts[1:] if target.is_absolute() else target.parts), *rest]
            here = Path("/") if target.is_absolute() else here
        else:
            here = step
    found.add(here.parent)
    return {folder for folder in found if folder.is_dir()}


async def watch(wiring: Path, known: str | None, changed: Callable[[], Awaitable[object]]) -> None:
    """Call `changed` whenever the wiring's content differs from before, at first from `known`. Runs until
    cancelled."""
    stamp = None
    while True:
        watched = folders(wiring)
        # its signature names a type of trio, which need not be installed
        told = watchfiles.awatch(  # pyright: ignore[reportUnknownMemberType]
            *watched,
            watch_filter=None,
            recursive=False,
            yield_on_timeout=True,
            rust_timeout=int(LOOK * 1000),
        )
        with suppress(FileNotFoundError):  # one of the folders went away just now
            async with aclosing(told):
                async for changes in told:
                    before, stamp = stamp, _stamp(wiring)
                    found = await _settled(wiring) if changes or stamp != before else None
                    if found is not None and found != known:
                        known = found
                        await changed()
                    if folders(wiring) != watched:
                        break


def _stamp(wiring: Path) -> tuple[object, ...]:
    """A value that is cheap to get and changes when the files do."""
    stamp: list[object] = []
    for path in (wiring, wiring.with_name("tenants.jsonl")):
        with suppress(OSError):
            at = path.stat()
            stamp += [at.st_ino, at.st_mtime_ns, at.st_size]
    return tuple(stamp)


async def _settled(wiring: Path) -> str | None:
    """The digest once it has stayed the same for a while."""
    found = await asyncio.to_thread(digest, wiring)
    while True:
        await asyncio.sleep(QUIET)
        again = await asyncio.to_thread(digest, wiring)
        if again == found:
            return found
        found = again
