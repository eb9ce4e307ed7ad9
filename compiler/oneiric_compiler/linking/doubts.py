"""Values that fit their type and cannot be meant: a variable as shells write it, a port that no machine has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from oneiric_compiler.diagnostics.edits import bracing
from oneiric_compiler.settings.documents import Path_, Value

MAX_PORT = 65535
_VARIABLE = re.compile(r"(?<![\w$\\])\$([A-Z][A-Z0-9_]+)(?![\w$])")
_PORT = re.compile(r"://[^\s/?#]*:([0-9]{5,})(?=[/?#\s]|$)")


class Doubt(NamedTuple):
    """A text or number at a path in a setting's value: the code it is told by, why, and what to do."""

    path: Path_
    code: str
    reason: str
    help: str


def doubts(name: str, value: Value, *, connects: bool) -> Iterator[Doubt]:
    """What is doubtful in a setting's value; with `connects` ports are looked at, as what takes it connects to them."""
    for path, each in _plain(value, ()):
        if isinstance(each, str):
            for found in _VARIABLE.finditer(each):
                reason = f"`{found[0]}` stays as it is: references have braces"
                yield Doubt(path, "ONE415", reason, bracing(f"write ${{{found[1]}}}", found[1]))
        ports = [found[1] for found in _PORT.finditer(each)] if isinstance(each, str) else []
        if isinstance(each, int) and (path[-1] if path else name) == "port":
            ports = [str(each)]
        for port in ports if connects else ():
            if not 0 < int(port) <= MAX_PORT:
                yield Doubt(path, "ONE408", f"there is no port {port}", f"a port is from 1 to {MAX_PORT}")


def _plain(value: Value, path: Path_) -> Iterator[tuple[Path_, Value]]:
    """What stands in a value, at any depth, each with the path that leads to it."""
    if isinstance(value, (dict, list)):
        for part, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _plain(each, (*path, part))
    else:
        yield path, value
