"""Completion in bash, which takes `service:payments` for three words and completes the last of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from io import StringIO


def asked() -> bool:
    """Whether this process is to complete a command line of bash."""
    return os.environ.get("_ONEIRIC_COMPLETE") == "complete_bash"


def completing(run: Callable[[], object]) -> None:
    """Runs what completes, and exits as it does."""
    words, at = joined(os.environ["COMP_WORDS"].split("\n"), int(os.environ["COMP_CWORD"]))
    os.environ["COMP_WORDS"], os.environ["COMP_CWORD"] = "\n".join(words), str(at)
    before, colon, _ = words[at].rpartition(":") if at < len(words) else ("", "", "")
    found = StringIO()
    try:
        with redirect_stdout(found):
            run()
    finally:
        sys.stdout.write(
            "".join(line.removeprefix(before + colon) for line in found.getvalue().splitlines(keepends=True))
        )


def joined(words: Sequence[str], at: int) -> tuple[list[str], int]:
    """The words, those put together that stand beside a colon, and the place of the one that was at `at`."""
    found: list[str] = []
    place = at
    for number, word in enumerate(words):
        if found and (word.startswith(":") or words[number - 1].endswith(":")):
            found[-1] += word
            place -= number <= at
        else:
            found.append(word)
    return found, place
