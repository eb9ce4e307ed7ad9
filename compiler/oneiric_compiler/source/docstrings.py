"""What a component's docstring says of the component and of each of its settings.

A paragraph that begins with `Needs` says what has to be there. A setting has a line that begins with its name:

    `timeout`: seconds for one statement; this goes on
    until the next such line, or an empty one.

A field of a class may have a docstring of its own below it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from oneiric_compiler.source.modules import Sources, Symbol

_BREAKS = re.compile(r"\n\n+|\n(?=`\w+`: )")
_SETTING = re.compile(r"`(\w+)`: (.*)")


class Docstring(NamedTuple):
    """Each text is in one line; `about` is the first paragraph that is not about a need or a setting."""

    about: str
    needs: str
    settings: dict[str, str]


def docstring(sources: Sources, factory: Symbol) -> Docstring:
    """The docstring of a class or function; what a class does not say of a setting, its nearest base may."""
    told = _read(factory)
    for base in _bases(sources, factory):
        told = told._replace(settings={**_read(base).settings, **told.settings})
    return told


def _read(factory: Symbol) -> Docstring:
    node = factory.node
    text = ast.get_docstring(node) if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) else None
    about = needs = ""
    settings = _of_fields(node) if isinstance(node, ast.ClassDef) else {}
    for part in _BREAKS.split(text or ""):
        line = " ".join(part.split())
        if found := _SETTING.match(line):
            settings[found[1]] = found[2]
        elif line.startswith("Needs "):
            needs = line.removeprefix("Needs ").removesuffix(".")
        else:
            about = about or line
    return Docstring(about, needs, settings)


def _of_fields(cls: ast.ClassDef) -> dict[str, str]:
    """The texts that stand right below the fields they are of."""
    return {
        field.target.id: " ".join(below.value.value.split())
        for field, below in pairwise(cls.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


def _bases(sources: Sources, factory: Symbol) -> Iterator[Symbol]:
    """The bases of a class that are in sight, and theirs, each once."""
    seen, pending = {factory.qualified}, [factory]
    while pending:
        cls = pending.pop(0)
        for base in sources.bases(cls) if isinstance(cls.node, ast.ClassDef) else ():
            if isinstance(base, Symbol) and base.qualified not in seen:
                seen.add(base.qualified)
                pending.append(base)
                yield base
