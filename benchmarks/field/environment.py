"""The environments that the field is measured in, below `benchmarks/.venv`, for each version of Python.

The contenders and this project's runtime share one that has nothing else: some contenders import what they find. The
compiler, whose dependencies would be found, has another.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks" / ".venv" / f"{sys.version_info.major}.{sys.version_info.minor}"
REQUIREMENTS, CONSTRAINTS, PROJECT = (
    ROOT / "benchmarks/requirements.txt",
    ROOT / "constraints.txt",
    ROOT / "pyproject.toml",
)


@dataclass(frozen=True, slots=True)
class Environment:
    """One of them: its folder, and what pip installs into it, in so many steps."""

    folder: Path
    steps: tuple[tuple[str, ...], ...]

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    def make(self) -> None:
        """Make it again unless it is there, of the present files.

        Raises `CalledProcessError` when an installation fails; pip has said why.
        """
        mark = self.folder / "inputs.sha256"
        digest = hashlib.sha256(
            b"\0".join(path.read_bytes() for path in (REQUIREMENTS, CONSTRAINTS, PROJECT))
        ).hexdigest()
        if mark.is_file() and mark.read_text("utf-8") == digest:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        venv.create(self.folder, with_pip=True)
        for step in self.steps:
            pip = [self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *step]
            subprocess.run(pip, check=True)
        mark.write_text(digest, "utf-8")


FIELD = Environment(FOLDER / "field", (("-r", str(REQUIREMENTS)), ("--no-deps", "-e", str(ROOT))))
COMPILER = Environment(FOLDER / "compiler", (("-c", str(CONSTRAINTS), "-e", f"{ROOT}[compiler]"),))


def is_field() -> bool:
    """Does this process run in the contenders' environment?"""
    return Path(sys.prefix).resolve() == FIELD.folder.resolve()


def compiler() -> str:
    """The interpreter that has the compiler: in the contenders' environment another one than this."""
    return COMPILER.python if is_field() else sys.executable
