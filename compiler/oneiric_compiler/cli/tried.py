"""`oneiric --demo COMMAND`: a command tried on a project that is there for it alone."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from oneiric_compiler.cli import scaffold
from oneiric_compiler.cli.errors import compiler_extra


@contextmanager
def new_project() -> Generator[None]:
    """What `oneiric init` makes, in a folder that is the working directory until the end, and is then removed."""
    with compiler_extra("--demo"):
        from oneiric_compiler.cli.story import compile_now
        from oneiric_compiler.model import Project

    before = Path.cwd()
    with TemporaryDirectory(prefix="oneiric-demo-") as folder:
        root = Path(folder)
        scaffold.write_new(root, scaffold.project_files("demo", scaffold.Template.SHOP))
        compile_now(Project.at(root, {}))
        os.chdir(root)
        try:
            yield
        finally:
            os.chdir(before)
