"""Where a project's settings are, and what to say where there are none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "ONEIRIC_CONFIG"


def settings_folder(root: Path, environ: Mapping[str, str]) -> Path:
    """The folder that is shown as `settings/`: the project's own, or the one that ONEIRIC_CONFIG names."""
    return root / (environ.get(VARIABLE) or "settings")


def no_settings(root: Path, environ: Mapping[str, str]) -> tuple[str, str]:
    """Why a project has no settings folder, and what to do."""
    named, folder = environ.get(VARIABLE), settings_folder(root, environ)
    if named:
        what = "is a file" if folder.is_file() else "is not there"
        help = "it names the folder that holds app.yml, seen from the project; unset, that is `settings`"
        return f"{VARIABLE} names `{named}`, which {what}", help
    if os.path.lexists(folder):
        return "`settings` is not a folder", "it must be the folder that holds app.yml"
    message = f"there is no settings folder in {root.resolve().name or 'the project'}"
    if (other := _project_near(root)) is not None:
        shown = Path(os.path.relpath(other)).as_posix()
        if shown == ".":
            return message, "the working directory is a project: leave out `--project`"
        return message, f"`{shown}` is a project: work there, or name it: `oneiric --project {shown} …`"
    return message, "`oneiric init` makes one; `oneiric --project DIR …` names another folder"


def _project_near(root: Path) -> Path | None:
    """The project that the folder lies in, or the only one that lies in the folder."""
    for above in root.resolve().parents:
        if _is_file(above / "settings/app.yml"):
            return above
    try:
        below = [each for each in sorted(root.iterdir()) if _is_file(each / "settings/app.yml")]
    except OSError:
        return None
    return below[0] if len(below) == 1 else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def within(root: Path, name: str) -> Path | None:
    """Where a relative path leads, symbolic links followed; None where that is outside of the folder, or nowhere."""
    try:
        path = (root / name).resolve()
    except (OSError, ValueError):  # a name that no file can have
        return None
    return path if path.is_relative_to(root) and not Path(name).is_absolute() else None
