from pathlib import Path

from oneiric import Secret, component


@component("adapter", "p", provider="p")
class P:
    def __init__(self, *, empty: str, fallback: str, folder: Path, pin: Secret, port: int, url: str) -> None: ...
