from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal, NewType, Optional

from annotated_types import Ge
from oneiric import Secret, component

UserId = NewType("UserId", int)


class Colour(Enum):
    RED = "red"


@component("adapter", "p", provider="p")
class P:
    def __init__(
        self,
        *,
        choice: Literal["a", None],
        colour: Colour | None,
        folder: Path | None,
        nested: float | None,
        number: Literal[1, 2, True, None],
        password: Secret | None,
        port: Annotated[int, Ge(1)] | None,
        text: str | None,
        unset: Optional[int],
        user: UserId | None,
        wait: timedelta | None,
    ) -> None: ...
