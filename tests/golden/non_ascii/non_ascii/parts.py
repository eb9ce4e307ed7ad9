from oneiric import component


PRÉFIXE = "é"


@component("adapter", "mail", provider="p")
class Courriel:
    def __init__(self, *, greeting: str, by_name: dict[str, str], mixed: str) -> None: ...
