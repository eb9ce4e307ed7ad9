"""The picture of a terminal in the README: its first example, as a terminal shows it; `--snapshot-update` makes it."""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from tests.docs.test_docs import ROOT, blocks
from tests.unit.cli.running import run_on_terminal

PICTURE = ROOT / "docs/terminal.svg"
WIDTH = 100
SPINNER = re.compile(r"\A.*\x1b\[\?25h(?:\r|\x1b\[\d*[AK])*", re.DOTALL)  # of a slow machine, and gone afterwards
NO_ADDRESSES = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
STEPS = (
    ("settings/services.yml", ("payments: card", "payments: crad"), "compile"),
    ("settings/services.yml", ("payments: crad", "payments: card"), "compile"),
    ("settings/services.yml", ("CARD_TIMEOUT:-2.5", "CARD_TIMEOUT:-4"), "plan"),
    ("settings/services.yml", ("CARD_TIMEOUT:-4", "CARD_TIMEOUT:-2.5"), "explain service:payments"),
)


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
        shown = run_on_terminal(*command.split(), cwd=folder, COLUMNS=str(WIDTH)).replace("\r\n", "\n")
        console.print(Text.from_ansi(f"$ oneiric {command}\n{SPINNER.sub('', shown)}"))
    return console.export_svg(title="oneiric", code_format=NO_ADDRESSES, unique_id="oneiric")


def test_the_terminal_shows_what_the_command_prints(tmp_path: Path, updating: bool) -> None:
    picture = drawn(tmp_path)
    if updating:
        PICTURE.write_text(picture, "utf-8")
    assert PICTURE.read_text("utf-8") == picture


def test_it_asks_for_nothing_from_elsewhere() -> None:
    text = PICTURE.read_text("utf-8")
    assert set(re.findall(r"https?://[^\"\s]+", text)) <= {"http://www.w3.org/2000/svg", "https://www.textualize.io"}
