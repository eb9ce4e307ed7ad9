"""The pages as a site: built without a warning, every page within reach, nothing asked of other hosts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
DEADLINE = 300
LOADED = re.compile(
    r"""<(?:img|script|iframe|source)\b[^>]*?\bsrc="([^"]*)"|<link\b[^>]*?\bhref="([^"]*)"|url\(([^)]*)\)"""
)


@pytest.fixture(name="site", scope="module")
def the_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-d",
        f"{folder}/read",
        DOCS,
        f"{folder}/html",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "html"


def test_every_page_is_there_and_in_the_contents(site: Path) -> None:
    contents = (site / "index.html").read_text("utf-8")
    pages = [path.relative_to(DOCS).with_suffix(".html").as_posix() for path in DOCS.rglob("*.md")]
    assert len(pages) > 40
    assert [page for page in pages if not (site / page).is_file()] == []
    assert [page for page in pages if page != "index.html" and f'href="{page}"' not in contents] == []


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    files = [path for path in site.rglob("*") if path.suffix in (".html", ".css")]
    loaded = {found for path in files for match in LOADED.finditer(path.read_text("utf-8")) for found in match.groups()}
    assert loaded - {None} != set()
    assert [each for each in loaded if each and re.match(r"""['"]?(?:\w+:)?//""", each)] == []
