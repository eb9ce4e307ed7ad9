from typing import Any
from oneiric import component

@component("adapter", "db", provider="p")
class P:
    def __init__(self, *, url: str = "", dsn: str | None = None, anything: dict[str, Any] = {}, header: str = "",
                 key: str = "", folded: str = "", size: int = 0) -> None: ...
