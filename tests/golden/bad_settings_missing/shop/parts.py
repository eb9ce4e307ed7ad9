from oneiric import Secret
from oneiric import component


@component("adapter", "mail", provider="p")
class P:
    def __init__(self, *, host: str, password: Secret, size: int, colour: str = '') -> None: ...


@component("adapter", "mail", provider="q")
class Q:
    def __init__(self, name: str) -> None: ...
