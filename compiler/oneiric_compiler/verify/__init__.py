"""A second opinion on compiled outputs, which shares no code with the compiler's stages: a mistake there is seen here.

Every winner is worked out again from the candidates' facts in the report (`decisions`), how a key is activated and
wrapped from what states it (`options`, `layers`), what is `unbound` from what unbinds it, which keys are others
(`aliases`), what is a tenant's own from what differs (`tenants`), and what the wiring's own source says (`source`,
`expressions`) is held against the report (`wiring`), as is what chooses a profile against those of all (`choosing`).
Needs nothing but the files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from oneiric_compiler.verify import tenants as of_tenants
from oneiric_compiler.verify.aliases import aliases
from oneiric_compiler.verify.choosing import choosing
from oneiric_compiler.verify.decisions import decisions
from oneiric_compiler.verify.layers import layers
from oneiric_compiler.verify.options import options
from oneiric_compiler.verify.unbound import unbound
from oneiric_compiler.verify.wiring import wiring

__all__ = ["choosing", "verify"]


def verify(report: Mapping[str, Any], source: bytes, tenants: bytes) -> Iterator[str]:
    """What does not hold, each finding a sentence; `source` is what wiring.py holds, `tenants` what tenants.jsonl does.

    Raises LookupError, TypeError, ValueError or AttributeError for a report that lacks what it must have.
    """
    yield from decisions(report)
    yield from options(report)
    yield from layers(report)
    yield from unbound(report)
    yield from aliases(report)
    yield from wiring(report, source, of_tenants.counts(report))
    yield from of_tenants.sharing(report)
    yield from of_tenants.lines(report, tenants)
