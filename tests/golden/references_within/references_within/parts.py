from enum import Enum
from pathlib import Path

from oneiric import Secret, component


class Level(Enum):
    LOW = 1
    HIGH = 2


@component("adapter", "p", provider="p")
class P:
    def __init__(
        self,
        *,
        by_name: dict[str, str],
        folder: Path,
        level: Level,
        limits: list[int],
        password: Secret,
        port: int,
        shape: str,
        url: str,
        user: str,
        with_secret: Secret,
    ) -> None: ...


@component("adapter", "secrets", provider="s")
class S: ...
