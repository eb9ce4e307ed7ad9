from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, NewType

from annotated_types import Ge, MinLen
from oneiric import Secret, component

UserId = NewType("UserId", str)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@component("adapter", "p", provider="p")
class P:
    def __init__(
        self,
        *,
        by_name: dict[str, int],
        colours: list[Colour],
        durations: tuple[timedelta, ...],
        empty: list[str],
        hosts: list[str],
        maybe: list[int] | None,
        modes: set[Literal["fast", "slow"]],
        nested: list[list[int]],
        options: dict[str, Any],
        pair: tuple[int, str],
        plain: frozenset[Path],
        ports: Annotated[list[Annotated[int, Ge(1)]], MinLen(1)],
        tokens: list[Secret],
        users: list[UserId],
    ) -> None: ...
