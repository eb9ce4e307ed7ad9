"""The tables of docs/performance.md, made from benchmarks/results: `python -m benchmarks.page` rewrites them."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks import targets
from benchmarks.field import page as field

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "performance.md"
PARTS = {"targets": targets.markdown, "field": field.markdown}


def filled(page: str, results: Path) -> str:
    """The page, with what is between `<!-- PART -->` and `<!-- end -->` made again. `ValueError` without them."""
    for name, markdown in PARTS.items():
        begin, end = f"<!-- {name} -->\n", "<!-- end -->\n"
        part = f"{begin}\n{markdown(results)}\n{end}"
        page, found = re.subn(f"{begin}.*?{end}", lambda _, part=part: part, page, flags=re.DOTALL)
        if found != 1:
            raise ValueError(f"there is no {begin.strip()}")
    return page


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf-8"), RESULTS), "utf-8")
