"""The tutorials: their blocks make an application in an empty folder, and commands print what the page shows.

`--snapshot-update` writes into the pages what the commands print.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.docs.test_docs import ROOT

PAGES = ("tutorial-first.md", "tutorial-order.md", "tutorial-tenants.md")
BLOCK = re.compile(r"^```(python|yaml|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DEADLINE = 60
STARTED: list[int] = []
"""Sessions of commands; what runs in the background stays in its own."""
VARYING = re.compile(
    r"in \d+\.\d+s|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*|\b[0-9a-f]{12}\b|\b\d+(\.\d+)? m?s\b|pid \d+"
)


def run(command: str, folder: Path) -> str:
    """What a command of the page prints, both streams, as on a terminal of its own."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "ONEIRIC", "PYTHON"))
    }
    process = subprocess.Popen(
        ["bash", "-c", command],
        cwd=folder,
        env={**environ, "PATH": path, "NO_COLOR": "1", "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    STARTED.append(process.pid)
    printed, _ = process.communicate(timeout=DEADLINE)
    return "".join(f"{line.rstrip()}\n" for line in printed.splitlines())


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    yield
    for session in STARTED:
        with suppress(ProcessLookupError):
            os.killpg(session, signal.SIGKILL)
    STARTED.clear()


def steps(page: str) -> Iterator[tuple[str, str]]:
    """The blocks of a page: language and text."""
    return ((match[1], match[2]) for match in BLOCK.finditer((ROOT / "docs" / page).read_text("utf-8")))


def played(page: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Follows a page in a folder: each console block as it stands there, and as it is printed now."""
    for language, text in steps(page):
        if language == "console":
            commands = re.findall(r"^\$ (.*)$", text, re.MULTILINE)
            yield text, "".join(f"$ {command}\n{run(command, folder)}" for command in commands)
        elif match := re.match(r"# (\S+\.(?:py|yml))\n", text):
            path = folder / match[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        else:
            raise AssertionError(f"a block that is no file:\n{text}")


@pytest.mark.parametrize("page", PAGES)
def test_who_follows_the_page_sees_what_it_shows(page: str, tmp_path: Path, updating: bool) -> None:
    folder = tmp_path / "kiosk"
    folder.mkdir()
    pairs = list(played(page, folder))
    if updating:
        path = ROOT / "docs" / page
        whole = path.read_text("utf-8")
        for shown, printed in pairs:
            whole = whole.replace(f"```console\n{shown}```", f"```console\n{printed}```", 1)
        path.write_text(whole, "utf-8")
        return
    shown, printed = zip(*pairs, strict=True)
    assert [VARYING.sub("_", text) for text in printed] == [VARYING.sub("_", text) for text in shown]


@pytest.mark.parametrize("word", ["kill -9", "inline", "error[ONE", "schedule next", "oneiric init"])
def test_the_order_has_what_it_promises(word: str) -> None:
    assert any(word in text for _, text in steps("tutorial-order.md"))
