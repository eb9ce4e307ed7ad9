"""What only reads a report works without the compiler's dependencies; what compiles names the extra."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.reports import shop
from tests.unit.cli.running import COMPILER_EXTRA, run

WITHOUT = (*COMPILER_EXTRA, "rich", "asyncio")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with settings and a committed report."""
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "app.yml").write_text("name: shop\n")
    (tmp_path / "generated").mkdir()
    (tmp_path / "generated" / "explain.json").write_text(json.dumps(shop()))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--version",), "oneiric "),
        (("explain-code", "ONE110"), "an unknown key"),
        (("explain-code", "ONE301"), "  = help: did you mean `smtp`?"),
        (("explain-code",), "ONE503"),
        (("explain", "cache", "--from-report", "generated/explain.json"), "is served by redis"),
        (("explain", "--from-report", "generated/explain.json", "--json"), '"oneiric.explain/1"'),
        (("list", "--from-report", "generated/explain.json"), "memory (selection)"),
        (("explain", "cache"), "is served by redis"),
        (("list", "--json"), '"adapter:cache"'),
        (("matrix",), "adapter:cache"),
        (("explain", "--uses", "cache"), "adapter:cache is needed by 2 keys"),
        (("explain", "--why-not", "memory", "cache"), "memory (package:shop) does not serve adapter:cache"),
    ],
)
def test_reading_works_without_the_compiler_extra(project: Path, arguments: tuple[str, ...], told: str) -> None:
    done = run(*arguments, cwd=project, blocked=WITHOUT)
    assert (done.returncode, done.stderr) == (0, "")
    assert told in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("compile",),
        ("compile", "--check"),
        ("init", "new"),
        ("demo",),
        ("schema",),
        ("list", "--unused"),
        ("explain", "--what-if", "provider=memory", "cache"),
        ("manifest", "verify", "acme", "--key", "A" * 44),
    ],
)
def test_compiling_names_the_extra(project: Path, arguments: tuple[str, ...]) -> None:
    done = run(*arguments, cwd=project, blocked=WITHOUT)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the extra `compiler`" in done.stderr
    assert "pip" not in done.stderr
    assert not (project / "new").exists()
