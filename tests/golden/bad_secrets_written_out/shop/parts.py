from typing import Any

from oneiric import Secret
from oneiric import component


@component("adapter", "mail", provider="p")
class P:
    def __init__(self, *, password: Secret, other: Secret | None = None, third: Secret = Secret(''), many: list[Secret] = [], pin: Secret = Secret(''), url: str = '', plain: str = '', size: int = 1, anything: Any = None, urls: dict[str, str] = {}) -> None: ...
