"""Runs the command in a process of its own, as its users do."""

from __future__ import annotations

import gc
import json
import os
import pty
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from oneiric_compiler.cli import asks_for_json, main
from referencing import Registry, Resource

SCHEMAS = Path(__file__).parents[3] / "schemas"
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


@cache
def _schemas() -> Registry[Any]:
    found = [json.loads(path.read_text()) for path in SCHEMAS.glob("*.schema.json")]
    return Registry[Any]().with_resources([(each["$id"], Resource.from_contents(each)) for each in found])


def fits(document: Any) -> None:
    """A document has a versioned format, and is what the schema of that format says."""
    named = re.fullmatch(r"oneiric\.([a-z-]+)/1", document["format"])
    assert named is not None, document["format"]
    schema = _schemas().contents(f"{named[1]}.schema.json")
    Draft202012Validator(schema, registry=_schemas()).validate(document)


def check_document(arguments: Sequence[str], stdout: str) -> None:
    """Where a command was asked for JSON and wrote anything, it is one document that fits its schema."""
    if asks_for_json(arguments) and stdout and not {"-h", "--help"} & {*arguments}:
        fits(json.loads(stdout))


def run(
    *arguments: str | Path, cwd: Path, blocked: tuple[str, ...] = (), **environ: str
) -> subprocess.CompletedProcess[str]:
    """The command with its output piped; `blocked` modules cannot be imported. It never shows a traceback.

    It runs in this process, since starting one takes longer than what most commands do, unless it needs another: to
    serve, to lack modules, or for variables that Python itself reads.
    """
    words = [*map(str, arguments)]
    apart = blocked or {"serve", "demo"} & {*words} or any(name.startswith("PYTHON") for name in environ)
    done = (run_apart if apart else run_here)(cwd, words, blocked=blocked, environ=environment(**environ))
    assert "Traceback" not in done.stderr, done.stderr
    check_document(words, done.stdout)
    return done


def run_apart(
    root: Path,
    arguments: Sequence[str],
    *,
    blocked: tuple[str, ...] = (),
    environ: Mapping[str, str] | None = None,
    before: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, which first does what is to be done `before`."""
    code = f"BLOCKED = {blocked!r}{BLOCKED}{MAIN}" if blocked else MAIN
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=root,
        env=environment() if environ is None else environ,
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE,
        preexec_fn=before,
        check=False,
    )


def run_here(
    root: Path, arguments: Sequence[str], *, blocked: tuple[str, ...] = (), environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The command in this process."""
    assert not blocked
    before, known = sys.argv, dict(os.environ)
    sys.argv = ["oneiric", *arguments]
    code: object = None
    try:
        if environ is not None:
            os.environ.clear()
            os.environ.update(environ)
        with chdir(root), redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
            try:
                main()
            except SystemExit as end:
                code = end.code
    finally:
        sys.argv = before
        os.environ.clear()
        os.environ.update(known)
        gc.enable()  # a compile stops it for the rest of its process
    return subprocess.CompletedProcess(arguments, int(str(code or 0)), out.getvalue(), err.getvalue())


def session(commands: Iterable[Sequence[str]], *, cwd: Path, code: int = 0, **environ: str) -> str:
    """What a person sees who gives these commands one after the other; each exits with `code`."""
    shown: list[str] = []
    for command in commands:
        done = run(*command, cwd=cwd, **environ)
        assert done.returncode == code, (command, done.returncode, done.stderr)
        assert not (code == 2 and done.stdout), (command, done.stdout)
        shown.append(f"$ oneiric {shlex.join(command)}\n{done.stderr}{done.stdout}".replace(str(cwd), "/project"))
    return "\n".join(shown)


def run_on_terminal(*arguments: str, cwd: Path, main: str = MAIN, **environ: str) -> str:
    """What the command writes to a terminal that is its stdout and stderr."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", main, *arguments], cwd=cwd, env=environment(**environ), stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    written = everything_on(ours)
    process.wait(DEADLINE)
    return written.decode()


def everything_on(terminal: int) -> bytes:
    """What is written to a terminal until nobody has it open any more; it is closed."""
    written = b""
    try:
        while chunk := os.read(terminal, 65536):
            written += chunk
    except OSError:
        pass  # its other end was closed: the command is over
    finally:
        os.close(terminal)
    return written
