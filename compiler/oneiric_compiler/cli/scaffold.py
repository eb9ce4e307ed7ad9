"""The files of a new project, and writing them without touching what is there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from oneiric_compiler.release import __version__
from oneiric_compiler.resources import templates

_FILLED = ".j2"
"""Ends the names of files in which something is filled in."""


class Template(StrEnum):
    """What a project starts from."""

    SHOP = "shop"
    API = "api"
    WORKER = "worker"
    BARE = "bare"


@dataclass(frozen=True)
class _Made:
    """Folders below templates/init, of which a later one wins, and what the project installs: extras, and tools."""

    folders: tuple[str, ...]
    package: str = "shop"
    extras: tuple[str, ...] = ("compiler",)
    tools: tuple[str, ...] = ("mypy", "pytest")


_MADE = {
    Template.SHOP: _Made(("common", "shop")),
    Template.API: _Made(
        ("common", "shop", "api"), extras=("compiler", "fastapi"), tools=("httpx2", "mypy", "pytest", "uvicorn")
    ),
    Template.WORKER: _Made(("common", "shop", "worker"), extras=("compiler", "engine-dbos")),
    Template.BARE: _Made(("common", "bare"), package="app"),
}


def project_files(name: str, template: Template) -> dict[str, bytes]:
    """Path and content of every file of a new project."""
    made = _MADE[template]
    folders = [templates() / "init" / folder for folder in made.folders]
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    words = {"name": name, "release": __version__, **vars(made)}
    return {path.removesuffix(_FILLED): _made_of(path, files[path], words) for path in sorted(files)}


def _made_of(path: str, data: bytes, words: Mapping[str, object]) -> bytes:
    if not path.endswith(_FILLED):
        return data
    from jinja2 import StrictUndefined
    from jinja2 import Template as Jinja

    filled: str = Jinja(data.decode(), keep_trailing_newline=True, trim_blocks=True, undefined=StrictUndefined).render(
        words
    )
    return filled.encode()


def project_name(text: str) -> str:
    """A name for an application: a text, such as its folder's name, reduced to what a name may be."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("._-") or "shop"


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
