"""The page of all diagnostics, docs/diagnostics.md."""

from __future__ import annotations

from oneiric_compiler.diagnostics.codes import CODES, Code
from oneiric_compiler.diagnostics.edits import FIXABLE
from oneiric_compiler.diagnostics.examples import examples

_HEAD = """# Diagnostics

Made from the table in `oneiric_compiler/diagnostics/codes.py`, with an example each of what the tests make the compiler
say; `oneiric explain-code ONE110` tells the same. Errors fail a compile; warnings do with `--strict`; notes do
not, except where it is said. What [`oneiric fix`](command.md#oneiric-fix) does is said too; all else is left to you.
"""
_GROUPS = {
    "1": "Settings files",
    "2": "Candidates",
    "3": "Decisions",
    "4": "Links: needs, ports and settings",
    "5": "Outputs",
    "6": "Manifests",
    "7": "Workflows, events and schedules",
}


def page() -> str:
    """The page, in Markdown."""
    parts = [_HEAD]
    group, shown = "", examples()
    for code, known in CODES.items():
        if code[3] != group:
            group = code[3]
            parts.append(f"## {_GROUPS[group]}\n")
        parts.append(f"### {code}: {known.title}\n\n{_severity(known)}. {known.explanation}{_fixed(code)}\n")
        parts.append(f"```text\n{shown[code]}\n```\n")
    return "\n".join(parts)


def _fixed(code: str) -> str:
    return f" `oneiric fix` {FIXABLE[code]}, where the help says so." if code in FIXABLE else ""


def _severity(known: Code) -> str:
    return known.severity.capitalize() + (", an error with `--strict`" if known.strict else "")
