"""The compiler as a child process: what fails in it cannot hurt this one."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from oneiric.reload.outcome import Nack, Overrides
from oneiric.tracing import span

_REASON = 8000
"""The most characters of the compiler's own words that a reason repeats."""


async def recompile(project: Path, folder: Path, overrides: Overrides, profile: str, seconds: float) -> Path:
    """Compile a project with these overrides into `folder`; the new `wiring.py`.

    Raises `Nack` with what the compiler said, or that it was killed or took too long; `OSError`.
    """
    stated = folder / "overrides.json"
    stated.write_text(json.dumps(overrides.document()), "utf-8")
    command = [sys.executable, "-P", "-m", "oneiric_compiler.child", "--project", str(project), "compile"]
    command += ["--overrides", str(stated), "--out", str(folder), "--profile", profile]
    with span("recompile", profile=profile):
        child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(seconds):
                said = await _said(child)
        except TimeoutError:
            raise Nack("compile", f"the compiler took longer than {seconds:g} seconds") from None
        finally:
            await _end(child)
    if child.returncode:
        raise Nack("compile", _why(child.returncode, said.decode(errors="replace").strip()))
    return folder / "wiring.py" if profile == "default" else folder / profile / "wiring.py"


async def _said(child: asyncio.subprocess.Process) -> bytes:
    """What it says until its end. Unlike `communicate` this leaves its input open, which it takes our end from."""
    assert child.stdout is not None
    said = await child.stdout.read()
    await child.wait()
    return said


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.kill()
        await asyncio.shield(child.wait())


def _why(code: int, said: str) -> str:
    how = f"the compiler was killed by signal {-code}" if code < 0 else f"the compiler answered {code}"
    return f"{how}:\n{said[-_REASON:]}" if said else how
