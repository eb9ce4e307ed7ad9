"""What a component's docstring says of the component and of each of its settings.

A paragraph that begins with `Needs` says what has to be there. A setting has a line that begins with its name:

    `timeout`: seconds for one statement; this goes on
    until the next such line, or an empty one.
"""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

from oneiric_compiler.sources import Sources, Symbol

_BREAKS = re.compile(r"\n\n+|\n(?=`\w+`: )")
_SETTING = re.compile(r"`(\w+)`: (.*)")


class Docstring(NamedTuple):
    """Each text is in one line; `about` is the first paragraph that is not about a need or a setting."""

    about: str
    needs: str
    settings: dict[str, str]


def docstring(sources: Sources, cls: Symbol) -> Docstring:
    """The docstring of a class; what it does not say of a setting, its nearest base may."""
    assert isinstance(cls.node, ast.ClassDef)
    about = needs = ""
    settings: dict[str, str] = {}
    for part in _BREAKS.split(ast.get_docstring(cls.node) or ""):
        line = " ".join(part.split())
        if found := _SETTING.match(line):
            settings[found[1]] = found[2]
        elif line.startswith("Needs "):
            needs = line.removeprefix("Needs ").removesuffix(".")
        else:
            about = about or line
    for base in sources.bases(cls):
        if isinstance(base, Symbol):
            settings = {**docstring(sources, base).settings, **settings}
    return Docstring(about, needs, settings)
