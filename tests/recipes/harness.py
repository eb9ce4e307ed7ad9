"""A recorded change to this project, made in a copy of it: what it touches, and whether all holds with it.

An example is a folder beside this module. `new/` holds the files that it adds, in their places; `edits.toml` what it
puts in place of a text that a file has exactly once:

    [[edit]]
    file = "pyproject.toml"
    find = "a line"
    put = "a line\\nand another"
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.repository.repositories import CHECKOUT, copied, git

MYPY_CACHE = ".mypy_cache"
SECONDS = 300


class Copy:
    """A copy of what would be committed here, its packages in front of those that are installed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        copied(root)
        if (CHECKOUT / MYPY_CACHE).is_dir():
            shutil.copytree(CHECKOUT / MYPY_CACHE, root / MYPY_CACHE)

    def apply(self, example: str) -> set[str]:
        """Make a recorded change; the files that it touches."""
        folder = Path(__file__).with_name(example)
        shutil.copytree(folder / "new", self.root, dirs_exist_ok=True)
        edits = folder / "edits.toml"
        for edit in tomllib.loads(edits.read_text("utf-8"))["edit"] if edits.exists() else ():
            path = self.root / edit["file"]
            text = path.read_text("utf-8")
            assert text.count(edit["find"]) == 1, f"not once in {edit['file']}: {edit['find']}"
            path.write_text(text.replace(edit["find"], edit["put"]), "utf-8")
        return self.touched()

    def touched(self) -> set[str]:
        """The files that are not as they were in the checkout."""
        status = git(self.root, "status", "--porcelain", "--untracked-files=all", "--no-renames", "-z").stdout
        return {line[3:] for line in status.split("\0") if line and line[1] != " "}

    def python(self, *arguments: str) -> str:
        """Run this interpreter in the copy, and see that it ends well; its output."""
        path = os.pathsep.join(str(self.root / folder) for folder in ("compiler", "runtime"))
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env={**kept, "PYTHONPATH": path, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def generate(self) -> set[str]:
        """Make what is made from something else, as `just generate` does; the files touched so far."""
        self.python("-m", "oneiric_compiler.pages")
        self.python("-m", "oneiric_compiler", "compile")
        return self.touched()

    def stale(self) -> None:
        """See that nothing is left to generate."""
        self.python("-m", "oneiric_compiler.pages", "--check")
        self.python("-m", "oneiric_compiler", "compile", "--check")

    def check(self, *tests: str) -> None:
        """What a commit has to pass, and these tests."""
        self.python("-m", "ruff", "check")
        self.python("-m", "ruff", "format", "--check")
        self.stale()
        self.python("-m", "mypy")
        self.python("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache")
        self.python("-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
