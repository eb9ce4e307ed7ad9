"""Parts of a page that are made, between `<!-- NAME -->` or `<!-- NAME of THIS -->` and `<!-- end -->`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

_MARKED = re.compile(r"(<!-- ([a-z]+)(?: of ([a-z0-9./_, -]+?))? -->).*?(<!-- end -->)", re.DOTALL)


def filled(page: str, makers: Mapping[str, Callable[[str], str]]) -> str:
    """The page with these parts made again; all else is written by hand."""

    def part(found: re.Match[str]) -> str:
        begin, name, of, end = found.groups()
        return f"{begin}{makers[name](of or '')}{end}" if name in makers else found[0]

    return _MARKED.sub(part, page)


def table(rows: Iterable[tuple[str, ...]]) -> str:
    """Rows as a table in Markdown; the first is its head."""
    head, *others = rows
    lines = (head, ("---",) * len(head), *others)
    return "\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"
