"""Why a step of an activation failed, in words that lead to what has to be corrected."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from oneiric.report import ReportError, read_report
from oneiric.slot import Slot
from oneiric.wiring import file_of


def import_failed(error: ImportError) -> str:
    """Which module is missing, and where it was looked for; what Python says of any other error."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return f"failed: {error}"
    above, _, last = error.name.rpartition(".")
    places = getattr(sys.modules.get(above), "__path__", None)
    if above and places:
        return f"needs the module {error.name}, and there is no {last} in {', '.join(map(str, places))}"
    return f"needs the module {error.name}, which is not on the path: {', '.join(_own_path())}"


def syntax_failed(error: SyntaxError) -> str:
    """Where Python stopped."""
    return f"cannot import {error.filename}, line {error.lineno}: {error.msg}"


def stated_at(slot: Slot[Any], variable: str) -> str:
    """The setting that refers to a variable and its place in the settings, as the report beside the wiring has them.

    Empty where there is no such report. Reads a file.
    """
    path = file_of(slot.scope.wiring_class)
    try:
        report = read_report(Path(path or "").with_name("explain.json"))
        key = slot.key.partition("/")[0]
        binding = (report.for_tenant(slot.tenant) if slot.tenant else report).bindings[key]
        for name, setting in (binding if key == slot.key else binding.layers[slot.key]).settings.items():
            text = json.dumps(setting.reference)
            if f"${{{variable}}}" in text or f"${{{variable}:" in text:
                return f" (the setting {name}, {setting.stated_at})"
    except (ReportError, OSError, LookupError, ValueError):
        pass
    return ""


def _own_path() -> list[str]:
    """Where modules are looked for, less what Python itself brings."""
    own = [os.path.abspath(each) for each in sys.path]
    return list(dict.fromkeys(each for each in own if not each.startswith((sys.base_prefix, sys.base_exec_prefix))))
