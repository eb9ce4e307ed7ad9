"""A second opinion on compiled outputs, which shares no code with the compiler's stages: a mistake there is seen here.

Every winner is worked out anew from the candidates' facts in the report (`decisions`), and what the wiring's own source
says (`source`) is held against the report (`wiring`). Needs nothing but the files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from oneiric_compiler.verify.decisions import decisions
from oneiric_compiler.verify.wiring import tenant_lines, wiring

__all__ = ["verify"]


def verify(report: Mapping[str, Any], source: str, tenants: str) -> Iterator[str]:
    """What does not hold, each finding a sentence; `source` is the text of wiring.py, `tenants` of tenants.jsonl.

    Raises LookupError, TypeError, ValueError or AttributeError for a report that lacks what it must have.
    """
    yield from decisions(report)
    yield from wiring(report, source)
    yield from tenant_lines(report, tenants)
