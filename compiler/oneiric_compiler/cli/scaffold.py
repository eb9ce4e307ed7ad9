"""The files of a new project, and writing them without touching what is there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from oneiric_compiler.resources import templates

_IGNORED = b"__pycache__/\n/.oneiric/\n/.oneiric_storage/\n"
"""What is of one machine: bytecode, the state of processes, what storage/local keeps."""
_KEPT = b"# outputs are compared byte for byte: git leaves their line ends as they are\n/generated/** -text\n"


def project_files(name: str) -> dict[str, bytes]:
    """Path and content of every file of a new project: the example shop, its settings, what git is to ignore."""
    source = templates() / "init"
    paths = sorted(path for path in source.rglob("*") if path.is_file() and path.suffix in (".py", ".yml"))
    files = {each.relative_to(source).as_posix(): each.read_bytes() for each in paths}
    return {
        ".gitattributes": _KEPT,
        ".gitignore": _IGNORED,
        **{path: data.replace(b"{{ name }}", name.encode()) for path, data in files.items()},
    }


def project_name(folder: Path) -> str:
    """A name for the application in `folder`: the folder's, reduced to what a name may be."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder.name).strip("._-") or "shop"


def write_new(root: Path, files: Mapping[str, bytes]) -> tuple[list[str], list[str]]:
    """Writes the files that are not there yet; the paths of those written, and of those left as they are."""
    written: list[str] = []
    left: list[str] = []
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("xb") as stream:
                stream.write(content)
            written.append(name)
        except FileExistsError:
            left.append(name)
    return written, left
