from pathlib import Path

from oneiric import Secret, component


@component("service", "till", provider="std")
class Till:
    def __init__(
        self,
        *,
        cents: int = 0,
        rate: float = 0.0,
        ssl: bool = False,
        tls: bool = False,
        debug: bool = False,
        port: int = 0,
        host: str = "",
        url: str | None = None,
        root: Path = Path(),
        code: str = "",
        places: list[str] | None = None,
        limits: dict[str, int] | None = None,
        key: Secret | None = None,
    ) -> None: ...
