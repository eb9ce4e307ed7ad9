"""Those that follow the state folder of a process, and whether they have what it committed last."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from oneiric_compiler.cli.progress import working
from oneiric_compiler.text.paint import Line
from oneiric_compiler.text.visible import visible

if TYPE_CHECKING:
    from oneiric.reload.followers import Following
    from oneiric.serve.folder import StateFolder

WAIT = 5.0
"""Seconds for which a command waits at most until all have what was committed."""
_AGAIN = 0.05
_BEHIND = "it has not come to it yet"
_SHOWN = 12
Follower: TypeAlias = Mapping[str, Any]


def followers_of(folder: StateFolder, generation: str | None) -> list[dict[str, Any]]:
    """Each that lives: its `pid`, the `generation` that it runs, the one that it has `seen` last, whether it `took` the
    owner's `generation`, else the `reason`."""
    from oneiric.reload.followers import followers

    return [_document(each, generation) for each in followers(folder.path)]


def converged(folder: StateFolder, generation: str, timeout: float | None) -> list[dict[str, Any]]:
    """The same once each has said what it makes of what the owner wrote down last, or after a short wait."""
    until = time.monotonic() + min(WAIT, WAIT if timeout is None else timeout)
    if _waited_for(folder):
        with working("waiting for followers"):
            while _waited_for(folder) and time.monotonic() < until:
                time.sleep(_AGAIN)
    return followers_of(folder, generation)


def _waited_for(folder: StateFolder) -> bool:
    from oneiric.reload.followers import followers
    from oneiric.reload.state import stamp_of

    stamp = stamp_of(folder.path)
    return any(each.looked != stamp for each in followers(folder.path))


def _document(found: Following, generation: str | None) -> dict[str, Any]:
    took = found.accepted and found.generation == generation
    told = found.reason if found.seen in (generation, None) else None
    return {
        "pid": found.pid,
        "generation": found.generation,
        "seen": found.seen,
        "took": took,
        "reason": None if took else told or _BEHIND,
    }


def rows(found: Sequence[Follower]) -> Iterator[Line]:
    """A line for each."""
    wide = max((len(str(each["pid"])) for each in found), default=0)
    for each in found:
        who = f"  {'follower':<12}{each['pid']:<{wide}}  {visible(str(each['generation'])[:_SHOWN]):<{_SHOWN}}  "
        told = "has it" if each["took"] else visible(str(each["reason"]))
        yield [(who, "plain"), (told, "green" if each["took"] else "yellow")]


def summed_up(found: Sequence[Follower]) -> Iterator[Line]:
    """One line for those that have it, if any follow."""
    took = [str(each["pid"]) for each in found if each["took"]]
    if found:
        names = f": {', '.join(took)}" if took else ""
        yield [(f"  {'taken by':<8} {len(took)} of {len(found)} followers{names}", "dim" if took else "plain")]


def warnings(found: Sequence[Follower]) -> Iterator[Line]:
    """A line for each that does not have it."""
    for each in found:
        if not each["took"]:
            running = visible(str(each["generation"])[:_SHOWN]) or "none"
            told = f": follower {each['pid']} runs generation {running}: {visible(str(each['reason']))}"
            yield [("warning", "yellow"), (told, "plain")]
