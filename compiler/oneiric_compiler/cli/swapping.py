"""What `oneiric_compiler.child` does: one profile compiled with an operator's swaps, for the process that runs it.

Writes what is compiled into `OUT/swapped`; where the settings are not those that the baseline was compiled from, what
they come to without swaps into `OUT/plain`. Tells the two apart on its standard output, as JSON.
"""

from __future__ import annotations

import argparse
import gc
import sys
from pathlib import Path

from oneiric_compiler.cli.errors import compiler_extra
from oneiric_compiler.cli.output import result_json

with compiler_extra("swap"):
    from oneiric_compiler.cli import projects
    from oneiric_compiler.diagnostics.found import Diagnostics
    from oneiric_compiler.model import Outputs
    from oneiric_compiler.questions.diff import tell
    from oneiric_compiler.questions.swapped import Swapped, compiled
    from oneiric_compiler.stages.write import write
    from oneiric_compiler.text.paint import paint

_TOLD = 20
"""Differences of drifted settings that are told; what is longer than this is looked at with `oneiric diff`."""


def swap() -> None:
    """Exits with 0, or with 2 for settings with errors, which are told on stderr."""
    gc.disable()  # it takes half the time of a large compile, and the process ends with it
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", required=True)
    for name in ("project", "overrides", "baseline", "current", "out"):
        parser.add_argument(f"--{name}", required=True, type=Path)
    asked = parser.parse_args()
    diagnostics = Diagnostics()
    project = projects.project_at(asked.project, asked.overrides)
    found = compiled(project, asked.profile, asked.baseline, asked.current, diagnostics)
    if found is None or not write(_outputs(asked.out, found), diagnostics):
        projects.show(projects.as_seen(diagnostics, asked.project))
        sys.exit(2)
    result_json({"drift": _drift(asked.profile, found), "diff": tell.document({asked.profile: found.changes})})
    sys.exit(0)


def _outputs(out: Path, found: Swapped) -> Outputs:
    files = {"swapped": found.swapped, **({"plain": found.plain} if found.drifted else {})}
    return Outputs(out.resolve(), {name: (name, dict(each)) for name, each in files.items()})


def _drift(profile: str, found: Swapped) -> str | None:
    """What tells the settings from those of the baseline."""
    if not found.drifted:
        return None
    if not found.drift:
        return f"they mean the same, and {', '.join(found.drifted)} would be written otherwise"
    more = len(found.drift) - _TOLD
    told = paint(tell.lines({profile: found.drift[:_TOLD]}), styled=False)
    return told + (f"  and {more} more" if more > 0 else "")
