"""A wiring with an operator's swaps, and whether the settings are still those that its baseline was compiled from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from oneiric.report import ReportError, parse_report

from oneiric_compiler.checking import as_recorded
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Overrides, Project
from oneiric_compiler.pipeline import gather, outputs
from oneiric_compiler.questions.diff.compare import Difference, compare
from oneiric_compiler.stages.write import read_bytes

Files = Mapping[str, bytes]
_REPORT = "explain.json"
_COMPARED = (_REPORT, "tenants.jsonl", "wiring.py")


class Swapped(NamedTuple):
    """The files that the settings come to, `plain` and `swapped` by the overrides.

    `drifted` are those of the plain ones that are not the baseline's, `drift` what that means; `changes` what the
    swapped ones mean for who has the current ones.
    """

    plain: Files
    swapped: Files
    drifted: tuple[str, ...]
    drift: list[Difference]
    changes: list[Difference]


def compiled(project: Project, profile: str, baseline: Path, current: Path, diagnostics: Diagnostics) -> Swapped | None:
    """Both, from one reading of the project, in the environment that the report in the folder `baseline` recorded;
    None when `diagnostics` holds an error. The folder `current` has the wiring that runs."""
    before = {name: read_bytes(baseline / name) for name in _COMPARED}
    project = as_recorded(project, before[_REPORT])
    inputs = gather(project, diagnostics)
    if inputs is None:
        return None
    unswapped = replace(inputs, settings=replace(inputs.settings, overrides=Overrides()))
    found = [outputs(project, each, diagnostics, profile) for each in (unswapped, inputs)]
    if diagnostics.failed:
        return None
    plain, swapped = (each.profiles[profile][1] for each in found if each is not None)
    drifted = tuple(name for name in _COMPARED if plain.get(name) != before[name])
    drift = _differences(before[_REPORT], plain[_REPORT]) if drifted else []
    changes = _differences(read_bytes(current / _REPORT), swapped[_REPORT])
    return Swapped(plain, swapped, drifted, drift, changes)


def _differences(old: bytes | None, new: bytes) -> list[Difference]:
    """None where the old report is not one."""
    try:
        return compare(parse_report(old or b""), parse_report(new))
    except ReportError:
        return []
