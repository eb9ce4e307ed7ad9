from oneiric import component


@component("adapter", "mail", provider="p")
class P:
    def __init__(
        self, *, country: str, off: str, time: str, date: str, under: str, octal_like: str, zeros: str, exponent_like: str,
        version: str, equals: str, tilde: str, folded: str, on: str,
    ) -> None: ...
