"""The tutorial: its blocks make an application in an empty folder, and commands print what the page shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.test_docs import ROOT

PAGE = ROOT / "docs/tutorial-order.md"
BLOCK = re.compile(r"^```(python|yaml|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DEADLINE = 60
VARYING = re.compile(r"in \d+\.\d+s")


def run(command: str, folder: Path) -> str:
    """What a command of the page prints, both streams, as on a terminal of its own."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "ONEIRIC", "PYTHON"))
    }
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**environ, "PATH": path, "NO_COLOR": "1", "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def steps() -> Iterator[tuple[str, str]]:
    """The blocks of the page: language and text."""
    return ((match[1], match[2]) for match in BLOCK.finditer(PAGE.read_text("utf-8")))


def played(folder: Path) -> Iterator[tuple[str, str]]:
    """Follows the page in a folder: each console block as it stands there, and as it is printed now."""
    for language, text in steps():
        if language == "console":
            commands = re.findall(r"^\$ (.*)$", text, re.MULTILINE)
            yield text, "".join(f"$ {command}\n{run(command, folder)}" for command in commands)
        elif match := re.match(r"# (\S+\.(?:py|yml))\n", text):
            path = folder / match[1]
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
        else:
            raise AssertionError(f"a block that is no file:\n{text}")


def test_who_follows_the_page_sees_what_it_shows(tmp_path: Path) -> None:
    folder = tmp_path / "kiosk"
    folder.mkdir()
    shown, printed = zip(*played(folder), strict=True)
    assert [VARYING.sub("in _s", text) for text in printed] == [VARYING.sub("in _s", text) for text in shown]


@pytest.mark.parametrize("word", ["kill -9", "inline", "error[ONE", "schedule next", "oneiric init"])
def test_it_has_what_it_promises(word: str) -> None:
    assert any(word in text for _, text in steps())
