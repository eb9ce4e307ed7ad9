"""Runs the command in a process of its own, as its users do."""

from __future__ import annotations

import os
import pty
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

MAIN = "from oneiric_compiler.cli import main; main()"
BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
"""
COMPILER_EXTRA = ("cryptography", "httpx", "jinja2", "jsonschema", "yaml")
DEADLINE = 60


def environment(**more: str) -> dict[str, str]:
    hidden = ("NO_COLOR", "FORCE_COLOR", "TERM", "ONEIRIC_CONFIG", "ONEIRIC_STACK_ORDER", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    return {**kept, "TERM": "xterm-256color", "PYTHONDONTWRITEBYTECODE": "1", **more}


def run(
    *arguments: str | Path, cwd: Path, blocked: tuple[str, ...] = (), **environ: str
) -> subprocess.CompletedProcess[str]:
    """The command with its output piped; `blocked` modules cannot be imported. It never shows a traceback."""
    code = f"BLOCKED = {blocked!r}{BLOCKED}{MAIN}" if blocked else MAIN
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=cwd,
        env=environment(**environ),
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def session(commands: Iterable[Sequence[str]], *, cwd: Path, code: int = 0, **environ: str) -> str:
    """What a person sees who gives these commands one after the other; each exits with `code`."""
    shown: list[str] = []
    for command in commands:
        done = run(*command, cwd=cwd, **environ)
        assert done.returncode == code, (command, done.returncode, done.stderr)
        assert not (code == 2 and done.stdout), (command, done.stdout)
        shown.append(f"$ oneiric {shlex.join(command)}\n{done.stderr}{done.stdout}".replace(str(cwd), "/project"))
    return "\n".join(shown)


def run_on_terminal(*arguments: str, cwd: Path, **environ: str) -> str:
    """What the command writes to a terminal that is its stdout and stderr."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, *arguments], cwd=cwd, env=environment(**environ), stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    written = b""
    try:
        while chunk := os.read(ours, 65536):
            written += chunk
    except OSError:
        pass  # the terminal's other end was closed: the command is over
    finally:
        os.close(ours)
        process.wait(DEADLINE)
    return written.decode()
