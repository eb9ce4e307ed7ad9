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
        from oneiric_compiler.diagnostics.found import Diagnostics
        from oneiric_compiler.model import Project
        from oneiric_compiler.pipeline import compile_project
        from oneiric_compiler.stages.write import write

    before = Path.cwd()
    with TemporaryDirectory(prefix="oneiric-demo-") as folder:
        root, diagnostics = Path(folder), Diagnostics()
        scaffold.write_new(root, scaffold.project_files("demo", scaffold.Template.SHOP))
        outputs = compile_project(Project.at(root, {}), diagnostics)
        assert outputs is not None, list(diagnostics)
        write(outputs, diagnostics)
        os.chdir(root)
        try:
            yield
        finally:
            os.chdir(before)
