"""What no compile wrote and stands where its modules are to be imported from, or is imported in their place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from oneiric_compiler.diagnostics.found import Diagnostics, Source, Span
from oneiric_compiler.model import Outputs
from oneiric_compiler.stages.choosing import HEAD, NAME

_BEFORE_SOURCE = (".so", ".pyd")
"""What ends the name of a module that Python prefers to one of source."""


def tell(outputs: Outputs, diagnostics: Diagnostics) -> bool:
    """Reports somebody's own `choose.py` where the generated one is to be, and what takes the place of a module at
    import; whether there is any."""
    found = False
    for folder, files in outputs.profiles.values():
        place = outputs.root / folder
        if NAME in files and not is_ours(place / NAME):
            message = f"{folder}/{NAME} is to be generated, and is not of a compile"
            help = "move it away, or name another folder as `output` in settings/app.yml"
            diagnostics.add("ONE124", message, Span(Source(f"{folder}/{NAME}", "")), help=help)
            found = True
        for name, taker in _takers(place, files):
            message = f"Python imports {folder}/{taker} in place of {folder}/{name}"
            diagnostics.add("ONE125", message, Span(Source(f"{folder}/{taker}", "")), help="move it away")
            found = True
    return found


def is_ours(path: Path) -> bool:
    """Whether a compile may replace the file: it wrote it, or there is none."""
    try:
        with path.open("rb") as file:
            return HEAD in file.read(2 * len(HEAD))  # a merge conflict may stand before it
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return path.is_dir()  # which is told when it is to be written


def _takers(folder: Path, files: dict[str, bytes]) -> Iterator[tuple[str, str]]:
    """Each module that is to be imported with what Python finds first."""
    modules = {name.removesuffix(".py"): name for name in files if name.endswith(".py")}
    try:
        entries = sorted(os.listdir(folder))
    except OSError:
        return
    for entry in entries:
        module = modules.get(entry.partition(".")[0])
        if module is None or entry == module:
            continue
        if entry.endswith(_BEFORE_SOURCE) or any((folder / entry).glob("__init__.*")):
            yield module, entry
