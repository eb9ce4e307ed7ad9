"""The reports of a project as git has them: where a branch left another, at its head, and in the index."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from oneiric.report import Report, parse_report

from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.output import warn
from oneiric_compiler.cli.reports import committed, committed_folder, stated_output
from oneiric_compiler.settings.folder import settings_folder

_SECONDS = 60
_INDEX = ""
"""In place of a commit: what is to be committed next."""


def reports(root: Path, base: str) -> tuple[dict[str, Report], dict[str, Report]]:
    """By profile, the committed reports where HEAD left `base`, and those at HEAD. Raises CommandError."""
    if base.startswith("-"):
        raise CommandError(f"`{base}` is not a commit that git knows")
    _check_repository(root)
    left = _left(root, base)
    folder = os.path.relpath(committed_folder(root, None), root)
    if _git(root, "status", "--porcelain", "--", folder).strip():
        warn(f"{folder}/ has changes that are not committed: they are not compared")
    before, after = _at(root, left), _at(root, "HEAD")
    if not before and not after:
        raise _no_report(folder, f", neither at HEAD nor where it left `{base}`")
    return before, after


def unstaged(root: Path) -> tuple[dict[str, Report], dict[str, Report]]:
    """By profile, the reports in the index, and those in the working tree. Raises CommandError."""
    _check_repository(root)
    before = _at(root, _INDEX)
    if not before:
        raise _no_report(os.path.relpath(committed_folder(root, None), root), ", not even in its index")
    return before, committed(root)


def _check_repository(root: Path) -> None:
    _git(root, "rev-parse", "--git-dir", otherwise=f"{root.resolve()} is not in a repository of git")


def _no_report(folder: str, where: str) -> CommandError:
    help = "commit what `oneiric compile` writes, so that a review can show what changes"
    return CommandError(f"git has no report in {folder}/{where}", help=help)


def _left(root: Path, base: str) -> str:
    """The commit where HEAD left `base`."""
    try:
        _git(root, "rev-parse", "--verify", "--quiet", f"{base}^{{commit}}", otherwise=f"git knows no commit `{base}`")
        found = _git(root, "merge-base", base, "HEAD", otherwise=f"HEAD and `{base}` have no commit in common")
    except CommandError as error:
        if _git(root, "rev-parse", "--is-shallow-repository").strip() == b"true":
            error.help = "this clone lacks part of the history: `git fetch --unshallow`, or `fetch-depth: 0` in CI"
        raise
    return found.strip().decode()


def _at(root: Path, commit: str) -> dict[str, Report]:
    """The reports of a commit, in the output folder that its own app.yml states."""
    folder = _output(root, commit)
    names = [name for name in _files(root, commit, f"{folder}/") if name.endswith("/explain.json")]
    found = [_parsed(root, commit, name) for name in names if name.count("/") <= folder.count("/") + 2]
    return {report.profile: report for report in found}


def _output(root: Path, commit: str) -> str:
    app = os.path.relpath(settings_folder(root, os.environ) / "app.yml", root)
    if app.startswith(os.pardir):  # settings outside of the project are as they are
        return os.path.relpath(committed_folder(root, None), root)
    data = _git(root, "show", f"{commit}:./{app}") if _files(root, commit, app) else b""
    return stated_output(data.decode(errors="replace"))


def _files(root: Path, commit: str, path: str) -> list[str]:
    """The files of a commit at or in `path`, as seen from the project."""
    listing = ("ls-files", "-z", "--cached") if commit == _INDEX else ("ls-tree", "-r", "-z", "--name-only", commit)
    return os.fsdecode(_git(root, *listing, "--", path)).split("\0")[:-1]


def _parsed(root: Path, commit: str, name: str) -> Report:
    return parse_report(_git(root, "show", f"{commit}:./{name}"), f"{commit[:12]}:{name}")


def _git(root: Path, *arguments: str, otherwise: str = "") -> bytes:
    """What a command of git writes. Raises CommandError where it fails: `otherwise`, or what git says."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=root,
            capture_output=True,
            timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError as error:
        raise CommandError("git is not installed", help="`oneiric diff OLD NEW` compares two reports") from error
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"git {arguments[0]} took longer than {_SECONDS} seconds") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().removeprefix("fatal: ")
        raise CommandError(otherwise or f"git {arguments[0]}: {said}", help=said if otherwise else None)
    return done.stdout
