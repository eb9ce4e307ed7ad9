from oneiric import component


@component("adapter", "p", provider="p")
class P:
    def __init__(
        self, *, direct: str, deep: str, in_text: str, own: str, nested: dict[str, list[str]], port: int = 1
    ) -> None: ...
