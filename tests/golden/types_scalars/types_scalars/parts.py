from pathlib import Path
from typing import Any

from oneiric import component


@component("adapter", "mail", provider="p")
class P:
    def __init__(
        self, *, text: str, number: int, ratio: float, whole_ratio: float, flag: bool, nothing: None, path: Path,
        anything: Any, whatever: object, hexadecimal: int, octal: int, long: str,
    ) -> None: ...
