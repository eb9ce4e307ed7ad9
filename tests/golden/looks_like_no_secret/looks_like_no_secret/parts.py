from typing import Any
from oneiric import component

@component("adapter", "db", provider="p")
class P:
    def __init__(
        self, *, token_url: str = "", password_field: str = "", public_key: str = "", max_tokens: int = 0,
        options: dict[str, Any] = {},
    ) -> None: ...
