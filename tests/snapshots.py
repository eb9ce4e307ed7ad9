"""How what is shown to people is kept: a file for each snapshot, which reads as it is shown."""

from __future__ import annotations

import re
from collections.abc import Mapping

from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode


class Text(SingleFileSnapshotExtension):
    _write_mode = WriteMode.TEXT
    file_extension = "txt"


class Markdown(Text):
    file_extension = "md"


def masked(text: str, varies: Mapping[str, str]) -> str:
    """The text with what differs from run to run, by pattern, in words that do not."""
    for pattern, word in varies.items():
        text = re.sub(pattern, word, text)
    return text
