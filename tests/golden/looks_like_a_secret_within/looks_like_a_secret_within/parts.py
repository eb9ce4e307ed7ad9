from typing import Any
from oneiric import component

@component("adapter", "db", provider="p")
class P:
    def __init__(self, *, options: dict[str, Any] = {}, settings: dict[str, str] = {}, secret: str = "") -> None: ...
