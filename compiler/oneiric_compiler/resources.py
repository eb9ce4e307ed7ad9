"""Where the package data lies: inside the installed package, or at the root of a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parent.parent


def schemas() -> Path:
    """The folder of the JSON Schemas."""
    return _folder("schemas")


def templates() -> Path:
    """The folder of the templates of everything generated."""
    return _folder("templates")


def _folder(name: str) -> Path:
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _CHECKOUT / name
