"""`oneiric demo`: the whole story on embedded parts."""

from __future__ import annotations

from oneiric_compiler.cli.errors import compiler_extra
from oneiric_compiler.cli.processes import Json


def demo(json: Json = False) -> None:
    """Show the whole story in a few seconds: compile, explain, run, a mistake, figures."""
    with compiler_extra("demo"):
        from oneiric_compiler.cli.story import tell_story

    tell_story(json)
