"""The compiler as a child process: what fails in it cannot hurt this one."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from oneiric.documents import Misfit, Shape, parse
from oneiric.reload.outcome import Nack, Overrides
from oneiric.tracing import span

_REASON = 8000
"""The most characters of the compiler's own words that a reason repeats."""
_ANSWER: Shape = {"drift": (str, None), "diff": {"format": str}}


class Order(NamedTuple):
    """What is to be compiled: a profile of the project with these overrides. `baseline` is the folder of the wiring
    without any, `current` that of the one that runs."""

    project: Path
    profile: str
    overrides: Overrides
    baseline: Path
    current: Path


class Compiled(NamedTuple):
    """The `wiring.py` with the overrides. Where the settings are not those that the baseline was compiled from, `drift`
    says what tells them apart, and `plain` is the `wiring.py` that they come to without overrides; `diff` is what goes
    over to the new wiring means, in the format of `oneiric diff`."""

    swapped: Path
    plain: Path
    drift: str | None
    diff: Mapping[str, Any]


async def recompile(order: Order, folder: Path, seconds: float) -> Compiled:
    """Compile into `folder`, with and without the overrides, from one reading of the project.

    Raises `Nack` with what the compiler said, or that it was killed or took too long; `OSError`.
    """
    stated = folder / "overrides.json"
    stated.write_text(json.dumps(order.overrides.document()), "utf-8")
    command = [sys.executable, "-P", "-m", "oneiric_compiler.child", "--project", str(order.project)]
    command += ["--profile", order.profile, "--overrides", str(stated)]
    command += ["--baseline", str(order.baseline), "--current", str(order.current), "--out", str(folder)]
    with span("recompile", profile=order.profile):
        child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(seconds):
                answer, told = await _said(child)
        except TimeoutError:
            raise Nack("compile", f"the compiler took longer than {seconds:g} seconds") from None
        finally:
            await _end(child)
    if child.returncode:
        raise Nack("compile", _why(child.returncode, told.decode(errors="replace").strip()))
    try:
        found = parse(answer, _ANSWER)
    except Misfit as error:
        raise Nack("compile", f"what the compiler answered cannot be used: {error}") from None
    return Compiled(folder / "swapped/wiring.py", folder / "plain/wiring.py", found["drift"], found["diff"])


async def _said(child: asyncio.subprocess.Process) -> tuple[bytes, bytes]:
    """All that it prints. Unlike `communicate` this leaves its input open, whose end tells it of ours."""
    assert child.stdout is not None
    assert child.stderr is not None
    said = await asyncio.gather(child.stdout.read(), child.stderr.read())
    await child.wait()
    return said[0], said[1]


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.kill()
        await asyncio.shield(child.wait())


def _why(code: int, said: str) -> str:
    how = f"the compiler was killed by signal {-code}" if code < 0 else f"the compiler answered {code}"
    return f"{how}:\n{said[-_REASON:]}" if said else how
