from enum import Enum
from typing import Annotated

from annotated_types import Le
from oneiric import Secret, component


class Level(Enum):
    LOW = 1
    HIGH = 2


@component("adapter", "p", provider="p")
class P:
    def __init__(
        self,
        *,
        malformed: str = "",
        open: str = "",
        size: int = 0,
        ratio: float = 0.0,
        level: Level = Level.LOW,
        small: Annotated[int, Le(10)] = 1,
        flag: bool = False,
        password: Secret | None = None,
        token: Secret | None = None,
        pin: Secret | None = None,
        url: str = "",
        own: str = "",
        deep: str = "",
    ) -> None: ...
