from enum import Enum, Flag
from typing import Annotated, Literal

from annotated_types import MaxLen
from oneiric import Secret, component


class Colour(Enum):
    RED = "red"


class Right(Flag):
    READ = 1
    WRITE = 2


@component("adapter", "p", provider="p")
class P:
    def __init__(
        self,
        *,
        hosts: list[str] = [],
        names: list[str] = [],
        ports: list[int] = [],
        few: Annotated[list[int], MaxLen(2)] = [],
        nested: list[list[int]] = [],
        amid: list[str] = [],
        either: list[int | str] = [],
        limits: dict[str, int] = {},
        twice: dict[str, int] = {},
        pair: tuple[int, int] = (1, 2),
        in_text: list[str] = [],
        tokens: list[Secret] = [],
        size: int = 1,
        colour: Colour | None = None,
        alike: Literal[1, "1"] = 1,
        choice: Literal[1, 2] = 1,
        text_number: int = 1,
        secrets: list[str] = [],
        rights: list[Right] = [],
    ) -> None: ...
