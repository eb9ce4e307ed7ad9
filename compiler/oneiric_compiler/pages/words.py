"""The table of the words of settings in docs/settings.md."""

from __future__ import annotations

from collections.abc import Iterator

from oneiric_compiler.linking.vocabulary import WORDS
from oneiric_compiler.pages.marked import table


def words(_: str) -> str:
    """`<!-- words -->`: what each means, and what it is called elsewhere."""
    return table(_rows())


def _rows() -> Iterator[tuple[str, ...]]:
    yield "setting", "means", "elsewhere"
    for word in WORDS:
        yield f"`{word.name}`", word.meaning, ", ".join(f"`{other}`" for other in word.elsewhere.split())
