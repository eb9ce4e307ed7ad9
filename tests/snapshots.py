"""How what is shown to people is kept: a file for each snapshot, which reads as it is shown."""

from __future__ import annotations

from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode


class Text(SingleFileSnapshotExtension):
    _write_mode = WriteMode.TEXT
    file_extension = "txt"


class Markdown(Text):
    file_extension = "md"
