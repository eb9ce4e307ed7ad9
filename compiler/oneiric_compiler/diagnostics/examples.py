"""An example of every diagnostic, as the command shows it: `examples.txt`, whose texts the golden cases hold."""

from __future__ import annotations

import re
from pathlib import Path

EXAMPLES = Path(__file__).with_name("examples.txt")
_START = re.compile(r"^(?=(?:error|warning|note)\[ONE\d{3}\])", re.MULTILINE)
_COUNTS = re.compile(r"\n\n\d+ (?:errors?|warnings?|notes?)(?:, \d+ (?:warnings?|notes?))*\n\Z")


def examples() -> dict[str, str]:
    """The example of each code, without a line's end behind it."""
    return {code: blocks[0] for code, blocks in by_code(EXAMPLES.read_text("utf-8")).items()}


def by_code(text: str) -> dict[str, list[str]]:
    """The diagnostics in what the command says, by code, without the line that counts them."""
    found: dict[str, list[str]] = {}
    for block in _START.split(text):
        if _START.match(block):
            code = block.partition("[")[2][:6]
            found.setdefault(code, []).append(_COUNTS.sub("", block).rstrip("\n"))
    return found
