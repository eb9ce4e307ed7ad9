from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Literal

from oneiric import component


class Colour(Enum):
    red = 1
    blue = 2


@component("adapter", "mail", provider="p")
class P:
    def __init__(
        self, *, names: list[str], paths: list[Path], counts: dict[str, int], nested: dict[str, dict[str, list[int]]],
        pair: tuple[str, ...], single: tuple[str, ...], unique: set[int], frozen: frozenset[Colour],
        path_by_name: dict[str, Path], levels: list[Literal["low", "high"]], empty: list[int], empty_set: set[int],
        sequence: Sequence[int], mapping: Mapping[str, float], bare: list[Any],
        secret: dict[str, list[str]], value: dict[str, str],
    ) -> None: ...
