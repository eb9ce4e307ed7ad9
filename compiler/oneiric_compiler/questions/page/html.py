"""The page: a template, a style and a script that are allowed by their hashes, and data, in one file."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping

from oneiric.report import Json

from oneiric_compiler.resources import templates

_DATA = {ord(each): f"\\u{ord(each):04x}" for each in "<>&\u2028\u2029"}
"""Characters that could end the element of the data, or begin another one; within JSON they mean the same like this."""


def page(document: Mapping[str, Json]) -> str:
    """A document of format `oneiric.report/1` as HTML. The same document makes the same bytes."""
    template, style, script = (
        (templates() / "report" / name).read_text("utf-8") for name in ("page.html", "page.css", "page.js")
    )
    data = json.dumps(document, ensure_ascii=True, separators=(",", ":")).translate(_DATA)
    parts = {"style-hash": _hash(style), "script-hash": _hash(script), "style": style, "script": script, "data": data}
    before, *rest = template.split("{{")
    return before + "".join(parts[name] + after for name, _, after in (each.partition("}}") for each in rest))


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
