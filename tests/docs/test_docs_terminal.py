"""The picture of a terminal in the README: its first example, as a terminal shows it; `--snapshot-update` makes it."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from tests.docs.test_docs import ROOT, blocks

PICTURE = ROOT / "docs/terminal.svg"
WIDTH = 100
DEADLINE = 60
SPINNER = re.compile(r"\A.*\x1b\[\?25h(?:\r|\x1b\[\d*[AK])*", re.DOTALL)  # of a slow machine, and gone afterwards
NO_ADDRESSES = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
STEPS = (
    ("settings/services.yml", ("payments: card", "payments: crad"), "oneiric compile"),
    ("settings/services.yml", ("payments: crad", "payments: card"), "oneiric compile"),
    ("settings/services.yml", ("CARD_TIMEOUT:-2.5", "CARD_TIMEOUT:-4"), "oneiric plan"),
    ("settings/services.yml", ("CARD_TIMEOUT:-4", "CARD_TIMEOUT:-2.5"), "oneiric explain service:payments"),
)


def on_a_terminal(command: str, folder: Path) -> str:
    """What a command writes to a terminal of its own."""
    ours, theirs = pty.openpty()
    environ = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
    }
    process = subprocess.Popen(
        ["bash", "-c", f"stty cols {WIDTH} -opost; {command}"],
        cwd=folder, env=environ, stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    written = bytearray()
    try:
        while part := os.read(ours, 4096):
            written += part
    except OSError:  # the other end is closed
        pass
    process.wait(DEADLINE)
    os.close(ours)
    return SPINNER.sub("", written.decode())


def drawn(folder: Path) -> str:
    for language, name in (
        ("python", "shop/payments.py"),
        ("yaml", "settings/app.yml"),
        ("yaml", "settings/services.yml"),
    ):
        text = next(text for text in blocks(ROOT / "README.md", language) if text.startswith(f"# {name}"))
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for name, (old, new), command in STEPS:
        text = (folder / name).read_text("utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new), "utf-8")
        console.print(Text.from_ansi(f"$ {command}\n{on_a_terminal(command, folder)}"))
    return console.export_svg(title="oneiric", code_format=NO_ADDRESSES, unique_id="oneiric")


def test_the_terminal_shows_what_the_command_prints(tmp_path: Path, updating: bool) -> None:
    picture = drawn(tmp_path)
    if updating:
        PICTURE.write_text(picture, "utf-8")
    assert PICTURE.read_text("utf-8") == picture


def test_it_asks_for_nothing_from_elsewhere() -> None:
    text = PICTURE.read_text("utf-8")
    assert set(re.findall(r"https?://[^\"\s]+", text)) <= {"http://www.w3.org/2000/svg", "https://www.textualize.io"}
