"""Compiles the project of the first argument in this process and prints outputs and diagnostics as JSON.

With `reversed` as second argument, folders list their entries backwards.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path


def list_backwards() -> None:
    scandir, listdir = os.scandir, os.listdir

    @contextmanager
    def backwards(path="."):
        with scandir(path) as entries:
            yield iter(sorted(entries, key=lambda entry: entry.name, reverse=True))

    os.scandir = backwards
    os.listdir = lambda path=".": sorted(listdir(path), reverse=True)


def main() -> None:
    from oneiric_compiler.diagnostics.found import Diagnostics
    from oneiric_compiler.model import Project
    from oneiric_compiler.pipeline import compile_project

    if "reversed" in sys.argv[2:]:
        list_backwards()
    diagnostics = Diagnostics()
    outputs = compile_project(Project.at(Path(sys.argv[1]), os.environ), diagnostics)
    files = outputs.profiles if outputs else {}
    found = {
        "outputs": {
            f"{folder}/{name}": data.decode() for folder, named in files.values() for name, data in named.items()
        },
        "diagnostics": [[each.code, each.message, each.help] for each in diagnostics],
    }
    json.dump(found, sys.stdout)


main()
