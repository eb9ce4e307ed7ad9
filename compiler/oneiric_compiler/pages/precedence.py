"""The table of the tiers in docs/precedence.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from oneiric_compiler.pages.marked import table
from oneiric_compiler.tables.tiers import AMONG_EQUALS, CHOICES, FILTERS


def tiers(_: str) -> str:
    """`<!-- tiers -->`: the filters, then each tier, the strongest first."""
    return table(_rows())


def _rows() -> Iterator[tuple[str, ...]]:
    yield "tier", "what", "codes"
    of_all = _codes(each.code for each in FILTERS.values() if not each.of_manifests)
    of_manifests = _codes(each.code for each in FILTERS.values() if each.of_manifests)
    filtered = (
        "required capabilities; `python_version` and `os_platform` against `target`; "
        "what a [manifest](manifests.md) may not offer"
    )
    yield "filter", filtered, f"`excluded_by`: {of_all}; {of_manifests}"
    chosen = ", ".join(each.words for each in CHOICES)
    yield "1", f"an explicit choice: {chosen}", _codes(each.rule for each in CHOICES)
    for number, tier in enumerate(AMONG_EQUALS, 2):
        yield str(number), tier.about, _codes([tier.rule])


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
