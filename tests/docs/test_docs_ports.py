"""The page of a port names every provider, and every setting that a provider's schema has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCHEMAS = sorted((ROOT / "schemas/settings").rglob("*.schema.json"))


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.relative_to(ROOT / "schemas/settings").as_posix())
def test_the_page_names_the_provider_and_its_settings(path: Path) -> None:
    page = (ROOT / "docs/ports" / f"{path.parent.name}.md").read_text("utf-8")
    settings = json.loads(path.read_text("utf-8"))["properties"]
    names = [path.name.removesuffix(".schema.json"), *settings]
    assert [name for name in names if f"`{name}`" not in page] == []
