from pathlib import Path
from typing import Any

from oneiric import component


@component("adapter", "mail", provider="p")
class P:
    def __init__(
        self, *, url: str = "", port: int = 0, ratio: float = 0.0, flag: bool = False, path: Path = Path(), many: list[int] | None = None,
        by_name: dict[str, str] | None = None, maybe: int | None = None, anything: Any = None,
    ) -> None: ...
