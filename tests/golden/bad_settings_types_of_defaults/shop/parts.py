from enum import Enum
from pathlib import Path
from typing import Literal

from oneiric import component


class Colour(Enum):
    red = 1


@component("adapter", "mail", provider="p")
class P:
    def __init__(self, *, host: str = '', timeout: float = 1.0, size: int = 1, tls: bool = False, mode: Literal['fast', 'slow', 3] = 'fast', colour: Colour = Colour.red, many: list[int] = [], one_of: dict[str, bool] = {}, maybe: int | None = None, path: Path = Path(), both: int | bool = 1, pair: tuple[int, ...] = (), unique: set[str] = set(), nothing: None = None, deep: dict[str, list[int]] = {}, api_token: int = 0) -> None: ...
